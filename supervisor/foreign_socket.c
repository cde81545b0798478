/* SPDX-License-Identifier: MIT */
#include "supervisor/foreign_socket.h"

#include "policy/own.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Neither takes so long by itself. */
#define PATIENCE_USEC 20000

static void do_nothing(int signal)
{
	(void)signal;
}

/* Again and again: the first may come before the wait has begun. */
static void set_alarm(suseconds_t usec)
{
	const struct itimerval timer = { .it_interval = { .tv_usec = usec },
					 .it_value = { .tv_usec = usec } };

	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void begin(void)
{
	const struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };

	(void)sigaction(SIGALRM, &action, NULL);
	set_alarm(PATIENCE_USEC);
}

ssize_t foreign_socket_read(int fd, void *bytes, size_t size)
{
	ssize_t n;
	int errnum;

	begin();
	n = recv(fd, bytes, size, MSG_DONTWAIT);
	errnum = errno;
	set_alarm(0);
	errno = errnum;
	return n;
}

void foreign_socket_close(int *fd)
{
	if (*fd < 0)
		return;
	begin();
	close_and_clear(fd);
	set_alarm(0);
}
