#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make vmtest`: the installed tests on this machine, then on other kernels, each in an emulated machine, side by side; one table.
#
#   environment: BUILD, KERNELS ("6.1 6.12"), TESTS (all of them), MINUTES (a guest's limit)
#
# $BUILD/vm holds suite (the installed tests), a folder for each kernel, and results/{host,KERNEL}.
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
vm=$(realpath -m "${BUILD:-build}")/vm
results=$vm/results
read -ra kernels <<<"${KERNELS:-6.1 6.12}"
read -ra tests <<<"${TESTS:-}"
runner=()
for test in "${tests[@]}"; do
	runner+=(-t "$test")
done
kept=$(realpath -m "${BUILD:-build}")/kept
limit=$((60 * ${MINUTES:-45}))
started=()

die() {
	echo "vmtest: $*" >&2
	exit 1
}

# The tests and the guests are ended by pid: the runner ends its test, and a guest's namespaces all that is in them.
end_started() {
	local pid
	for pid in "${started[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	wait
}

start() {
	"$@" &
	started+=($!)
}

# The folder is made anew: what the tree no longer has must not be found there.
install_suite() {
	rm -rf "$vm/suite"
	env -u MAKEFLAGS -u MAKELEVEL make -C tests install INSTALL_PATH="$vm/suite" >"$vm/install.log" 2>&1 ||
		die "the tests cannot be installed: $(tail -n 20 "$vm/install.log")"
	if [ "${#tests[@]}" -gt 0 ]; then
		printf '%s\n' "${tests[@]}"
	else
		sed 's/^mpbpf://' "$vm/suite/kselftest-list.txt"
	fi >"$vm/wanted"
}

prepare() {
	local kernel pid
	for kernel in "${kernels[@]}"; do
		start "$here/kernel.sh" "$kernel" "$vm/$kernel"
	done
	for pid in "${started[@]}"; do
		wait "$pid" || die "not every kernel can be had"
	done
	started=()
}

# What `make check` has just found here need not be found again, unless something has changed since it began.
kept_is_current() {
	[ -e "$kept/began" ] && [ -z "$(find "$vm/suite" -type f -newer "$kept/began" ! -name kselftest-list.txt -print -quit)" ]
}

# Alone, for its timing matters; a guest has a time of its own.
run_host() {
	local out=$results/host rc=0 since=$SECONDS again=()
	kept_is_current && again=(-k "$kept")
	rm -rf "$out"
	mkdir -p "$out"
	start "$here/suite.sh" "$vm/suite" "$out" "${again[@]}" "${runner[@]}" >"$out/log" 2>&1 </dev/null
	wait "${started[0]}" || rc=$?
	started=()
	echo "$rc" >"$out/status"
	echo "vmtest: host: status $rc, $((SECONDS - since)) s${again:+, as \`make check\` found it}"
}

# run_guest KERNEL: one that never got as far as user space is given a second chance.
# One test at a time, and no more guests than kernels: they wait for nothing but their results to be written (guest.sh), and more of them
# would only take turns.
run_guest() {
	local out=$results/$1 rc=0 try since=$SECONDS
	for try in 1 2; do
		rc=0
		"$here/guest.sh" "$vm/$1" "$vm/suite" "$out" "$limit" \
			env MPBPF_SLOW=6 bash /run/vm/suite.sh /run/suite /run/results "${runner[@]}" || rc=$?
		[ "$rc" -eq 125 ] && [ ! -e "$out/booted" ] && [ "$try" -eq 1 ] || break
		echo "vmtest: $1: the guest did not reach user space: $(tail -n 1 "$out/console" "$out/emulator" 2>&1)"
	done
	echo "$rc" >"$out/status"
	echo "vmtest: $1: status $rc, $((SECONDS - since)) s"
}

mkdir -p "$results"
exec {lock}>"$vm/lock"
flock -n "$lock" || die "another run uses $vm"
trap end_started EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

install_suite
prepare
run_host
for kernel in "${kernels[@]}"; do
	rm -rf "${results:?}/$kernel"
	mkdir -p "$results/$kernel"
	start run_guest "$kernel"
done
wait
started=()
"$here/summary.sh" "$vm" host "${kernels[@]}"
