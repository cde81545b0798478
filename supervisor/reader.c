/* SPDX-License-Identifier: MIT */
#include "supervisor/reader.h"

#include "policy/own.h"
#include "supervisor/file.h"
#include "supervisor/pidfd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READER_FD 3

/* One that was cut: half a secret may not look like one any more (policy/mask.h). */
static ssize_t drop_last_argument(char *text, ssize_t length)
{
	static const char more[] = "...";

	while (length > 0 && text[length - 1] != '\0')
		length--;
	if (length + (ssize_t)sizeof(more) <= READER_TEXT_MAX) {
		memcpy(text + length, more, sizeof(more));
		length += (ssize_t)sizeof(more);
	}
	return length;
}

static void read_command_line(struct reader_answer *answer)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)answer->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, answer->text, sizeof(answer->text) - 1) : -1;
	if (n == (ssize_t)sizeof(answer->text) - 1)
		n = drop_last_argument(answer->text, n);
	while (n > 0 && answer->text[n - 1] == '\0')
		n--;
	answer->text[n > 0 ? n : 0] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		if (answer->text[i] == '\0')
			answer->text[i] = '\n';
		else if (iscntrl((unsigned char)answer->text[i]))
			answer->text[i] = ' ';
	}
}

static void read_pss(struct reader_answer *answer)
{
	static const char key[] = "\nPss:";
	char text[4096];
	const char *line;

	if (file_read_proc(answer->pid, "smaps_rollup", text, sizeof(text)) == 0)
		return;
	line = strstr(text, key);
	if (line != NULL)
		answer->pss_bytes = strtoull(line + strlen(key), NULL, 10) * 1024;
}

struct asked {
	pid_t pid;
	enum reader_question question;
};

static void answer_one(const struct asked *asked)
{
	struct reader_answer answer = { .pid = asked->pid, .question = asked->question };

	if (asked->question == READER_PSS)
		read_pss(&answer);
	else
		read_command_line(&answer);
	(void)send(READER_FD, &answer, sizeof(answer), MSG_NOSIGNAL);
}

/* Keeps nothing of the supervisor's but the socket: an open pipe or lock here would outlive it. */
static void __attribute__((noreturn)) answer_questions(int socket_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct asked asked;
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setsid();
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0 ||
	    dup2(socket_fd, READER_FD) < 0)
		_exit(125);
	(void)syscall(SYS_close_range, READER_FD + 1U, ~0U, 0);
	(void)signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (;;) {
		ssize_t n = recv(READER_FD, &asked, sizeof(asked), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(asked))
			_exit(0);
		answer_one(&asked);
	}
}

static bool start(struct reader *reader)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pidfd = -1, pair[2];
	struct clone_args args = { .flags = CLONE_PIDFD,
				   .pidfd = (uint64_t)(uintptr_t)&pidfd,
				   .exit_signal = SIGCHLD };
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	ours = pair[0];
	theirs = pair[1];
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return false;
	if (pid == 0)
		answer_questions(theirs);
	*reader = (struct reader){ .pid = pid, .pidfd = pidfd, .socket = TAKE_FD(ours) };
	return true;
}

void reader_ask(struct reader *reader, pid_t pid, enum reader_question question)
{
	const struct asked asked = { pid, question };

	if (reader->pid == 0 && !start(reader))
		return;
	(void)send(reader->socket, &asked, sizeof(asked), MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool reader_take(const struct reader *reader, struct reader_answer *ret)
{
	return reader->pid != 0 &&
	       recv(reader->socket, ret, sizeof(*ret), MSG_DONTWAIT) == (ssize_t)sizeof(*ret);
}

void reader_kill(struct reader *reader)
{
	if (reader->pid != 0)
		pidfd_kill(reader->pidfd);
}

void reader_stop(struct reader *reader)
{
	siginfo_t info;

	if (reader->pid == 0)
		return;
	reader_kill(reader);
	(void)waitid((idtype_t)P_PIDFD, (id_t)reader->pidfd, &info, WEXITED);
	close_and_clear(&reader->socket);
	close_and_clear(&reader->pidfd);
	reader->pid = 0;
}
