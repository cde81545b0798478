# SPDX-License-Identifier: MIT
#
# One Makefile for the whole tree. `make help` lists the targets.
#
# Objects live in build/; build/asan and build/fuzz hold the same tree under other flags. A stamp
# per variant and compiler rebuilds everything when that or its flags change.

VERSION := 0.1.0

prefix ?= /usr
sysconfdir ?= /etc
bindir := $(prefix)/bin
sbindir := $(prefix)/sbin
libexecdir := $(prefix)/libexec/pysbx
datadir := $(prefix)/share/pysbx
mandir := $(prefix)/share/man
docdir := $(prefix)/share/doc/pysbx
unitdir := $(prefix)/lib/systemd/system
catalogdir := $(prefix)/lib/systemd/catalog
testsdir := $(prefix)/lib/pysbx/tests

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
# gcc with musl in place of glibc: for the programs whose start somebody waits for
MUSL_CC ?= musl-gcc
PKG_CONFIG ?= pkg-config
GUEST ?= bookworm
FUZZ_SECONDS ?= 20
T ?=

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

# --- flags --------------------------------------------------------------------------------------

# Each flag is tried on its own: compilers differ (clang 14 refuses some that gcc 12 takes).
probe_with = $(shell printf 'int main(void){return 0;}' | $(1) -Werror $(2) -x c -o /dev/null - 2>/dev/null && printf '%s' '$(2)')
probe = $(call probe_with,$(CC),$(1))

comma := ,
# Too long a text is cut by contract (policy/error.h), so the warning about it says nothing here.
WARNINGS := $(call probe,-Wno-format-truncation) -Wall -Wextra -Wformat=2 -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wundef -Wvla -Wwrite-strings -Wimplicit-fallthrough -Wnull-dereference
hardening = $(foreach flag,-fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-ftrivial-auto-var-init=zero,$(call probe_with,$(1),$(flag))) -fno-strict-overflow
HARDENING := $(call hardening,$(CC))
LINK_HARDENING := $(call probe,-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now)
# _FORTIFY_SOURCE only where nobody has chosen a level, and not without optimisation
FORTIFY = $(if $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,$(if $(findstring -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))

CFLAGS ?= -O2 -g
WERROR := $(if $(CI),-Werror)

BASE_CPPFLAGS = -I. -D_GNU_SOURCE -DPYSBX_VERSION='"$(VERSION)"' \
	-DPYSBX_LIBEXECDIR='"$(libexecdir)"' -DPYSBX_DATADIR='"$(datadir)"' \
	-DPYSBX_SYSCONFDIR='"$(sysconfdir)/pysbx"'
BASE_CFLAGS = -std=gnu17 $(WARNINGS) $(WERROR) -fno-common
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags libsystemd libseccomp libcap jansson 2>/dev/null)
POLICY_LIBS := $(shell $(PKG_CONFIG) --libs jansson 2>/dev/null || printf %s -ljansson)
SUPERVISOR_LIBS := $(shell $(PKG_CONFIG) --libs libsystemd libseccomp libcap jansson 2>/dev/null || printf %s '-lsystemd -lseccomp -lcap -ljansson')
# `pysbx top` alone
SCREEN_LIBS := $(shell $(PKG_CONFIG) --libs ncursesw 2>/dev/null || printf %s '-lncursesw -ltinfo')
STACKS_LIBS := -lcap -ljansson
CRITERION_LIBS := -lcriterion

COMPILE = $(CC) $(BASE_CPPFLAGS) $(BASE_CFLAGS) $(HARDENING) $(LIB_CFLAGS) $(FORTIFY) $(SANITIZE) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(BASE_CFLAGS) $(HARDENING) $(SANITIZE) $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS)

# Debian has no library of ours for musl, which has no _FORTIFY_SOURCE, and macros that convert
# between signs. The kernel's headers lie among glibc's; a folder of links has them without those.
MUSL_HARDENING := $(call hardening,$(MUSL_CC))
MUSL_COMPILE = $(MUSL_CC) -isystem $(B)/musl/include $(BASE_CPPFLAGS) $(BASE_CFLAGS) \
	-Wno-format-truncation -Wno-conversion $(MUSL_HARDENING) -fno-pie $(CPPFLAGS) $(CFLAGS)
MUSL_LINK = $(MUSL_CC) -static $(MUSL_HARDENING) $(LINK_HARDENING) $(CFLAGS) $(LDFLAGS)

# --- what is built ------------------------------------------------------------------------------

# VARIANT is empty, asan or fuzz: the sub-make of `make asan` and `make fuzz` sets it.
VARIANT ?=
B := build$(if $(VARIANT),/$(VARIANT))

# Programs are the files named pysbx*.c in a room; everything else of the room is its library.
POLICY_SRC := $(wildcard policy/*.c)
SANDBOX_MAIN := sandbox/pysbx-launch.c
SANDBOX_SRC := $(filter-out $(SANDBOX_MAIN),$(wildcard sandbox/*.c))
SUPERVISOR_MAINS := $(wildcard supervisor/pysbx*.c)
SUPERVISOR_SRC := $(filter-out $(SUPERVISOR_MAINS),$(wildcard supervisor/*.c))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
# Objects of static programs have folders of their own, since there is no PIE there: one for those
# with musl, one for those that need a library and so glibc.
musl_obj = $(patsubst %.c,$(B)/musl/%.o,$(1))
static_obj = $(patsubst %.c,$(B)/static/%.o,$(1))

# The sandbox's unit tests drive the real launcher, which is static and has no sanitizer in it; so do
# those of the supervisor with pysbx-stacks and pysbx-anchor.
LAUNCHER := build/pysbx-launch build/pysbx-stacks build/pysbx-anchor
PROGRAMS := $(B)/pysbx $(B)/pysbxd $(B)/pysbx-anchor $(B)/pysbx-launch $(B)/pysbx-stacks
UNIT_TESTS := $(B)/tests/unit-policy $(B)/tests/unit-sandbox $(B)/tests/unit-supervisor
SYSTEM_PARTS := alone daemon hosted survives returns endures escape neighbours stacks recorder \
	tripwires pressure health deaths leaks ends hangs
SYSTEM_TESTS := $(B)/tests/system $(addprefix $(B)/tests/system-,$(SYSTEM_PARTS))
ATTEMPT := $(B)/tests/attempt
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(FUZZ_SRC))

.SECONDEXPANSION:
.DEFAULT_GOAL := all
.PHONY: all tests check check-unit check-host asan fuzz bench bench-host soak lint format install install-tests \
	clean deps demo guest-image guest-shell guest-push help FORCE
.DELETE_ON_ERROR:

all: $(PROGRAMS)
tests: $(UNIT_TESTS) $(SYSTEM_TESTS) $(ATTEMPT)

help:
	@awk '/^## /{sub(/^## /,""); print}' $(MAKEFILE_LIST)

define stamp
	@mkdir -p $(@D)
	@printf '%s\n' "$$($(1) --version | head -n1) $(subst ",\",$(2)) $(3)" >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef
$(B)/flags: FORCE
	$(call stamp,$(CC),$(COMPILE),$(LINK))
$(B)/musl/flags: FORCE
	$(call stamp,$(MUSL_CC),$(MUSL_COMPILE),$(MUSL_LINK))
FORCE:

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fPIE -MMD -MP -c -o $@ $<

$(B)/static/%.o: %.c $(B)/flags
	$(call say,CC,$< (static))
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -fno-pie -MMD -MP -c -o $@ $<

$(B)/musl/%.o: %.c $(B)/musl/flags | $(B)/musl/include/linux
	$(call say,CC,$< (musl))
	@mkdir -p $(@D)
	$(Q)$(MUSL_COMPILE) -MMD -MP -c -o $@ $<

$(B)/musl/include/linux:
	@mkdir -p $(@D)
	$(Q)ln -sfn /usr/include/$(shell $(MUSL_CC) -print-multiarch)/asm $(@D)/asm
	$(Q)ln -sfn /usr/include/asm-generic $(@D)/asm-generic
	$(Q)ln -sfn /usr/include/linux $@

# One archive a room: a program takes of it what it needs.
POLICY_LIB := $(B)/libpolicy.a
SUPERVISOR_LIB := $(B)/libsupervisor.a
SANDBOX_LIB := $(B)/libsandbox.a
STATIC_POLICY_LIB := $(B)/static/libpolicy.a

$(POLICY_LIB): $(call obj,$(POLICY_SRC))
$(SUPERVISOR_LIB): $(call obj,$(SUPERVISOR_SRC))
$(SANDBOX_LIB): $(call obj,$(SANDBOX_SRC))
$(STATIC_POLICY_LIB): $(call static_obj,$(POLICY_SRC))
%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/pysbx: $(call obj,supervisor/pysbx.c) $(SUPERVISOR_LIB) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -pie -o $@ $^ $(SUPERVISOR_LIBS) $(SCREEN_LIBS) $(LDLIBS)

$(B)/pysbxd: $(call obj,supervisor/pysbxd.c) $(SUPERVISOR_LIB) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -pie -o $@ $^ $(SUPERVISOR_LIBS) $(LDLIBS)

# Static, and with musl: an app is started by them, and what they do themselves takes no longer than
# glibc's start. What they have of policy/ is listed, as not all of that is for musl (jansson).
LAUNCH_POLICY := $(addprefix policy/,bpf.c bytes.c denial.c error.c escape.c filter_door.c launch_message.c \
	nearest.c path.c phrase.c place.c plan.c plan_wire.c quote.c rate.c shebang.c strings.c)
$(B)/pysbx-launch: $(call musl_obj,$(SANDBOX_MAIN) $(SANDBOX_SRC) $(LAUNCH_POLICY))
	$(call say,LINK,$@ (musl))
	$(Q)$(MUSL_LINK) -o $@ $^ $(LDLIBS)

ANCHOR_SRC := $(addprefix supervisor/,pysbx-anchor.c cgroup.c file.c pidfd.c release.c)
ANCHOR_POLICY := $(addprefix policy/,error.c escape.c keyed.c quantity.c quote.c stall.c tripwire.c)
$(B)/pysbx-anchor: $(call musl_obj,$(ANCHOR_SRC) $(ANCHOR_POLICY))
	$(call say,LINK,$@ (musl))
	$(Q)$(MUSL_LINK) -o $@ $^ $(LDLIBS)

# Static too, as it is started while an app stands still; with glibc, for its libraries.
STACKS_SRC := $(wildcard supervisor/stacks_*.c) $(addprefix supervisor/,cgroup.c file.c pidfd.c)
$(B)/pysbx-stacks: $(call static_obj,supervisor/pysbx-stacks.c $(STACKS_SRC)) $(STATIC_POLICY_LIB)
	$(call say,LINK,$@ (static))
	$(Q)$(LINK) -static -o $@ $^ $(STACKS_LIBS) $(LDLIBS)

link_test = $(Q)mkdir -p $(@D) && $(LINK) -pie -o $@ $^ $(1) $(CRITERION_LIBS) $(LDLIBS)

$(B)/tests/unit-policy: $(call obj,$(wildcard tests/policy/*.c)) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(call link_test,$(POLICY_LIBS))

$(B)/tests/unit-sandbox: $(call obj,$(wildcard tests/sandbox/*.c)) $(SANDBOX_LIB) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(call link_test,$(POLICY_LIBS))

$(B)/tests/unit-supervisor: $(call obj,$(wildcard tests/supervisor/*.c)) $(SUPERVISOR_LIB) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(call link_test,$(SUPERVISOR_LIBS) $(SCREEN_LIBS))

# Of tests/system two run at a time, those in its folders one by one: alone/ measures,
# escape/ compares the machine with how it was, the others share the one daemon that a machine has.
$(B)/tests/system: $(call obj,$(wildcard tests/system/*.c)) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(call link_test,$(POLICY_LIBS))

$(B)/tests/system-%: $$(call obj,$$(wildcard tests/system/$$*/*.c tests/system/harness*.c)) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(call link_test,$(POLICY_LIBS))

# What tests/system/escape lets a worker try: static, so that it runs in any sandbox.
$(ATTEMPT): $(call static_obj,$(wildcard tests/system/attempts/*.c))
	$(call say,LINK,$@ (static))
	$(Q)mkdir -p $(@D) && $(LINK) -static -o $@ $^ $(LDLIBS)

$(B)/tests/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(SUPERVISOR_LIB) $(POLICY_LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(SUPERVISOR_LIBS) $(SCREEN_LIBS) $(LDLIBS)

-include $(shell find $(B)/obj $(B)/static $(B)/musl -name '*.d' 2>/dev/null)

# --- targets ------------------------------------------------------------------------------------

## make              build pysbx, pysbx-anchor and pysbx-launch into build/
## make deps         install with apt-get what a fresh Debian 12 or 13 lacks for all targets
deps:
	packaging/deps

## make install      install below DESTDIR and prefix
install: all
	install -D -m 755 $(B)/pysbx $(DESTDIR)$(bindir)/pysbx
	install -D -m 755 $(B)/pysbxd $(DESTDIR)$(sbindir)/pysbxd
	install -D -m 755 $(B)/pysbx-launch $(DESTDIR)$(libexecdir)/pysbx-launch
	install -D -m 755 $(B)/pysbx-anchor $(DESTDIR)$(libexecdir)/pysbx-anchor
	install -D -m 755 $(B)/pysbx-stacks $(DESTDIR)$(libexecdir)/pysbx-stacks
	install -D -m 644 -t $(DESTDIR)$(datadir)/profiles packaging/profiles/*.json
	install -D -m 644 -t $(DESTDIR)$(datadir) packaging/incident.schema.json
	install -D -m 644 -t $(DESTDIR)$(unitdir) packaging/systemd/*.slice packaging/systemd/*.service packaging/systemd/*.socket
	install -D -m 644 -t $(DESTDIR)$(prefix)/lib/sysusers.d packaging/sysusers.d/*.conf
	install -d -m 755 $(addprefix $(DESTDIR)$(sysconfdir)/pysbx/,apps.d plans.d tenants.d syscalls.d)
	install -D -m 644 -t $(DESTDIR)$(catalogdir) packaging/catalog/*.catalog
	for page in man/*.[1-8]; do \
		install -D -m 644 -t "$(DESTDIR)$(mandir)/man$${page##*.}" "$$page" || exit; \
	done
	install -D -m 644 -t $(DESTDIR)$(datadir)/panel packaging/panel/README.md packaging/panel/*/[Pp]ysbx*
	install -D -m 755 -t $(DESTDIR)$(datadir)/panel packaging/panel/*/create*
	install -D -m 644 -t $(DESTDIR)$(datadir)/python packaging/python/README.md packaging/python/*.py packaging/python/*.toml
	install -D -m 644 packaging/completion/pysbx.bash $(DESTDIR)$(prefix)/share/bash-completion/completions/pysbx
	install -D -m 644 packaging/completion/pysbx.zsh $(DESTDIR)$(prefix)/share/zsh/vendor-completions/_pysbx
	install -D -m 644 packaging/completion/pysbx.fish $(DESTDIR)$(prefix)/share/fish/vendor_completions.d/pysbx.fish
	install -D -m 644 -t $(DESTDIR)$(docdir) README.md HACKING.md LICENSE

# The stage is what a guest gets: an installed pysbx, the tests and their fixtures.
STAGE := build/stage
install-tests: tests
	install -D -m 755 -t $(DESTDIR)$(testsdir) $(SYSTEM_TESTS) $(ATTEMPT) $(UNIT_TESTS) tests/run-suite tests/summary
	cp -r --no-preserve=ownership tests/system/apps tests/stacks $(DESTDIR)$(testsdir)/

.PHONY: stage
stage: all tests
	rm -rf $(STAGE)
	$(Q)$(MAKE) --no-print-directory install install-tests DESTDIR=$(CURDIR)/$(STAGE) prefix=/usr >build/stage.log

## make check        unit tests here, system tests in a guest; T=pattern for some, GUEST=trixie
check: all tests stage
	tests/check $(if $(T),--filter '$(T)') --guest $(GUEST) $(STAGE) $(UNIT_TESTS)

## make check-unit   the unit tests alone
check-unit: $(UNIT_TESTS) $(if $(VARIANT),,$(LAUNCHER))
	tests/run-suite $(if $(T),--filter '$(T)') $(UNIT_TESTS)

## make check-host   the system tests on this very machine (as root; needs cgroup v2, systemd and an
##                   installed pysbx: `make install` first, and the servers that the tests run)
check-host: all tests stage
	tests/check $(if $(T),--filter '$(T)') --host $(STAGE) $(UNIT_TESTS)

## make deaths-table the fault matrix, played in a guest, into HACKING.md
.PHONY: deaths-table
deaths-table: all tests stage
	tests/deaths-table --write HACKING.md $(GUEST) $(STAGE)

## make asan         the unit tests under address and undefined-behaviour sanitizers
asan: $(LAUNCHER)
	$(Q)LSAN_OPTIONS=suppressions=$(CURDIR)/tests/lsan.supp:print_suppressions=0 $(MAKE) --no-print-directory VARIANT=asan CFLAGS='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' check-unit

## make fuzz         each fuzz target for FUZZ_SECONDS (clang's libFuzzer)
fuzz:
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz CC=$(CLANG) CFLAGS='-O1 -g' \
		SANITIZE='-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all' fuzz-run
.PHONY: fuzz-run
fuzz-run: $(FUZZERS)
	tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS)

## make bench        measure, side by side with the peers; T=starts, daemon, doors, floods or overhead for
##                   a part
BENCH_PROGRAMS := $(B)/bench/bench-worker $(B)/bench/rpc-probe
bench: all $(BENCH_PROGRAMS) $(ATTEMPT) $(B)/tests/system-neighbours
	tests/bench/run $(B) $(T)

## make bench-host   pysbxd next to supervisord on this machine, as root; PYSBX_BENCH_APPS, T=kills ...;
##                   T=starts, T=filter, T=overhead, T="floods lines ..." (PYSBX_BENCH_ROUNDS); T=stacks
##                   times the reading of stacks
bench-host: all $(BENCH_PROGRAMS) $(ATTEMPT) $(B)/bench/stacks-probe
ifeq ($(T),stacks)
	tests/bench/stacks $(B)
else
	PYSBX_BENCH_KILLS=200 tests/bench/host $(B) $(or $(PYSBX_BENCH_APPS),1000) $(T)
endif

## make soak         the long proofs of the daemon (an hour); T=crashes, stopped, hangs or busy for a
##                   part, SOAK_DEATHS=10000, SOAK_MINUTES=10
SOAK_PROGRAMS := $(B)/soak/soak-worker $(BENCH_PROGRAMS)
soak: all $(SOAK_PROGRAMS)
	tests/soak/run $(B) $(T)

$(B)/soak/soak-worker: $(call static_obj,tests/soak/soak_worker.c)
	$(call say,LINK,$@ (static))
	$(Q)mkdir -p $(@D) && $(LINK) -static -o $@ $^ $(LDLIBS)

# With musl: it tells when it runs, and libc's start would be a part of what is measured.
$(B)/bench/bench-worker: $(call musl_obj,tests/bench/bench_worker.c)
	$(call say,LINK,$@ (musl))
	$(Q)mkdir -p $(@D) && $(MUSL_LINK) -o $@ $^ $(LDLIBS)

$(B)/bench/stacks-probe: $(call static_obj,tests/bench/stacks_probe.c $(STACKS_SRC)) $(STATIC_POLICY_LIB)
	$(call say,LINK,$@ (static))
	$(Q)mkdir -p $(@D) && $(LINK) -static -o $@ $^ $(STACKS_LIBS) $(LDLIBS)

$(B)/bench/rpc-probe: $(call obj,tests/bench/rpc_probe.c)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(LINK) -pie -o $@ $^ $(LDLIBS)

## make lint         formatter's diff, clang-tidy, shellcheck, man pages; changes nothing
C_FILES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')
SHELL_FILES = $(shell git ls-files -co --exclude-standard | xargs awk 'FNR == 1 && /^\#!\/(usr\/bin\/env |bin\/)(ba)?sh/ { print FILENAME }')
lint:
	$(Q)clang-format --dry-run --Werror $(C_FILES)
	$(Q)printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P "$$(nproc)" -n 4 tests/tidy \
		-std=gnu17 $(BASE_CPPFLAGS) $(LIB_CFLAGS) --
	$(Q)tests/arm64 -std=gnu17 $(BASE_CPPFLAGS) -- $(POLICY_SRC) $(SANDBOX_MAIN) $(SANDBOX_SRC) \
		$(SUPERVISOR_MAINS) $(SUPERVISOR_SRC)
	$(Q)shellcheck $(SHELL_FILES)
	$(Q)mandoc -T lint -W warning man/*.[1-8]

## make format       let clang-format lay out all C files
format:
	clang-format -i $(C_FILES)

## make demo         the main job on real input: install deps, build, run, leak, explain
demo:
	packaging/demo/run

## make guest-image  build the guest image (once; cached)
guest-image:
	tests/guest/image $(GUEST)

## make guest-shell  boot a guest with this build, root shell on this terminal
guest-shell: stage
	tests/guest/shell $(GUEST) $(STAGE)

## make guest-push   push this build into the guest that guest-shell runs
guest-push: stage
	tests/guest/push $(STAGE)

## make clean        remove build/
clean:
	rm -rf build
