/* SPDX-License-Identifier: MIT */
#include "supervisor/log_event.h"

#include "policy/own.h"

#include <assert.h>

/* Random (`journalctl --new-id128`), and never to be changed or used again. */
static const struct log_event_kind kinds[] = {
	[LOG_EVENT_DAEMON_STARTED] = { "daemon-started", "4e7e7519b88c4ff9a3280b6af73eb451",
				       LOG_LEVEL_INFO },
	[LOG_EVENT_DAEMON_STOPPING] = { "daemon-stopping", "1faa9cf26ed044d5b26b047278d9c5f6",
					LOG_LEVEL_INFO },
	[LOG_EVENT_CONFIG_RELOADED] = { "config-reloaded", "1f5e6ded114045758cfba3c7f608c9a5",
					LOG_LEVEL_INFO },
	[LOG_EVENT_CONFIG_REFUSED] = { "config-refused", "1a89e957db7f4d13bd2cc462d0c45f22",
				       LOG_LEVEL_ERROR },
	[LOG_EVENT_APP_STARTED] = { "app-started", "4e827702440948518d24c9728fbcabfb",
				    LOG_LEVEL_INFO },
	[LOG_EVENT_APP_STOPPED] = { "app-stopped", "8b24481a34f3456c81a6bd78253ebadd",
				    LOG_LEVEL_INFO },
	[LOG_EVENT_APP_DIED] = { "app-died", "8b16f29b48b14629beb551a8398cb105",
				 LOG_LEVEL_WARNING },
	[LOG_EVENT_APP_CHILD_KILLED] = { "app-child-killed", "84ac71f728d24128b92602d282521eb8",
					 LOG_LEVEL_WARNING },
	[LOG_EVENT_APP_BACKOFF] = { "app-backoff", "fcbbe943dcfb40a39864d16d9bf8d62f",
				    LOG_LEVEL_WARNING },
	[LOG_EVENT_APP_FAILED] = { "app-failed", "1a40d3c9e1b64fffac85efee12eba608",
				   LOG_LEVEL_ERROR },
	[LOG_EVENT_APP_SUSPENDED] = { "app-suspended", "7824cf011bdc45dd934b45d0f6d5d586",
				      LOG_LEVEL_INFO },
	[LOG_EVENT_APP_RESUMED] = { "app-resumed", "327c758f47194f1389d1b633a88748ac",
				    LOG_LEVEL_INFO },
	[LOG_EVENT_APP_ADOPTED] = { "app-adopted", "fdbc84b52dd241c787e75aaaab1cb6eb",
				    LOG_LEVEL_INFO },
	[LOG_EVENT_APP_LOST] = { "app-lost", "7d25a7654bdc462786bffdfd333f0f77", LOG_LEVEL_ERROR },
	[LOG_EVENT_LIMITS_CHANGED] = { "limits-changed", "56a4e8c4dcbd42068d2dc1393a54cb60",
				       LOG_LEVEL_INFO },
	[LOG_EVENT_LOG_LINES_DROPPED] = { "log-lines-dropped", "8b2affb327134b69a99b40a829ce8429",
					  LOG_LEVEL_WARNING },
	[LOG_EVENT_STATE_UNREADABLE] = { "state-unreadable", "917e62ab01734c13aedc2ee17d244d1e",
					 LOG_LEVEL_ERROR },
	[LOG_EVENT_CLIENT_CUT_OFF] = { "client-cut-off", "cf40aead4d004b2b92edea5d4d96f2a9",
				       LOG_LEVEL_WARNING },
	[LOG_EVENT_SCOPE_LOST] = { "scope-lost", "b9acf2440a494002ad01503973b9b275",
				   LOG_LEVEL_ERROR },
	[LOG_EVENT_PIDS_REFUSED] = { "pids-refused", "7528cf86dc3a4e9eb0f19089fc47f8c7",
				     LOG_LEVEL_WARNING },
	[LOG_EVENT_SYSCALL_REFUSED] = { "syscall-refused", "5780b0d6c9e74c85a4ad2bdec1125472",
					LOG_LEVEL_WARNING },
	[LOG_EVENT_CANARY_LIFTED] = { "canary-lifted", "042540d9aedc4df897bf97c4e34f1838",
				      LOG_LEVEL_WARNING },
	[LOG_EVENT_HOOK_FAILED] = { "hook-failed", "28035c1610d34ec392521fff4bb8c5bc",
				    LOG_LEVEL_WARNING },
	[LOG_EVENT_MEMORY_SHORT] = { "memory-short", "856cc5fb490d42feaf38864d75c259ab",
				     LOG_LEVEL_WARNING },
	[LOG_EVENT_APP_UNHEALTHY] = { "app-unhealthy", "079d3d84bae44dba803794d28284e05c",
				      LOG_LEVEL_WARNING },
	[LOG_EVENT_APP_HEALTHY] = { "app-healthy", "e66a274ba3e049fbb0687b889a8f25f5",
				    LOG_LEVEL_INFO },
	[LOG_EVENT_APP_THROTTLED] = { "app-throttled", "7d321fdcb46243b5919fe0ab42e24318",
				      LOG_LEVEL_WARNING },
	[LOG_EVENT_MEMORY_PRESSURE] = { "memory-pressure", "38199b3f361a41358fb8cbddbfa40bd5",
					LOG_LEVEL_INFO },
};
static_assert(ARRAY_SIZE(kinds) == LOG_EVENT_COUNT, "a MESSAGE_ID for each event");

const struct log_event_kind *log_event_kind(enum log_event_id id)
{
	assert(id < LOG_EVENT_COUNT);
	return &kinds[id];
}
