#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Boots a kernel that kernel.sh made ready in an emulator, and runs a command there as root.
#
#   guest.sh KERNEL SUITE RESULTS SECONDS COMMAND [ARGUMENT]...
#
# The guest has a copy of those of this machine's files that SUITE/packages.txt asks for (files.sh), SUITE at /run/suite, and
# RESULTS at /run/results, which is all of this machine that it can change.
# RESULTS gets what inside.sh writes and console; exit status: the command's, 124 its time was over, 125 the guest died.
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C

# All of this runs in a mount and a PID namespace of its own: with their first process go the emulator, the file server and
# every mount, however this script ends.
if [ -z "${VMTEST_GUEST:-}" ]; then
	export VMTEST_GUEST=1
	exec setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" "$@"
fi

here=$(cd "$(dirname "$0")" && pwd)
kernel=$(realpath "$1") suite=$(realpath "$2") results=$(realpath "$3") seconds=$4
shift 4
mnt=$kernel/mnt
memory=2048 # MiB; all files are in there, and while it boots twice

# The emulator keeps the code it has translated by address: with norandmaps a program that starts for the second time finds
# its own, three times as fast. Flushes against CPU bugs that it has not, and the clearing of pages before their use, only
# cost time. None of these is anything that the tests look at. The watchdogs would take a busy host for a stuck kernel.
arguments='console=ttyS0 quiet panic=-1 oops=panic norandmaps mitigations=off init_on_alloc=0'
# ramfs, for of tmpfs the initramfs may fill half of the memory only.
arguments+=' rootfstype=ramfs nowatchdog rcupdate.rcu_cpu_stall_timeout=300'

# All that a guest reads is in its memory from the start: to wait for this machine's disks, or for a file server, would take no time in
# there that means anything.
pack_files() {
	local files=$mnt/files
	mkdir -p "$files/of/root" "$files/with/root/run"/{suite,vm}
	# Not recursive: without /proc, /sys and /dev.
	mount --bind / "$files/of/root"
	mount --bind "$suite" "$files/with/root/run/suite"
	mount --bind "$here" "$files/with/root/run/vm"
	{
		cat "$kernel/initrd"
		"$here/files.sh" "$suite/packages.txt" "$files/of/root" | (cd "$files/of" && sed 's!^!root/!' | busybox cpio -o -H newc)
		(cd "$files/with" && find root | busybox cpio -o -H newc)
	} >"$mnt/initrd"
	umount "$files/of/root" "$files/with/root/run/suite" "$files/with/root/run/vm"
}

# Its view of them cannot go stale: nobody else changes them while it runs.
serve_results() {
	local i
	# Its lock bears the name of its socket, which is the same for every guest.
	mkdir -p /run/virtiofsd
	mount -t tmpfs tmpfs /run/virtiofsd
	cd "$mnt"
	/usr/lib/qemu/virtiofsd --socket-path=socket -o source="$results" -o sandbox=chroot -o cache=always \
		-o no_posix_lock >"$results/virtiofsd" 2>&1 </dev/null &
	for ((i = 0; i < 100; i++)); do
		[ ! -S socket ] || return 0
		sleep 0.1
	done
	echo "guest.sh: virtiofsd does not start: $(cat "$results/virtiofsd")" >&2
	exit 125
}

# icount: the guest's clock counts instructions, a nanosecond each, and leaps over what the guest would sleep. So time in there does
# not depend on what else this machine does: a rate is a rate, nothing comes too late; and waiting costs nothing.
# thread=single: with a thread for each CPU these kernels do not survive the patching of their own code under load. That the
# kernel is an ELF image spares the guest its unpacking; la57=off spares it a level of page tables.
emulate() {
	timeout --kill-after=5 "$seconds" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
		-accel tcg,thread=single,tb-size=256 -icount shift=0,sleep=off -cpu max,la57=off,erms=off -smp 1 \
		-M q35,memory-backend=memory -m "${memory}M" -object "memory-backend-memfd,id=memory,size=${memory}M,share=on" \
		-chardev socket,id=host,path=socket -device vhost-user-fs-pci,chardev=host,tag=host -device virtio-rng-pci \
		-serial "file:$results/console" -kernel "$kernel/vmlinux" -initrd initrd \
		-append "$arguments SECONDS_LEFT=$((seconds - 30))"
}

rm -f "$results"/{booted,status,stuck,taint,dmesg,console,log}
printf '%q ' "$@" >"$results/command"
# Until the emulator runs, whatever fails is a guest that died.
trap 'exit 125' EXIT
mkdir -p "$mnt"
mount -t tmpfs tmpfs "$mnt"
pack_files 2>"$results/emulator"
serve_results
trap - EXIT
rc=0
emulate >"$results/emulator" 2>&1 </dev/null || rc=$?
if [ "$rc" -eq 124 ] || [ "$rc" -eq 137 ] || [ -e "$results/stuck" ]; then
	exit 124
fi
[ -s "$results/taint" ] || exit 125
exit "$(cat "$results/status")"
