/* SPDX-License-Identifier: MIT */
/*
 * Who comes in. The kernel says who it is before a byte is read; one who is not let in gets one
 * line that says why, and is closed.
 */
#include "policy/own.h"
#include "supervisor/clock.h"
#include "supervisor/control_private.h"
#include "supervisor/foreign_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* --- uids -------------------------------------------------------------------------------------*/

static bool is_unused(const struct control_uid *of_uid, uint64_t now)
{
	return of_uid->clients == 0 && rate_is_idle(&of_uid->rate, now);
}

/* The one of this uid, or a new one; those of nobody are freed by the way. */
static struct control_uid *find_uid(struct control *control, uid_t uid)
{
	uint64_t now = clock_monotonic_usec();
	struct control_uid **link = &control->uids, *found = NULL;

	while (*link != NULL) {
		struct control_uid *of_uid = *link;

		if (of_uid->uid == uid) {
			found = of_uid;
		} else if (is_unused(of_uid, now)) {
			*link = of_uid->next;
			free(of_uid);
			continue;
		}
		link = &of_uid->next;
	}
	if (found != NULL)
		return found;
	found = malloc(sizeof(*found));
	if (found == NULL)
		return NULL;
	*found = (struct control_uid){ .next = control->uids, .uid = uid };
	rate_init(&found->rate, control->config.rate_per_sec, control->config.rate_burst, now);
	control->uids = found;
	return found;
}

/* What it owes for its requests stays, so that coming back is no way around the rate. */
void control_leave_uid(struct client *client)
{
	client->of_uid->clients--;
	client->of_uid = NULL;
}

/* --- peers ------------------------------------------------------------------------------------*/

/* *ret_groups is owned by the caller. */
static int read_groups(int fd, gid_t **ret_groups, size_t *ret_count, struct error *err)
{
	socklen_t size = 64 * sizeof(gid_t);

	for (int attempt = 0; attempt < 3 && size <= CONTROL_GROUPS_MAX * sizeof(gid_t);
	     attempt++) {
		_cleanup_free_ gid_t *groups = malloc(size > 0 ? size : sizeof(gid_t));

		if (groups == NULL)
			return error_no_memory(err);
		/* too small a buffer: the kernel says how much it takes */
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
			*ret_groups = TAKE_PTR(groups);
			*ret_count = size / sizeof(gid_t);
			return 0;
		}
		if (errno != ERANGE)
			return error_set(err, ERROR_SYSTEM, errno, "SO_PEERGROUPS");
	}
	return error_set(err, ERROR_TOO_MANY, 0, "more than %d groups", CONTROL_GROUPS_MAX);
}

static int read_peer(int fd, struct peer *ret, gid_t **ret_groups, struct error *err)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);
	size_t count;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "SO_PEERCRED");
	r = read_groups(fd, ret_groups, &count, err);
	if (r < 0)
		return r;
	*ret = (struct peer){
		.pid = cred.pid,
		.uid = cred.uid,
		.gid = cred.gid,
		.groups = *ret_groups,
		.group_count = count,
	};
	return 0;
}

/* Asks who it is, within the bounds on numbers. */
static int admit(struct control *control, const struct peer *peer, struct control_uid *of_uid,
		 const char **ret_tenant, struct error *err)
{
	const struct control_config *config = &control->config;
	unsigned reserved = config->clients_max * CONTROL_CLIENTS_RESERVED / CONTROL_CLIENTS_MAX;
	unsigned most = config->clients_max;
	int r;

	if (peer->uid != 0 && of_uid->clients >= config->clients_per_uid)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "uid %u has %u connections already: close one first", peer->uid,
				 of_uid->clients);
	r = config->identify(peer, config->userdata, ret_tenant, err);
	if (r < 0)
		return r;
	if (*ret_tenant != NULL)
		most -= reserved;
	else if (peer->uid == 0)
		most += CONTROL_CLIENTS_ROOT;
	if (control->client_count >= most)
		return error_set(err, ERROR_TOO_MANY, 0,
				 "there are %zu connections already: try again later",
				 control->client_count);
	return 0;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct client *client = userdata;
	(void)source, (void)fd;

	if ((revents & (EPOLLHUP | EPOLLERR)) != 0)
		client->hung_up = true;
	control_turn(client, (revents & EPOLLIN) != 0, (revents & EPOLLOUT) != 0);
	return 0;
}

/* fd is taken over on success. */
static int add_client(struct control *control, int fd, const struct peer *peer,
		      struct control_uid *of_uid, const char *tenant, struct error *err)
{
	struct client *client = malloc(sizeof(*client));
	int r;

	if (client == NULL)
		return error_no_memory(err);
	*client = (struct client){
		.refs = 1,
		.control = control,
		.fd = -1,
		.pid = peer->pid,
		.uid = peer->uid,
		.of_uid = of_uid,
		.interest = EPOLLIN,
	};
	if (tenant != NULL) {
		client->tenant = strdup(tenant);
		if (client->tenant == NULL) {
			client_unref(client);
			return error_no_memory(err);
		}
	}
	r = sd_event_add_io(control->event, &client->source, fd, EPOLLIN, on_client, client);
	if (r < 0) {
		client_unref(client);
		return error_set(err, ERROR_SYSTEM, -r, "watch a client");
	}
	client->fd = fd;
	client->next = control->clients;
	if (client->next != NULL)
		client->next->previous = client;
	control->clients = client;
	control->client_count++;
	of_uid->clients++;
	return 0;
}

static void send_refusal(int fd, const struct error *error)
{
	_cleanup_bytes_ struct bytes line = { 0 };
	struct error err;

	if (rpc_write_error(&line, NULL, RPC_OK, error, &err) < 0 ||
	    bytes_append(&line, "\n", 1, &err) < 0)
		return;
	/* a new socket has room for it, and who does not want to hear it need not */
	(void)send(fd, bytes_front(&line), line.length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_in(struct control *control, int connection)
{
	_cleanup_foreign_socket_ int fd = connection;
	_cleanup_free_ gid_t *groups = NULL;
	struct control_uid *of_uid;
	const char *tenant = NULL;
	struct peer peer = { .pid = -1, .uid = (uid_t)-1 };
	struct error err;
	int r = read_peer(fd, &peer, &groups, &err);

	if (r >= 0) {
		of_uid = find_uid(control, peer.uid);
		r = of_uid != NULL ? admit(control, &peer, of_uid, &tenant, &err)
				   : error_no_memory(&err);
		if (r >= 0)
			r = add_client(control, fd, &peer, of_uid, tenant, &err);
	}
	if (r >= 0) {
		(void)TAKE_FD(fd);
		return;
	}
	send_refusal(fd, &err);
	if (control->config.log != NULL)
		log_message(control->config.log, LOG_LEVEL_DEBUG, NULL,
			    "control: uid %u (pid %d) is refused: %s", peer.uid, (int)peer.pid,
			    err.text);
}

/* --- the listening socket ---------------------------------------------------------------------*/

/* No descriptor left: the one who knocks stays at the door, and the loop would be woken for it
 * without end. */
static void pause_accepting(struct control *control, int error)
{
	(void)sd_event_source_set_enabled(control->listen_source, SD_EVENT_OFF);
	if (!control->accept_paused && control->config.log != NULL)
		log_message(control->config.log, LOG_LEVEL_WARNING, NULL,
			    "control: no connection can be taken for now: %s", strerror(error));
	control->accept_paused = true;
	control->accept_again_usec = clock_monotonic_usec() + ACCEPT_PAUSE_USEC;
	control_wake_at(control, control->accept_again_usec);
}

void control_accept_again(struct control *control, uint64_t now)
{
	if (control->accept_again_usec == 0)
		return;
	if (control->accept_again_usec > now) {
		control_wake_at(control, control->accept_again_usec);
		return;
	}
	control->accept_again_usec = 0;
	(void)sd_event_source_set_enabled(control->listen_source, SD_EVENT_ON);
}

static bool is_passing(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPERM || error == EPROTO;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control *control = userdata;
	(void)source, (void)revents;

	for (int i = 0; i < TURN_ACCEPTS; i++) {
		int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (connection >= 0) {
			control->accept_paused = false;
			take_in(control, connection);
		} else if (errno == EAGAIN) {
			break;
		} else if (!is_passing(errno)) {
			pause_accepting(control, errno);
			break;
		}
	}
	return 0;
}

/* A socket that nobody listens at is a leftover of one that was killed. */
static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	_cleanup_close_ int probe = -1;
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : error_set(err, ERROR_SYSTEM, errno, "%s", address->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERROR_CONFLICT, 0,
				 "%s: there is something that is no socket: move it away",
				 address->sun_path);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socket");
	/* EAGAIN: someone listens, with a full queue */
	if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EAGAIN)
		return error_set(err, ERROR_CONFLICT, 0,
				 "%s: another one listens there: stop it first", address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return error_set(err, ERROR_SYSTEM, errno, "remove %s", address->sun_path);
	return 0;
}

static int bind_path(struct control *control, const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ERROR_INVALID, 0, "%s: a socket's path has at most %zu bytes",
				 path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = remove_stale(&address, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "socket");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "bind %s", path);
	control->bound_path = strdup(path);
	if (control->bound_path == NULL) {
		(void)unlink(path);
		return error_no_memory(err);
	}
	/* before it listens: nobody is turned away by the mode that it had at first */
	if (chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "listen at %s", path);
	control->listen_fd = TAKE_FD(fd);
	return 0;
}

int control_listen(struct control *control, const struct control_config *config, struct error *err)
{
	int fd = config->listen_fd, r;

	if (fd < 0) {
		r = bind_path(control, config->path, err);
		if (r < 0)
			return r;
		fd = control->listen_fd;
	} else if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
		   fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		return error_set(err, ERROR_SYSTEM, errno, "the listening socket");
	}
	r = sd_event_add_io(control->event, &control->listen_source, fd, EPOLLIN, on_connection,
			    control);
	if (r < 0)
		return error_set(err, ERROR_SYSTEM, -r, "watch the listening socket");
	control->listen_fd = fd;
	return 0;
}
