/* SPDX-License-Identifier: MIT */
#include "supervisor/egress.h"

#include "policy/egress_program.h"
#include "policy/own.h"
#include "supervisor/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESOLV_CONF	"/etc/resolv.conf"
#define PROGRAM_NAME	"pysbx_egress" /* by it ours is known; BPF_OBJ_NAME_LEN is 16 */
#define PROGRAMS_ON_ONE 64	       /* BPF_CGROUP_MAX_PROGS */

static const struct hook {
	const char *name; /* in messages */
	enum egress_source source;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
} hooks[] = {
	{ "connect over IPv4", EGRESS_FROM_SOCKET4, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  BPF_CGROUP_INET4_CONNECT },
	{ "connect over IPv6", EGRESS_FROM_SOCKET6, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  BPF_CGROUP_INET6_CONNECT },
	{ "sendmsg over IPv4", EGRESS_FROM_SOCKET4, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  BPF_CGROUP_UDP4_SENDMSG },
	{ "sendmsg over IPv6", EGRESS_FROM_SOCKET6, BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  BPF_CGROUP_UDP6_SENDMSG },
	{ "packets", EGRESS_FROM_PACKET, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS },
};

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* --- what is there -------------------------------------------------------------------------- */

static bool is_ours(int program)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)program;
	attr.info.info_len = sizeof(info);
	attr.info.info = address_of(&info);
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strcmp(info.name, PROGRAM_NAME) == 0;
}

static int open_program(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };

	return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

/* The program of ours that is attached already; *ret is -1 if there is none. */
static int find_attached(int cgroup_fd, const struct hook *hook, int *ret, struct error *err)
{
	uint32_t ids[PROGRAMS_ON_ONE] = { 0 };
	union bpf_attr attr = { 0 };

	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = hook->attach;
	attr.query.prog_ids = address_of(ids);
	attr.query.prog_cnt = ARRAY_SIZE(ids);
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "ask for what is attached");
	for (size_t i = 0; i < attr.query.prog_cnt && i < ARRAY_SIZE(ids); i++) {
		_cleanup_close_ int program = open_program(ids[i]);

		if (program >= 0 && is_ours(program)) {
			*ret = TAKE_FD(program);
			return 0;
		}
	}
	*ret = -1;
	return 0;
}

/* --- what is to be there -------------------------------------------------------------------- */

static int load(const struct hook *hook, const struct egress_rules *rules, int *ret,
		struct error *err)
{
	struct egress_program program;
	union bpf_attr attr = { 0 };
	int fd;

	egress_program_assemble(rules, hook->source, &program);
	attr.prog_type = hook->type;
	attr.expected_attach_type = hook->attach;
	attr.insns = address_of(program.instructions);
	attr.insn_cnt = (uint32_t)program.count;
	attr.license = address_of("MIT");
	memcpy(attr.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return error_set(err, ERROR_SYSTEM, errno, "load the program");
	*ret = fd;
	return 0;
}

/* With BPF_F_REPLACE (Linux 5.6) there is no moment without either. */
static int attach(int cgroup_fd, const struct hook *hook, int program, int replaced,
		  struct error *err)
{
	union bpf_attr attr = { 0 };

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = hook->attach;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (replaced >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replaced;
	}
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "attach the program");
	return 0;
}

static int detach(int cgroup_fd, const struct hook *hook, int program, struct error *err)
{
	union bpf_attr attr = { 0 };

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = hook->attach;
	if (bpf(BPF_PROG_DETACH, &attr) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "detach the program");
	return 0;
}

static int put(int cgroup_fd, const struct hook *hook, const struct egress_rules *rules,
	       struct error *err)
{
	_cleanup_close_ int attached = -1, program = -1;
	int r;

	r = find_attached(cgroup_fd, hook, &attached, err);
	if (r >= 0)
		r = load(hook, rules, &program, err);
	return r < 0 ? r : attach(cgroup_fd, hook, program, attached, err);
}

static int lift(int cgroup_fd, const struct hook *hook, struct error *err)
{
	_cleanup_close_ int attached = -1;
	struct error ignored;

	/* a kernel that can't be asked has taken none either */
	if (find_attached(cgroup_fd, hook, &attached, &ignored) < 0 || attached < 0)
		return 0;
	return detach(cgroup_fd, hook, attached, err);
}

static int explain(const struct hook *hook, const char *field, int r, struct error *err)
{
	if (r == -EINVAL || r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP) {
		err->kind = ERROR_UNSUPPORTED;
		error_prefix(
			err,
			"%s: %s: not possible here: it needs Linux 5.6 with CONFIG_CGROUP_BPF, and "
			"CAP_SYS_ADMIN and CAP_NET_ADMIN for pysbx; leave it out to run without",
			field, hook->name);
	} else {
		error_prefix(err, "%s: %s", field, hook->name);
	}
	error_set_path(err, "%s", field);
	return r;
}

/* rules NULL: none are to be there. field: who wants it, for messages. */
static int apply(int cgroup_fd, const struct egress_rules *rules, const char *field,
		 struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		int r = rules != NULL ? put(cgroup_fd, &hooks[i], rules, err)
				      : lift(cgroup_fd, &hooks[i], err);

		if (r < 0)
			return explain(&hooks[i], field, r, err);
	}
	return 0;
}

/* A host without the file has one name server, itself: resolv.conf(5). */
static void add_nameservers(struct egress_rules *rules)
{
	char text[FILE_KERNEL_MAX];
	struct error ignored;

	if (file_read_at(AT_FDCWD, RESOLV_CONF, text, sizeof(text), &ignored) < 0)
		text[0] = '\0';
	egress_add_nameservers(text, rules);
}

int egress_apply(int cgroup_fd, const struct strings *list, struct error *err)
{
	struct egress_rules rules;
	int r;

	r = egress_rules_from_list(list, &rules, err);
	if (r < 0)
		return r;
	if (rules.dns)
		add_nameservers(&rules);
	return apply(cgroup_fd, list->count > 0 ? &rules : NULL, "isolation.egress", err);
}

int egress_close(int cgroup_fd, const char *field, struct error *err)
{
	static const struct egress_rules nothing;

	return apply(cgroup_fd, &nothing, field, err);
}
