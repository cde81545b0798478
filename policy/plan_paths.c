/* SPDX-License-Identifier: MIT */
/* Which paths of the host a sandbox sees, and which it must never see as a whole: two tables. */
#include "policy/own.h"
#include "policy/path.h"
#include "policy/plan_build.h"

#include <string.h>

const char *const plan_system_paths[] = {
	"/usr",
	"/bin",
	"/sbin",
	"/lib",
	"/lib32",
	"/lib64",
	"/libx32",
	/* the dynamic linker */
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/alternatives",
	/* names of hosts and services; hosts and nsswitch.conf are made up */
	"/etc/gai.conf",
	"/etc/host.conf",
	"/etc/networks",
	"/etc/protocols",
	"/etc/resolv.conf",
	"/etc/services",
	/* certificates: never the whole of /etc/ssl or /etc/pki, which hold private keys as well */
	"/etc/ca-certificates/extracted",
	"/etc/crypto-policies",
	"/etc/pki/ca-trust/extracted",
	"/etc/pki/tls/cert.pem",
	"/etc/pki/tls/certs",
	"/etc/pki/tls/openssl.cnf",
	"/etc/ssl/cert.pem",
	"/etc/ssl/certs",
	"/etc/ssl/openssl.cnf",
	/* place and time */
	"/etc/locale.alias",
	"/etc/locale.conf",
	"/etc/localtime",
	"/etc/timezone",
	/* what this system is */
	"/etc/debian_version",
	"/etc/os-release",
	/* libraries */
	"/etc/fonts",
	"/etc/magic",
	"/etc/magic.mime",
	"/etc/mime.types",
	"/etc/python3",
	"/etc/python3.9",
	"/etc/python3.10",
	"/etc/python3.11",
	"/etc/python3.12",
	"/etc/python3.13",
	"/etc/python3.14",
	"/etc/python3.15",
	NULL,
};
