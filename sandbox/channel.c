/* SPDX-License-Identifier: MIT */
#include "sandbox/channel.h"

#include "policy/own.h"
#include "policy/plan.h"

#include <string.h>
#include <sys/socket.h>

int channel_send(enum launch_message_type type, struct launch_message *message, const int *fds,
		 size_t count, struct error *err)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec data = { message, sizeof(*message) };
	struct msghdr packet = { .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t sent;

	message->version = LAUNCH_MESSAGE_VERSION;
	message->type = type;
	if (count > 0) {
		struct cmsghdr *rights = &control.header;

		packet.msg_control = &control;
		packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
	}
	do
		sent = sendmsg(LAUNCH_FD_SOCKET, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return error_set(err, ERROR_UNREACHABLE, errno, "send to the supervisor");
	return 0;
}

int channel_receive(struct launch_message *ret)
{
	char packet[sizeof(struct launch_message)];
	struct error ignored;
	ssize_t length;

	length = recv(LAUNCH_FD_SOCKET, packet, sizeof(packet), MSG_DONTWAIT);
	/* a supervisor that left a record of ours unread gives ECONNRESET once, before what it said
	 */
	if (length < 0 && errno == ECONNRESET)
		length = recv(LAUNCH_FD_SOCKET, packet, sizeof(packet), MSG_DONTWAIT);
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ECONNRESET;
	if (length == 0)
		return -ECONNRESET;
	/* The supervisor is trusted, but may be of another version: what it says then is not ours
	 * to guess at. It finds that out from our records. */
	return launch_message_check(packet, (size_t)length, ret, &ignored) < 0 ? 0 : 1;
}
