#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Process 1 of a guest: runs the command that guest.sh wrote down, keeps the kernel's log, and turns the machine off.
#
# In /run/results: booted and taint (/proc/sys/kernel/tainted before and after), dmesg (as it comes), log (the command's
# output), status (its exit status), and stuck (the processes, when its time was over).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C
results=/run/results
cd /

mount_all() {
	mount -t tmpfs -o mode=1777 tmpfs /tmp
	mkdir -p /dev/pts /dev/shm
	mount -t devpts devpts /dev/pts
	mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -t bpf bpf /sys/fs/bpf
	ln -s /proc/self/fd /dev/fd
}

# What the installed suite must do without. These files are taken from the overlay, not from the host.
hide_compilers() {
	local dir
	for dir in /usr/include /usr/lib/gcc /usr/lib/llvm-*; do
		[ ! -d "$dir" ] || mount -t tmpfs -o ro tmpfs "$dir"
	done
	rm -f /usr{,/local}/bin/{*gcc*,*g++*,clang*,cc,c++,c89,c99,cpp*,as,ld,ld.*,*-linux-gnu-*,make,gmake,prove,python*}
}

# expire PID: the command's time is over, by this machine's clock; says what the processes were doing, and ends it. (By the host's clock
# the emulator is ended; then the log tells how far it came.)
expire() {
	sleep "$SECONDS_LEFT"
	{
		ps --ppid 2 -p 2 --deselect -o pid,ppid,stat,etimes,wchan:24,args
		tail -n 40 "$results/log"
	} >"$results/stuck" 2>&1
	kill -KILL "$1"
}

run() {
	local pid
	bash "$results/command" >"$results/log" 2>&1 </dev/null &
	pid=$!
	expire "$pid" &
	wait "$pid"
	echo $? >"$results/status"
}

mount_all
/run/busybox ip link set lo up
dmesg --follow >"$results/dmesg" &
cat /proc/sys/kernel/tainted >"$results/booted"
hide_compilers
run
# What the kernel says while it takes down what is left belongs to the run.
sleep 2
cat /proc/sys/kernel/tainted >"$results/taint"
/run/busybox poweroff -f
