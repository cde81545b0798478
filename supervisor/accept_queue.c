/* SPDX-License-Identifier: MIT */
#include "supervisor/accept_queue.h"

#include "policy/own.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_BYTES 32768
#define ANSWERS_MAX  64 /* of one question */
/* Linux 5.9; in the headers of no distribution that is older than the kernel it runs */
#define CGROUP_ID_ATTRIBUTE INET_DIAG_CGROUP_ID

static int ask(int fd, unsigned char family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = family,
			     .sdiag_protocol = IPPROTO_TCP,
			     .idiag_states = 1U << TCP_LISTEN },
	};

	return send(fd, &message, sizeof(message), MSG_NOSIGNAL) == (ssize_t)sizeof(message)
		       ? 0
		       : -errno;
}

/* 0 where the kernel does not tell. */
static uint64_t cgroup_of(const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);
	const struct rtattr *attribute = (const void *)(socket + 1);
	size_t left = NLMSG_PAYLOAD(header, sizeof(*socket));
	uint64_t id = 0;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == CGROUP_ID_ATTRIBUTE &&
		    RTA_PAYLOAD(attribute) >= sizeof(id))
			memcpy(&id, RTA_DATA(attribute), sizeof(id));
	return id;
}

static void add(struct accept_queue *queue, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(header);

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*socket)) || queue->count == ACCEPT_QUEUE_MAX)
		return;
	if (queue->count == queue->allocated) {
		size_t wanted = queue->allocated == 0 ? 16 : queue->allocated * 2;
		struct accept_queue_entry *larger =
			reallocarray(queue->entries, wanted, sizeof(*larger));

		if (larger == NULL)
			return;
		queue->entries = larger;
		queue->allocated = wanted;
	}
	/* of one that listens: how many wait, and for how many there is room */
	queue->entries[queue->count++] =
		(struct accept_queue_entry){ cgroup_of(header), socket->idiag_rqueue,
					     socket->idiag_wqueue };
}

/* A dump is made as it is read, so nothing is waited for. False: that was all, or went wrong. */
static bool take_answer(struct accept_queue *queue)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	char buffer[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (const void *)buffer;
	struct sockaddr_nl from = kernel;
	socklen_t size = sizeof(from);
	ssize_t length = recvfrom(queue->fd, buffer, sizeof(buffer), MSG_DONTWAIT,
				  (struct sockaddr *)&from, &size);

	if (length <= 0 || from.nl_pid != 0)
		return false;
	for (size_t left = (size_t)length; NLMSG_OK(header, left);
	     header = NLMSG_NEXT(header, left)) {
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			return false;
		if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			add(queue, header);
	}
	return true;
}

static void read_all(struct accept_queue *queue)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };

	queue->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (ask(queue->fd, families[i]) < 0)
			continue;
		for (unsigned answers = 0; answers < ANSWERS_MAX && take_answer(queue); answers++)
			;
	}
}

void accept_queue_count(struct accept_queue *queue, uint64_t cgroup, uint64_t now_usec,
			uint64_t *ret_waiting, uint64_t *ret_room)
{
	*ret_waiting = *ret_room = 0;
	if (!queue->is_open && !queue->refused) {
		queue->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		queue->is_open = queue->fd >= 0;
		queue->refused = !queue->is_open;
	}
	if (queue->refused || cgroup == 0)
		return;
	if (queue->read_usec == 0 || now_usec >= queue->read_usec + ACCEPT_QUEUE_AGE_USEC) {
		read_all(queue);
		queue->read_usec = now_usec;
	}
	for (size_t i = 0; i < queue->count; i++) {
		if (queue->entries[i].cgroup != cgroup)
			continue;
		*ret_waiting += queue->entries[i].waiting;
		*ret_room += queue->entries[i].room;
	}
}

void accept_queue_clear(struct accept_queue *queue)
{
	if (queue->is_open)
		close_and_clear(&queue->fd);
	free(queue->entries);
	*queue = (struct accept_queue){ 0 };
}
