#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What `run` and `shell` share: the machine. Sourced.
#
# Two disks: the cached image, whose changes go to a temporary file and are forgotten, and the
# staged build as a tar. The first is NVMe, whose driver Debian's cloud kernels have built in, so
# no initrd is needed; the second is virtio, as NVMe disks are numbered in the order of their
# discovery. One virtio-serial port for the agent. No network card: a test has loopback and what it
# makes itself.
#
# PYSBX_GUEST_ACCEL (tcg), PYSBX_GUEST_CPUS (2) and PYSBX_GUEST_MEMORY (2048, in MiB) override.
# Software emulation is the default because it works everywhere; "kvm" is there for who has it. Both
# processors are emulated in one thread: with a thread each ("mttcg"), QEMU 7.2 brings Linux down or
# to a stop once in a while, and two guests beside each other are not sooner done.

guest_say() { printf 'guest: %s\n' "$*" >&2; }
guest_die() {
	guest_say "$*"
	exit 125
}

# The image's kernel command line. "tsc=reliable": QEMU derives all vCPUs' TSCs from one clock, but
# the kernel can't know, and would read each time stamp from an emulated device. How fast they run it
# finds out at boot: see pit=off below. panic=-1 with
# -no-reboot: a panic ends QEMU at once. The mitigations and self-tests only cost emulated time.
guest_cmdline="root=/dev/nvme0n1p1 rw rootwait init=/usr/lib/pysbx-guest/init console=ttyS0 quiet \
psi=1 panic=-1 tsc=reliable nokaslr mitigations=off cryptomgr.notests systemd.show_status=0"

# guest_prepare SUITE STAGE WORK: the image's path in $guest_image, the stage as WORK/stage.tar.
guest_prepare() {
	local here
	here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
	[[ -d $2 ]] || guest_die "no such stage: $2"
	command -v qemu-system-x86_64 >/dev/null ||
		guest_die "qemu-system-x86_64 is not installed: run 'make deps'"
	guest_image=$("$here/image" "$1") || guest_die "there is no image of $1 to boot"
	# A multiple of the disk's block size; tar knows its own end.
	tar --create --file="$3/stage.tar" --directory="$2" --owner=root:0 --group=root:0 \
		--numeric-owner --sort=name --blocking-factor=32 .
}

# guest_machine WORK CMDLINE-WORD...: the arguments for QEMU, in the array $guest_qemu.
guest_machine() {
	local work=$1
	shift
	local accel=${PYSBX_GUEST_ACCEL:-tcg} cpu=max
	case $accel in
		tcg) accel=tcg,thread=single ;;
		mttcg) accel=tcg,thread=multi ;;
		kvm) cpu=host ;;
	esac
	# pit=off: Linux would believe the PIT more than the HPET, and where the host is busy the former
	# is wrong: 335 MHz for 2596, and with that a guest whose seconds took an eighth of one, so that
	# every wait in it was over too soon.
	# shellcheck disable=SC2034,SC2054 # used by the sourcing script; the commas are QEMU's
	guest_qemu=(
		qemu-system-x86_64 -name pysbx-guest -no-user-config -nodefaults -display none
		-machine q35,pit=off -accel "$accel" -cpu "$cpu" -no-reboot
		-smp "${PYSBX_GUEST_CPUS:-2}" -m "${PYSBX_GUEST_MEMORY:-2048}M"
		-kernel "$guest_image/vmlinuz" -append "$guest_cmdline $*"
		-drive "if=none,id=root,format=raw,snapshot=on,file=$guest_image/root.img"
		-drive "if=none,id=stage,format=raw,readonly=on,file=$work/stage.tar"
		-device nvme,serial=pysbx,drive=root -device virtio-blk-pci,drive=stage
		-device virtio-rng-pci -device virtio-serial-pci
		-chardev "socket,id=agent,path=$work/agent.sock,server=on,wait=off"
		-device virtserialport,chardev=agent,name=pysbx.agent
		-chardev "socket,id=monitor,path=$work/monitor.sock,server=on,wait=off"
		-mon chardev=monitor
	)
}

# guest_console_tail FILE: the end of a console log, without what a terminal would obey.
guest_console_tail() {
	guest_say "the console's last lines:"
	tail -n 40 -- "$1" | tr -d '\r' | sed 's/\x1b[[(][0-9;?]*[A-Za-z]//g; s/^/    /' >&2
}

# guest_kill PID: QEMU is ours and its disks are forgotten: no need to ask the guest.
guest_kill() {
	local tries=50
	kill -TERM "$1" 2>/dev/null || return 0
	while kill -0 "$1" 2>/dev/null && ((tries-- > 0)); do sleep 0.1; done
	kill -KILL "$1" 2>/dev/null || true
}

# The one guest that `shell` starts, and that `push`, `exec` and `stop` find, is in this directory.
guest_shell_dir=${XDG_RUNTIME_DIR:-/tmp}/pysbx-guest-shell-$UID

# guest_shell_pid: prints the pid of its QEMU, or fails. A pid file may outlive its process.
guest_shell_pid() {
	local pid
	[[ -O $guest_shell_dir ]] && pid=$(cat "$guest_shell_dir/pid" 2>/dev/null) &&
		tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null |
		grep -qF "path=$guest_shell_dir/agent.sock" && echo "$pid"
}

guest_shell_require() {
	guest_shell_pid >/dev/null || guest_die "no guest is running: start one with tests/guest/shell"
}
