/* SPDX-License-Identifier: MIT */
#include "sandbox/denials.h"

#include "policy/bpf.h"
#include "policy/denial.h"
#include "policy/filter_door.h"
#include "policy/own.h"

#include <assert.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define REST_NSEC     UINT64_C(10000000) /* when questions come faster than they are answered */
#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_USEC 1000
/* What a kernel may write of a question: struct seccomp_notif may grow. */
#define QUESTION_MAX 512

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

/* --- the worker's side ------------------------------------------------------------------------*/

#define PROBE_KEY UINT64_C(0x0123456789abcdef)

/* Whether what the child calls after the filter is loaded, when nobody listens yet, is no question;
 * its execve goes through the filter's door. `probe` is spoilt. */
static bool can_be_handed_over(const struct launcher *launcher, struct sock_filter *probe)
{
	/* behind what the worker is given (worker.c, connect_output) */
	const uint64_t status = STDERR_FILENO + 1 + launcher->listener_count;
	const struct seccomp_data calls[] = {
		{ .nr = SYS_sendmsg, .args = { status, 0, MSG_NOSIGNAL } },
		{ .nr = SYS_write, .args = { status } },
		{ .nr = SYS_execve, .args = { [5] = PROBE_KEY } },
		{ .nr = SYS_exit_group, .args = { 1 } },
	};

	(void)filter_door_open(probe, launcher->filter.len, PROBE_KEY);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct seccomp_data call = calls[i];

		call.arch = NATIVE;
		if (bpf_run(probe, &call, NULL) == SECCOMP_RET_USER_NOTIF)
			return false;
	}
	return true;
}

static struct sock_filter *ask(const struct sock_fprog *own, enum refusals refusals)
{
	struct sock_filter *program = malloc(own->len * sizeof(*program));

	if (program == NULL)
		return NULL;
	memcpy(program, own->filter, own->len * sizeof(*program));
	denial_ask(program, own->len, refusals != REFUSALS_EXPLAINED);
	return program;
}

int denials_program(const struct launcher *launcher, struct sock_fprog *ret, struct error *err)
{
	const struct sock_fprog *own = &launcher->filter;
	enum refusals refusals = launcher->plan->refusals;
	_cleanup_free_ struct sock_filter *program = NULL, *probe = NULL;
	struct error ignored;

	*ret = (struct sock_fprog){ 0 };
	/* what the kernel would not take is its to refuse */
	if (refusals == REFUSALS_SILENT || bpf_check(own->filter, own->len, &ignored) < 0)
		return 0;
	program = ask(own, refusals);
	probe = ask(own, refusals);
	if (program == NULL || probe == NULL)
		return error_no_memory(err);
	if (can_be_handed_over(launcher, probe))
		*ret = (struct sock_fprog){ own->len, TAKE_PTR(program) };
	else if (launcher->plan->refusals != REFUSALS_EXPLAINED)
		return error_set(err, ERROR_INVALID, 0,
				 "a profile that refuses sendmsg, write or exit_group can "
				 "be enforced, and nothing else: its refusals can't be permitted");
	return 0;
}

static int send_listener(int listener, int status)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char nothing = 0;
	struct iovec data = { &nothing, 1 };
	struct msghdr packet = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *rights = &control.header;

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &listener, sizeof(listener));
	return sendmsg(status, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The listener closes on execve. With WAIT_KILLABLE_RECV no signal but a deadly one interrupts a
 * call whose question has been taken. */
int denials_load(const struct sock_fprog *program, int status)
{
	static const unsigned long flags[] = {
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		SECCOMP_FILTER_FLAG_NEW_LISTENER,
	};
	long listener = -1;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && listener < 0; i++) {
		listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[i], program);
		if (listener < 0 && errno != EINVAL)
			return -errno;
	}
	return listener < 0 ? -errno : send_listener((int)listener, status);
}

/* --- how many ---------------------------------------------------------------------------------*/

uint64_t denials_rate(uint64_t nsec)
{
	uint64_t rate = nsec > 0 ? DENIALS_BUDGET_NSEC * DENIALS_MEASURED / nsec : UINT64_MAX;

	if (rate > DENIALS_PER_SECOND)
		return DENIALS_PER_SECOND;
	return rate < DENIALS_PER_SECOND_MIN ? DENIALS_PER_SECOND_MIN : rate;
}

/* --- questions --------------------------------------------------------------------------------*/

static uint64_t processor_nsec(void)
{
	struct timespec used = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NSEC_PER_SEC + (uint64_t)used.tv_nsec;
}

/* To wake up for nothing is half as much work as an answer. */
static uint64_t rest_nsec(const struct denials *denials)
{
	uint64_t one = NSEC_PER_SEC / denials->rate.per_second;

	return one > REST_NSEC ? one : REST_NSEC;
}

static void set_rate(struct denials *denials, uint64_t now)
{
	uint64_t rate = denials->permit ? DENIALS_PERMITTED_PER_SECOND : DENIALS_PER_SECOND;

	rate_init(&denials->rate, rate, rate, now / NSEC_PER_USEC);
	denials->measured = 0;
	denials->used_nsec = processor_nsec();
}

/* What an answer takes is a matter of the machine. */
static void measure(struct denials *denials, uint64_t now)
{
	uint64_t used, rate;

	if (denials->permit || ++denials->measured < DENIALS_MEASURED)
		return;
	used = processor_nsec();
	rate = denials_rate(used - denials->used_nsec);
	rate_change(&denials->rate, rate, rate, now / NSEC_PER_USEC);
	denials->measured = 0;
	denials->used_nsec = used;
}

void denials_init(struct denials *denials, struct keeper *keeper)
{
	const struct launcher *launcher = keeper->launcher;

	*denials = (struct denials){ .keeper = keeper, .listener = launcher->listener };
	if (launcher->plan != NULL) {
		denials->permit = launcher->plan->refusals == REFUSALS_PERMITTED;
		denials->all = launcher->plan->refusals != REFUSALS_EXPLAINED;
	}
	set_rate(denials, 0);
}

/* errnum 0: the call is made, but only where calls may be. */
static void answer(const struct denials *denials, uint64_t id, int errnum)
{
	struct seccomp_notif_resp response = { .id = id, .error = -errnum };

	if (errnum == 0 && denials->permit)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (errnum == 0)
		response.error = -EPERM;
	/* ENOENT: the caller has been killed meanwhile */
	(void)ioctl(denials->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static bool is_known(const struct denials *denials, const struct seccomp_data *call)
{
	for (size_t i = 0; i < denials->known_count; i++)
		if (denial_is_same(&denials->known[i], call))
			return true;
	return false;
}

static bool is_full(const struct denials *denials)
{
	return denials->permit && denials->known_count >= LAUNCH_LEARN_MAX;
}

/* Grows by the block: most workers are never refused anything. When it is full the oldest gives
 * way, or 64 harmless calls would hide all that come after them; what is told is bounded anyway.
 * Where calls are permitted, the number of those told is. */
static bool remember(struct denials *denials, const struct seccomp_data *call)
{
	if (!denials->permit && denials->known_count >= DENIALS_KNOWN_MAX) {
		denials->known[denials->oldest] = *call;
		denials->oldest = (denials->oldest + 1) % denials->known_count;
		return true;
	}
	if (denials->known_count % DENIALS_TOLD_MAX == 0) {
		void *grown = realloc(denials->known, (denials->known_count + DENIALS_TOLD_MAX) *
							      sizeof(*denials->known));

		if (grown == NULL)
			return false;
		denials->known = grown;
	}
	denials->known[denials->known_count++] = *call;
	return true;
}

static bool may_tell(struct denials *denials, uint64_t now)
{
	if (now >= denials->window_end) {
		denials->window_end = now + DENIALS_WINDOW_NSEC;
		denials->told = 0;
	}
	return denials->permit || denials->told < DENIALS_TOLD_MAX;
}

/* True if it was told, and the caller is to wait. */
static bool tell(struct denials *denials, const struct seccomp_notif *question, int errnum,
		 uint64_t now)
{
	const struct seccomp_data *call = &question->data;
	struct launch_message message = {
		.denial = {
			.number = call->nr,
			.architecture = call->arch,
			.instruction_pointer = call->instruction_pointer,
			.thread = (int32_t)question->pid,
			.errnum = errnum,
			.held = 1,
			.untold = denials->untold,
		},
	};
	size_t known = denials->known_count;

	static_assert(sizeof(message.denial.arguments) == sizeof(call->args), "the same six");
	memcpy(message.denial.arguments, call->args, sizeof(call->args));
	if (!denials->keeper->connected || denials->keeper->stalled || !may_tell(denials, now) ||
	    !remember(denials, call))
		return false;
	if (!keeper_send(denials->keeper, LAUNCH_DENIED, &message, NULL, 0)) {
		denials->known_count = known;
		return false;
	}
	denials->told++;
	denials->untold = 0;
	return true;
}

static void take(struct denials *denials, uint64_t now)
{
	union {
		struct seccomp_notif question;
		char space[QUESTION_MAX];
	} buffer = { .space = { 0 } };
	const struct seccomp_notif *question = &buffer.question;
	int errnum;

	/* EINTR, ENOENT: the caller has been killed meanwhile */
	if (ioctl(denials->listener, SECCOMP_IOCTL_NOTIF_RECV, &buffer) < 0)
		return;
	errnum = denial_errno(denials->keeper->launcher->filter.filter, &question->data);
	if (denial_is_expected(&question->data)) {
		answer(denials, question->id, errnum);
		return;
	}
	if (denials->permit)
		errnum = 0;
	if (is_known(denials, &question->data) || is_full(denials)) {
		denials->repeated++;
		answer(denials, question->id, errnum);
		return;
	}
	if (tell(denials, question, errnum, now)) {
		denials->held_id = question->id;
		denials->held_errnum = errnum;
		denials->held_until = now + LAUNCH_DENIAL_USEC * NSEC_PER_USEC;
		return;
	}
	denials->untold++;
	answer(denials, question->id, errnum);
}

void denials_heard(struct denials *denials)
{
	if (denials->held_until == 0)
		return;
	answer(denials, denials->held_id, denials->held_errnum);
	denials->held_until = 0;
}

void denials_permit(struct denials *denials, uint64_t now)
{
	denials->permit = denials->all;
	set_rate(denials, now);
}

static void count(struct denials *denials, uint64_t now)
{
	const struct launch_message message = { .denial.untold = denials->repeated };

	if (denials->repeated == 0 || now < denials->count_after || !denials->keeper->connected ||
	    denials->keeper->stalled ||
	    !keeper_send(denials->keeper, LAUNCH_COUNTED, &message, NULL, 0))
		return;
	denials->repeated = 0;
	denials->count_after = now + DENIALS_COUNT_NSEC;
}

/* --- for the loop -----------------------------------------------------------------------------*/

struct pollfd denials_watch(const struct denials *denials, uint64_t now)
{
	bool waits = denials->held_until != 0 || now < denials->rest_until;

	return (struct pollfd){ .fd = waits ? -1 : denials->listener, .events = POLLIN };
}

uint64_t denials_deadline(const struct denials *denials, uint64_t now)
{
	uint64_t until = now < denials->rest_until ? denials->rest_until : KEEPER_NEVER;

	if (denials->listener < 0)
		return KEEPER_NEVER;
	if (denials->held_until != 0)
		until = denials->held_until;
	if (denials->repeated > 0 && denials->keeper->connected && !denials->keeper->stalled &&
	    denials->count_after < until)
		until = denials->count_after;
	return until;
}

void denials_handle(struct denials *denials, short revents, uint64_t now)
{
	if (denials->held_until != 0 && (now >= denials->held_until || !denials->keeper->connected))
		denials_heard(denials);
	if (revents & POLLIN) {
		if (rate_take(&denials->rate, now / NSEC_PER_USEC, 1)) {
			take(denials, now);
			measure(denials, now);
		} else {
			denials->rest_until = now + rest_nsec(denials);
		}
	} else if (revents != 0) { /* POLLHUP: no process is left under the filter */
		close_and_clear(&denials->listener);
	}
	count(denials, now);
}
