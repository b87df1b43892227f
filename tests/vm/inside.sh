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

# expire PID: the command's time is over, by the guest's clock; says what the processes were doing, and ends it. When it is over by the
# host's, which is faster while the guest is busy, the emulator is ended, and the log tells how far it came.
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
run
# What the kernel says while it takes down what is left belongs to the run.
sleep 2
cat /proc/sys/kernel/tainted >"$results/taint"
/run/busybox poweroff -f
