/* SPDX-License-Identifier: MIT */
/*
 * Plan and filter come on memfds. They must be sealed: what has been checked is then what is used,
 * whoever else holds the fd.
 */
#include "sandbox/plan_read.h"

#include "policy/own.h"
#include "sandbox/fds.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* Shared with whoever bound it, but nobody else accepts on it. */
static bool is_listener(int fd)
{
	socklen_t length = sizeof(int);
	int type = 0, listening = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
	       listening != 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

int plan_read_fds(struct launcher *launcher, struct error *err)
{
	struct statfs cgroup;
	socklen_t length = sizeof(int);
	int type = 0;

	/* found before the plan is read: a plan that is wrong shall also be told */
	launcher->keep = is_listener(LAUNCH_FD_LISTEN);
	if (getsockopt(LAUNCH_FD_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) < 0 ||
	    type != SOCK_SEQPACKET)
		return error_set(err, ERROR_INTERNAL, ENOTSOCK, "fd %d: no SEQPACKET socket",
				 LAUNCH_FD_SOCKET);
	if (fstatfs(LAUNCH_FD_CGROUP, &cgroup) < 0)
		return error_set(err, ERROR_INTERNAL, errno, "fd %d: the cgroup", LAUNCH_FD_CGROUP);
	if (cgroup.f_type != CGROUP2_SUPER_MAGIC)
		return error_set(err, ERROR_INTERNAL, ENOTDIR,
				 "fd %d: not a directory of cgroup v2", LAUNCH_FD_CGROUP);
	if (fds_close_range(LAUNCH_FD_FIRST_FREE, ~0U, 0) < 0 ||
	    fds_close_range(LAUNCH_FD_SOCKET, LAUNCH_FD_FIRST_FREE - 1, CLOSE_RANGE_CLOEXEC) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "close_range");
	return 0;
}

/* Maps nothing and copies: both are read once, and the filter must outlive its fd. */
static int read_sealed(int fd, size_t max, void **ret_data, size_t *ret_size, struct error *err)
{
	_cleanup_free_ char *data = NULL;
	struct stat file;
	size_t size, done = 0;
	int seals;

	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return error_set(err, ERROR_INTERNAL, errno, "F_GET_SEALS");
	if ((seals & SEALS) != SEALS)
		return error_set(err, ERROR_INTERNAL, EPERM, "the memfd is not sealed");
	if (fstat(fd, &file) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "fstat");
	size = (size_t)file.st_size;
	if (size == 0 || size > max)
		return error_set(err, ERROR_INTERNAL, EFBIG, "%zu bytes, must be 1 to %zu", size,
				 max);
	data = malloc(size);
	if (data == NULL)
		return error_no_memory(err);
	while (done < size) {
		ssize_t n = pread(fd, data + done, size - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return error_set(err, ERROR_SYSTEM, errno, "read");
		if (n == 0)
			return error_set(err, ERROR_INTERNAL, EIO, "ends after %zu bytes", done);
		if (n > 0)
			done += (size_t)n;
	}
	*ret_data = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

int plan_read(struct launcher *launcher, struct error *err)
{
	_cleanup_free_ void *data = NULL;
	size_t size = 0;
	int r;

	r = read_sealed(LAUNCH_FD_PLAN, PLAN_SIZE_MAX, &data, &size, err);
	if (r < 0) {
		error_prefix(err, "plan");
		return r;
	}
	close(LAUNCH_FD_PLAN);
	r = plan_decode(data, size, &launcher->plan, err);
	if (r == 0 && launcher->plan->keep != launcher->keep)
		return error_set(err, ERROR_INTERNAL, EBADF,
				 "fd %d: %s listening socket, and the plan says keep: %s",
				 LAUNCH_FD_LISTEN, launcher->keep ? "a" : "no",
				 launcher->plan->keep ? "true" : "false");
	return r;
}

int plan_read_filter(struct launcher *launcher, struct error *err)
{
	void *program = NULL;
	size_t size = 0;
	int r;

	r = read_sealed(LAUNCH_FD_FILTER, BPF_MAXINSNS * sizeof(struct sock_filter), &program,
			&size, err);
	if (r == 0 && size % sizeof(struct sock_filter) != 0) {
		free(program);
		r = error_set(err, ERROR_INTERNAL, EINVAL, "%zu bytes are no whole instructions",
			      size);
	}
	if (r < 0) {
		error_prefix(err, "seccomp filter");
		return r;
	}
	close(LAUNCH_FD_FILTER);
	launcher->filter.filter = program;
	launcher->filter.len = (unsigned short)(size / sizeof(struct sock_filter));
	return 0;
}
