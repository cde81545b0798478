/* SPDX-License-Identifier: MIT */
#include "supervisor/pidfd.h"

#include "supervisor/file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t pidfd_pid(int pidfd)
{
	char path[64], text[1024];
	struct error ignored;
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (file_read_at(AT_FDCWD, path, text, sizeof(text), &ignored) < 0)
		return 0;
	line = strstr(text, "Pid:");
	return line != NULL && atoi(line + 4) > 0 ? (pid_t)atoi(line + 4) : 0;
}

bool pidfd_has_ended(int pidfd)
{
	struct pollfd poller = { .fd = pidfd, .events = POLLIN };

	return poll(&poller, 1, 0) != 0;
}

void pidfd_kill(int pidfd)
{
	(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}
