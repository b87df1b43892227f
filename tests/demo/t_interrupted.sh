#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demo, interrupted half-way by each signal that a terminal or a supervisor sends, leaves nothing behind.
set -u
cd "${0%/*}/../.." || exit 1
out=$(mktemp /tmp/mpbpf-interrupted-XXXXXXXX)
demo=
trap 'rm -f -- "$out"; [ -z "$demo" ] || kill -KILL "$demo" 2>/dev/null' EXIT
trap 'exit 143' INT TERM HUP
count=0
# A pipe that nothing comes out of: to wait for it needs no process.
exec {never}<> <(:)

# result HOLDS DESCRIPTION
result() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

# of_sandbox: what still carries the sandbox's name: processes, mounts, files
of_sandbox() {
	grep -lzF "MPBPF_SANDBOX=$work" /proc/[0-9]*/environ 2>/dev/null
	grep -F "$work" /proc/mounts
	find "$work" "/sys/fs/cgroup/${work##*/}" "/sys/fs/cgroup/unified/${work##*/}" -maxdepth 0 2>/dev/null
	compgen -G "/run/mpbpf/*${work##*/mpbpf-}*"
}

# sandbox_of PID: the sandbox that one of its children was started in
sandbox_of() {
	local child
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		tr '\0' '\n' <"/proc/$child/environ" | sed -n 's/^MPBPF_SANDBOX=//p'
	done
}

for signal in INT TERM HUP; do
	# Shells start what runs in the background with SIGINT ignored, nohup what it runs with SIGHUP.
	: >"$out"
	env --default-signal=INT,HUP tests/demo/demo.sh >>"$out" 2>&1 &
	demo=$!
	for ((i = 0; i < 300 * ${MPBPF_SLOW:-1}; i++)); do
		mapfile -t lines <"$out"
		[[ ${lines[*]} != *'no token'* ]] || break
		read -rt 0.1 <&"$never"
	done
	work=$(sandbox_of "$demo")
	[ -n "$work" ] && [ -n "$(of_sandbox)" ]
	result $? "SIG$signal: it was at work"
	[ -n "$work" ] || work=/no/sandbox/was/found
	kill -"$signal" "$demo"
	wait "$demo"
	[ $? -ge 128 ]
	result $? "SIG$signal: it ends by it"
	demo=
	left=$(of_sandbox)
	[ -z "$left" ]
	result $? "SIG$signal: nothing is left"
	[ -z "$left" ] || printf '%s\n' "$left" | sed 's/^/# /'
done
echo "1..$count"
