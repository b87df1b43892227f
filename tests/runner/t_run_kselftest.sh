#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The runner of the tests does not call good what is not: fake tests of every kind, in an installed folder of their own.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/tap.sh
. "$(dirname "$0")/../e2e/tap.sh"
set -u
export LC_ALL=C MPBPF_SLOW=1
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d /tmp/mpbpf-runner-XXXXXXXX)
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
log=/dev/null
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' INT TERM HUP

# suite NAME: an empty installed folder
suite() {
	suite=$work/$1
	mkdir -p "$suite"/tests/{e2e,demo,skips,runner} "$suite/build/tests/prog"
	cp run_kselftest.sh "$suite/"
	cp runner/*.sh "$suite/tests/runner/"
	: >"$suite/kselftest-list.txt"
}

# fake NAME: a test whose body is on standard input
fake() {
	local file=$suite/tests/e2e/$1
	[[ $1 == *.sh ]] || file=$suite/build/tests/prog/$1
	{ echo '#!/usr/bin/env bash'; cat; } >"$file"
	chmod +x "$file"
	echo "mpbpf:$1" >>"$suite/kselftest-list.txt"
}

# run [ARGS]: the suite from another directory; its output is in $work/out
run() {
	(cd / && exec "$suite/run_kselftest.sh" "$@") >"$work/out" 2>"$work/err"
	rc=$?
}

# verdict NAME: what the line of that test says, without its number
verdict() {
	sed -n "s/^\(ok\|not ok\) [0-9]* selftests: mpbpf: $1\( #.*\)*\$/\1\2/p" "$work/out"
}

totals() {
	sed -n 's/^# Totals: //p' "$work/out"
}

# running: the state of the process whose pid is in $work/pid, if there is one; who adopts it may leave it a zombie
running() {
	sed -n 's/^State:[[:space:]]*\([^Z[:space:]]\).*/\1/p' "/proc/$(cat "$work/pid")/status" 2>/dev/null
}

# judged BODY VERDICT DESCRIPTION: one test alone; its exit status is that of the runner
judged() {
	suite judged
	fake t_it.sh <<<"$1"
	run -s "${seconds:-60}"
	is "$(verdict t_it.sh)" "$2" "$3"
	case $2 in
	ok) is $rc 0 "$3: exit status 0" ;;
	'ok # SKIP'*) is $rc 4 "$3: exit status 4" ;;
	*) is $rc 1 "$3: exit status 1" ;;
	esac
	rm -rf "$suite"
}

# ---- what a test may do ----

judged 'echo 1..1; echo ok 1 - fine' ok 'passes'
judged 'echo ok 1; echo ok 2 - b; echo 1..2' ok 'passes, with its plan at the end'
judged 'printf "1..1\nok 1 - fine"' ok 'passes, without a line feed at the end'
judged 'echo 1..1; printf "ok 1 "; sleep 1.3; echo "- fine"' ok 'passes, and stops in the middle of a line'
judged 'echo 1..1; printf "%016384dnot ok 1 - in it\n" 0; echo "ok 1 - long lines"' ok 'passes, with a very long line'
judged 'echo 1..1; echo "  not ok 1 - inner"; echo "ok 1 - outer"' ok 'passes, with a nested point that does not count'
judged 'echo 1..1; echo "not ok 1 - known # TODO some day"' ok 'passes, but for a point that is known to fail'
judged 'echo 1..1; echo okay; echo "ok 1"' ok 'passes, with a word that begins like a point'

judged 'echo 1..1; echo not ok 1 - bad; exit 1' 'not ok # exit=1' 'fails'
judged 'echo 1..1; echo ok 1; exit 3' 'not ok # exit=3' 'fails by its exit status alone'
judged 'echo 1..2; echo ok 1; echo not ok 2 - bad' 'not ok # exit=0 but 1 failed' 'fails, and exits 0'
judged 'echo 1..1; echo not ok 1 - bad; exit 4' 'not ok # exit=4 but 1 failed' 'fails, and exits 4'
judged 'echo 1..1; echo "not ok 1 - bad # SKIP why"' 'not ok # exit=0 but 1 failed' 'fails, and calls it a skip'
judged 'echo 1..2; echo ok 1; kill -SEGV $$' 'not ok # exit=139' 'dies by SIGSEGV'
judged 'echo 1..1; echo ok 1; kill -TERM $$' 'not ok # exit=143' 'dies by SIGTERM'
judged 'echo 1..5; echo ok 1; echo ok 2' 'not ok # ERROR planned 5, got 2' 'has fewer points than planned'
judged 'echo 1..1; echo ok 1; echo ok 2' 'not ok # ERROR planned 1, got 2' 'has more points than planned'
judged 'echo ok 1; echo ok 2' 'not ok # ERROR no plan' 'has no plan'
judged 'echo ok 1; echo 1..2; echo ok 2; echo 1..2' 'not ok # ERROR more than one plan' 'has two plans'
judged 'echo 1..2; echo ok 1; echo ok 1' 'not ok # ERROR point 2 has the number 1' 'gives a number twice'
judged 'echo 1..0' 'not ok # ERROR planned 0, got 0' 'plans nothing, and does not say why'
judged 'echo hello' 'not ok # ERROR no plan' 'says something else'
judged ':' 'not ok # ERROR no plan' 'says nothing'
judged 'echo 1..1; echo ok 1; echo "Bail out! no disk"' 'not ok # ERROR Bail out! no disk' 'bails out, and exits 0'

judged 'echo "1..0 # SKIP no such device"' 'ok # SKIP no such device' 'skips all of it by its plan'
judged 'echo "# no such kernel"; exit 4' 'ok # SKIP no such kernel' 'skips all of it by exit status 4'
judged 'exit 4' 'ok # SKIP no reason given' 'skips all of it without a reason'
judged 'echo 1..2; echo "ok 1 - a # SKIP old"; echo "ok 2 # skip older"' 'ok # SKIP old' 'skips each point'
judged 'echo "1..0 # SKIP none"; echo ok 1' 'not ok # ERROR planned 0, got 1' 'skips all of it, and has a point'
judged 'echo "1..0 # SKIP none"; exit 1' 'not ok # exit=1' 'skips all of it, and exits 1'
judged 'echo 1..2; echo ok 1 - a; echo "ok 2 - b # SKIP old"' ok 'skips one point'
is "$(totals)" 'pass:1 fail:0 xfail:0 xpass:0 skip:1 error:0' 'skips one point: it is not counted as passed'
is "$(grep -c '^# ok 2 - b # SKIP old$' "$work/out")" 1 'skips one point: the reason is seen'

# ---- its time is over, or something outlives it ----

began=$SECONDS
seconds=1
judged 'echo 1..1; echo ok 1; sleep 30' 'not ok # TIMEOUT 1 seconds' 'does not end'
judged "trap '' TERM; echo \$\$ >$work/pid; echo 1..1; echo ok 1; for i in {1..30}; do sleep 1; done" \
	'not ok # TIMEOUT 1 seconds' 'does not end when it is told to'
is "$(running)" '' 'does not end when it is told to: it is killed'
judged 'while :; do echo "# again"; sleep 0.01; done' 'not ok # TIMEOUT 1 seconds' 'talks for ever'
judged 'exec >&- 2>&-; sleep 30' 'not ok # TIMEOUT 1 seconds' 'closes its output and does not end'
judged 'trap "echo cleaned; exit 0" TERM; echo 1..1; echo ok 1; sleep 30 & wait' 'not ok # TIMEOUT 1 seconds' \
	'cleans up when its time is over'
is "$(grep -c '^# cleaned$' "$work/out")" 1 'cleans up when its time is over: what it says then is seen'
seconds=
judged 'echo 1..1; echo ok 1; sleep 30 &' 'not ok # ERROR a process that it started outlives it' \
	'leaves a process that holds its output'
judged "echo 1..1; echo ok 1; sleep 30 >/dev/null 2>&1 & echo \$! >$work/pid" ok 'leaves a process that does not'
is "$(running)" '' 'leaves a process that does not: it is ended'
between $((SECONDS - began)) 5 25 'the waits were bounded'

# ---- a suite of several ----

suite several
fake test_first <<'END'
echo 1..2
echo 'ok 1 - first'
echo "ok 2 - $CMOCKA_MESSAGE_OUTPUT $BUILD $MPBPF_BPF_OBJ $MPBPF_TEST_OBJ_DIR ${MAKEFLAGS-none} $PWD" >&2
END
fake t_second.sh <<<'echo 1..3; echo ok 1; echo "ok 2 - b # SKIP too old"; echo "not ok 3 - c"; exit 1'
fake t_third.sh <<<'echo "1..0 # SKIP not here"'
fake t_fourth.sh <<<'kill -KILL $$'
echo mpbpf:t_missing.sh >>"$suite/kselftest-list.txt"
MAKEFLAGS=w BUILD=/nowhere run -o "$work/results"
is $rc 1 "several: exit status 1"
is "$(cat "$work/err")" "" "several: nothing on standard error"
sed "s,$suite,SUITE," "$work/out" >"$work/seen"
cat >"$work/wanted" <<END
TAP version 13
1..5
# timeout set to 120
# selftests: mpbpf: test_first
# 1..2
# ok 1 - first
# ok 2 - TAP SUITE/build $suite/build/mpbpf.bpf.o $suite/build/tests/prog none $suite
ok 1 selftests: mpbpf: test_first
# timeout set to 120
# selftests: mpbpf: t_second.sh
# 1..3
# ok 1
# ok 2 - b # SKIP too old
# not ok 3 - c
not ok 2 selftests: mpbpf: t_second.sh # exit=1
# timeout set to 120
# selftests: mpbpf: t_third.sh
# 1..0 # SKIP not here
ok 3 selftests: mpbpf: t_third.sh # SKIP not here
# timeout set to 120
# selftests: mpbpf: t_fourth.sh
not ok 4 selftests: mpbpf: t_fourth.sh # exit=137
# timeout set to 120
# selftests: mpbpf: t_missing.sh
# Warning: SUITE/tests/demo/t_missing.sh is missing, or not executable
not ok 5 selftests: mpbpf: t_missing.sh # ERROR it cannot be run
# Totals: pass:3 fail:1 xfail:0 xpass:0 skip:2 error:2
END
check "several: the output, line by line" diff "$work/seen" "$work/wanted"
check "several: the file results" diff <(cut -f 1-5 "$work/results/results" | tr '\t' ' ') - <<-'END'
	test_first ok 2 0 0
	t_second.sh not ok 1 1 1
	t_third.sh SKIP 0 0 1
	t_fourth.sh not ok 0 0 0
	t_missing.sh not ok 0 0 0
END
is "$(paste -sd ';' "$work/results/skips")" "t_second.sh: b # SKIP too old;t_third.sh: the whole test # SKIP not here" \
	"several: the file skips"
is "$(paste -sd ';' "$work/results/t_second.sh.tap")" "1..3;ok 1;ok 2 - b # SKIP too old;not ok 3 - c" \
	"several: what a test said, as it said it"
run -o "$work/results" -t t_third.sh
is "$rc $(wc -l <"$work/results/results")" "4 1" "-o: results of an earlier run are replaced"

mv "$work/out" "$work/alone"
run -j 3
sed "s,$suite,SUITE," "$work/out" >"$work/seen"
check "-j: the same output, in the same order" diff "$work/seen" "$work/wanted"
is $rc 1 "-j: the same exit status"
run -l
is "$rc $(paste -sd ' ' "$work/out")" "0 test_first t_second.sh t_third.sh t_fourth.sh t_missing.sh" "-l lists them"
run -t mpbpf:t_third.sh -t test_first
is "$rc $(grep -c '^ok [12] ' "$work/out") $(sed -n 2p "$work/out")" "0 2 1..2" "-t runs those that it names"
run -t t_fifth.sh
is "$rc $(cat "$work/out")" "1 " "-t: a test that there is not"
matches "$(cat "$work/err")" 'no such test: t_fifth.sh' "-t: a test that there is not: it says so"
run -t test_first extra
is $rc 1 "an argument that is none: exit status 1"
run -j 0
is $rc 1 "-j 0: exit status 1"
: >"$suite/kselftest-list.txt"
run
is $rc 1 "no test at all: exit status 1"

# ---- at the same time ----

suite parallel
for name in t_a.sh t_b.sh t_c.sh t_d.sh; do
	fake $name <<<"${name/#t_c.sh/# alone}
		exec 9>$work/lock
		flock -n 9 || echo >>$work/met
		echo 1..1; sleep 0.6; echo \"ok 1 - $name\""
done
began=${EPOCHREALTIME/./}
run -j 4
is "$rc $(totals)" "0 pass:4 fail:0 xfail:0 xpass:0 skip:0 error:0" "four at a time"
is "$(wc -l <"$work/met")" 2 "three ran side by side; the one that must be alone met none"
is "$(sed -n 's/^# ok 1 - //p' "$work/out" | paste -sd ' ')" "t_a.sh t_b.sh t_c.sh t_d.sh" "they are told in order"

# ---- it is live, and it can be interrupted ----

# started [ARGS]: the runner, in the background, until its test is at work
started() {
	rm -f "$work/pid"
	# A shell starts what runs in the background with SIGINT ignored, nohup what it runs with SIGHUP.
	env --default-signal=INT,HUP "$suite/run_kselftest.sh" "$@" >"$work/out" 2>"$work/err" &
	runner=$!
	for _ in {1..100}; do
		[ ! -s "$work/pid" ] || break
		sleep 0.05
	done
	sleep 0.1
}

left() {
	running
	ls "$TMPDIR"
}

suite long
fake t_long.sh <<END
	trap 'echo >>$work/told; exit 1' TERM
	echo 1..1
	echo 'ok 1 - at work'
	echo \$\$ >$work/pid
	sleep 30 &
	wait
END
for args in '' '-j 2'; do
	for signal in INT TERM HUP; do
		rm -f "$work/told"
		# shellcheck disable=SC2086
		started $args
		[ -n "$args" ] || is "$(tail -n 1 "$work/out")" '# ok 1 - at work' "SIG$signal: it is live"
		kill -$signal $runner
		wait $runner
		is $? $((128 + $(kill -l $signal))) "SIG$signal ${args}: exit status"
		is "$(left)" "" "SIG$signal ${args}: nothing is left"
		check "SIG$signal ${args}: the test was told" test -s "$work/told"
	done
done
fake t_talks.sh <<<"echo \$\$ >$work/pid; while :; do echo again; sleep 0.1; done"
"$suite/run_kselftest.sh" -t t_talks.sh 2>/dev/null | head -n 6 >/dev/null
is "$(left)" "" "a reader that goes away: nothing is left"

# ---- skips that this kernel is allowed ----

suite skips
release=$(uname -r)
kernel=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$release")
allow() {
	printf '%s\n' "$@" >"$suite/tests/skips/$kernel"
}
fake t_some.sh <<<'echo 1..3; echo ok 1; echo "ok 2 - b # SKIP before Linux 7.0"; echo "ok 3 - c # SKIP no disk"'
fake t_none.sh <<<'echo "1..0 # SKIP not here"'
allow '# what it lacks' '' \
	't_some.sh: ^b # SKIP before Linux 7\.0$' 't_some.sh: # SKIP no (disk|tape)' 't_none.sh: not here'
run
is "$rc $(verdict t_some.sh) $(verdict t_none.sh)" "0 ok ok # SKIP not here" "skips that are allowed"
is "$(grep -c 'allows what was not' "$work/out")" 0 "skips that are allowed: each allowance is needed"
allow 't_some.sh: ^b #' 't_none.sh: no disk'
run -j 2
is "$rc $(verdict t_some.sh)" "1 not ok # ERROR 1 skipped, which tests/skips/$kernel does not allow" "one that is not"
is "$(grep -c "^# tests/skips/$kernel does not allow: c # SKIP no disk\$" "$work/out")" 1 "one that is not: it is named"
matches "$(verdict t_none.sh)" '^not ok # ERROR 1 skipped' "nor may the whole test be skipped"
is "$(totals)" 'pass:1 fail:0 xfail:0 xpass:0 skip:3 error:2' "they are counted as skips and as errors"
is "$(grep -c "^# tests/skips/$kernel allows what was not skipped: t_none.sh: no disk\$" "$work/out")" 1 \
	"an allowance that nothing needs is named"
allow ''
run -t t_none.sh
is $rc 1 "an empty list allows nothing"
allow 't_none.sh: ('
run
is "$rc $(cat "$work/out")" "1 " "a list with a wrong expression: nothing runs"
matches "$(cat "$work/err")" 'not a regular expression: t_none.sh: \($' "a list with a wrong expression: it says so"
# ---- what `make check` has kept ----

suite kept
fake t_good.sh <<<'echo 1..2; echo ok 1; echo "ok 2 - b # SKIP no disk"'
fake t_bad.sh <<<'echo 1..1; echo "not ok 1 - bad"; exit 3'
fake t_silent.sh <<<'echo 1..1; echo ok 1; exit 7'
fake t_new.sh <<<'echo 1..1; echo ok 1 - really run'
export KEPT=$work/kept.d
mkdir "$KEPT"
for name in good bad silent; do
	tests=$suite/tests/e2e/t_$name.sh
	said=$(runner/keep.sh "$tests")
	is "$? $said" "$("$tests" >"$work/out"; echo "$? $(cat "$work/out")")" "keep.sh: t_$name.sh says and returns what it would"
	printf '#!/bin/sh\necho run again\n' >"$tests"
done
run -k "$KEPT"
is "$rc $(totals)" '1 pass:3 fail:1 xfail:0 xpass:0 skip:1 error:1' "-k: the sums are those of the tests"
is "$(verdict t_good.sh), $(verdict t_bad.sh), $(verdict t_silent.sh)" 'ok, not ok # exit=3, not ok # exit=7' "-k: so are the verdicts"
is "$(grep -c 'run again' "$work/out") $(grep -c 'really run' "$work/out")" '0 1' "-k: what was not kept is run, and nothing else"
unset KEPT
tap_done
