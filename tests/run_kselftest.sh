#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the prog and end-to-end tests as the kernel's own selftests are run: KTAP on standard output, exit status 0 when
# all passed, 1 when something failed, 4 when everything was skipped. Works in the source tree and at the root of the
# installed folder, with bash and coreutils alone.
set -u
export LC_ALL=C
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

slow=${MPBPF_SLOW:-1}
limit=$((120 * slow)) # seconds for one test; a case of tests/e2e ends itself long before
grace=$((10 * slow))  # seconds for what a test does when it is told to end; no more than `limit`
jobs=1
out_dir=
kept=

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/kselftest-list.txt
if [ -e "$list" ]; then
	top=$here
	build=$here/build
else
	top=${here%/*}
	build=${BUILD:-build}
	[[ $build == /* ]] || build=$top/$build
	list=
fi
# Beside these nothing else runs: each CPU is busy, time is measured, or `mpbpf check` is run, whose maps t_check.sh
# looks for on the whole machine. A shell script may say so of itself as well, by a line "# alone" near its head.
alone_tests=' test_xdp_concurrency test_xdp_limit t_docs.sh t_soak.sh t_unload.sh '

usage() {
	cat <<-END
		usage: ${0##*/} [-l] [-t TEST]... [-o DIR] [-k DIR] [-j N] [-s SECONDS]
		  -l          list the tests
		  -t TEST     run this one; may be given more than once
		  -o DIR      write DIR/TEST.tap, DIR/results and DIR/skips
		  -k DIR      what `make check` kept there of a test is taken for its run
		  -j N        run N tests at a time; the output keeps its order
		  -s SECONDS  let a test run so long, $limit unless given; MPBPF_SLOW=N multiplies the default
		exit status: 0 all passed, 1 something failed, 4 everything was skipped
	END
}

# die MESSAGE: it is the runner that cannot do its work
die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# ---- which tests there are ----

# all_tests: their names, in the order in which they run
all_tests() {
	local name
	if [ -n "$list" ]; then
		while read -r name; do
			[ -z "$name" ] || echo "${name#mpbpf:}"
		done <"$list"
		return
	fi
	for name in "$top"/tests/prog/test_*.c "$top"/tests/{e2e,demo}/t_*.sh; do
		name=${name##*/}
		[[ $name == *'*'* ]] || echo "${name%.c}"
	done
}

path_of() {
	case $1 in
	test_*) path=$build/tests/prog/$1 ;;
	*) path=$top/tests/e2e/$1; [ -e "$path" ] || path=$top/tests/demo/$1 ;;
	esac
}

# must_be_alone: whether the test at $path must
must_be_alone() {
	local line n=0
	[[ $alone_tests != *" ${path##*/} "* ]] || return 0
	[[ $path == *.sh ]] || return 1
	while [ $((n += 1)) -le 10 ] && read -r line; do
		[ "$line" != '# alone' ] || return 0
	done <"$path"
	return 1
}

# ---- all tests ----

declare -A total=([passed]=0 [failed]=0 [xfail]=0 [xpass]=0 [skipped]=0 [error]=0 [ok]=0 [SKIP]=0 ['not ok']=0)

# account I: adds up what a test left, and hands it out
account() {
	local name=${tests[$1]} state passed failed skipped seconds xfail xpass error kind skip
	IFS=$'\t' read -r state passed failed skipped seconds xfail xpass error <"$work/$1.done"
	for kind in passed failed xfail xpass skipped error; do
		total[$kind]=$((total[$kind] + ${!kind}))
	done
	total[$state]=$((total[$state] + 1))
	[ ! -e "$work/$1.skips" ] || while IFS= read -r skip; do
		is_allowed "$name" "${skip#"$name: "}"
		[ -z "$out_dir" ] || printf '%s\n' "$skip" >>"$out_dir/skips"
	done <"$work/$1.skips"
	[ -z "$out_dir" ] || printf '%s\t%s\t%s\t%s\t%s\t%s\n' \
		"$name" "$state" "$passed" "$failed" "$skipped" "$seconds" >>"$out_dir/results"
}

# pause SECONDS: without a process
pause() {
	read -r -t "$1" -u "$never"
}

# running PID: whether a child is; one that has ended need not have been waited for
running() {
	local stat
	read -r stat <"/proc/$1/stat" && [[ ${stat##*') '} != Z* ]]
}

run_in_turn() {
	local i
	for i in "${!tests[@]}"; do
		run_test "$i"
		account "$i"
	done
}

# interrupted STATUS: what runs is told to end, and killed if it does not
interrupted() {
	local pid end=$((SECONDS + grace + (jobs > 1 ? 5 : 1)))
	trap '' INT TERM HUP PIPE
	for pid in "${live[@]}"; do
		kill -TERM -- "-$pid"
	done
	for pid in "${live[@]}"; do
		while running "$pid" && [ "$SECONDS" -lt "$end" ]; do
			pause 0.05
		done
		kill -KILL -- "-$pid"
	done
	exit "$1"
} 2>/dev/null

catch_signals() {
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM
	trap 'interrupted 129' HUP
	trap 'interrupted 141' PIPE
}

# ---- what is asked for ----

# wanted: `tests`, those named by -t or all
wanted() {
	local name
	local -A known=()
	mapfile -t tests < <(all_tests)
	[ "${#tests[@]}" -gt 0 ] || die "no tests in $top"
	for name in "${tests[@]}"; do
		known[$name]=1
	done
	[ "${#named[@]}" -gt 0 ] || return 0
	tests=("${named[@]#mpbpf:}")
	for name in "${tests[@]}"; do
		[ -n "${known[$name]:-}" ] || die "no such test: $name"
	done
}

# What tests find in their environment: where the build is, and nothing of a make that runs this.
environment() {
	export BUILD=$build CMOCKA_MESSAGE_OUTPUT=TAP
	export MPBPF_BPF_OBJ=$build/mpbpf.bpf.o MPBPF_TEST_OBJ_DIR=$build/tests/prog
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
}

# shellcheck source-path=SCRIPTDIR source=runner/allowed.sh
. "$top/tests/runner/allowed.sh"
# shellcheck source=runner/one_test.sh
. "$top/tests/runner/one_test.sh"
# shellcheck source=runner/side_by_side.sh
. "$top/tests/runner/side_by_side.sh"
named=()
live=() # process groups to be ended when the runner is
while getopts lt:o:k:j:s:h option; do
	case $option in
	l) all_tests; exit ;;
	t) named+=("$OPTARG") ;;
	o) out_dir=$OPTARG ;;
	k) kept=$(cd "$OPTARG" && pwd) || die "cannot read $OPTARG" ;;
	j) jobs=$OPTARG ;;
	s) limit=$OPTARG ;;
	h) usage; exit ;;
	*) usage >&2; exit 1 ;;
	esac
done
[ "$OPTIND" -gt $# ] || { usage >&2; exit 1; }
[[ $jobs =~ ^[1-9][0-9]?$ && $limit =~ ^[1-9][0-9]{0,5}$ ]] || die "-j and -s take a number"
[ "$grace" -lt "$limit" ] || grace=$limit
wanted
read_allowed
if [ -n "$out_dir" ]; then
	mkdir -p "$out_dir" && out_dir=$(cd "$out_dir" && pwd) && : >"$out_dir/results" && : >"$out_dir/skips" ||
		die "cannot write into $out_dir"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/mpbpf-kselftest-XXXXXXXX") || exit 1
trap 'rm -rf -- "$work"' EXIT
catch_signals
mkfifo "$work/never" && exec {never}<>"$work/never" || exit 1
cd "$top" || exit 1
environment

echo "TAP version 13"
echo "1..${#tests[@]}"
if [ "$jobs" -gt 1 ]; then run_side_by_side; else run_in_turn; fi
report_unused
echo "# Totals: pass:${total[passed]} fail:${total[failed]} xfail:${total[xfail]} xpass:${total[xpass]}" \
	"skip:${total[skipped]} error:${total[error]}"
[ "${total[not ok]}" -eq 0 ] || exit 1
[ "${total[ok]}" -gt 0 ] || exit 4
exit 0
