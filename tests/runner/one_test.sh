# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# The runner: one test, from its start to what is to be thought of it. What is known of it are variables of run_test.

line_max=16384 # bytes; longer lines are cut into several

# ---- what a test says ----

re_point='^(not )?ok( +([0-9]{1,9}))?( +(.*))?$'
re_plan='^1\.\.([0-9]{1,9})([[:space:]]*#[[:space:]]*([Ss][Kk][Ii][Pp][^[:space:]]*[[:space:]]*)?(.*)|[[:space:]]*)$'
re_directive='^(.*[^\\])?#[[:space:]]*'
re_directive+='(([Ss][Kk][Ii][Pp])|[Tt][Oo][Dd][Oo]|[Xx][Ff][Aa][Ii][Ll])[^[:space:]]*[[:space:]]*(.*)$'

# fault WHAT: something is wrong with the test as a whole; the first is told
fault() {
	fault=${fault:-$1}
}

# take_skip WHAT REASON
take_skip() {
	local reason=${2:-no reason given}
	skipped=$((skipped + 1))
	skips+=("${1%"${1##*[![:space:]]}"} # SKIP $reason")
	skip_reason=${skip_reason:-$reason}
}

# take_point NOT NUMBER TEXT
take_point() {
	points=$((points + 1))
	[ -z "$2" ] || [ "$((10#$2))" -eq "$points" ] || fault "point $points has the number $2"
	if [[ ${3#- } =~ $re_directive ]]; then
		if [ -n "${BASH_REMATCH[3]}" ] && [ -z "$1" ]; then
			take_skip "${BASH_REMATCH[1]:-point $points}" "${BASH_REMATCH[4]}"
			return
		elif [ -z "${BASH_REMATCH[3]}" ]; then
			if [ -n "$1" ]; then xfail=$((xfail + 1)); else xpass=$((xpass + 1)); fi
			return
		fi
	fi
	if [ -n "$1" ]; then failed=$((failed + 1)); else passed=$((passed + 1)); fi
}

# take_plan COUNT WHY_NONE
take_plan() {
	[ -z "$plan" ] || fault "more than one plan"
	plan=$((10#$1))
	[ "$plan" -ne 0 ] || [ -z "$2" ] || skip_all=1
	[ -z "$skip_all" ] || skip_reason=$3
}

# take_line LINE CONTINUED
take_line() {
	printf '# %s\n' "$1"
	[ -z "$raw" ] || printf '%s\n' "$1" >&"$raw"
	if [ -n "$2" ]; then
		return
	elif [[ $1 =~ $re_point ]]; then
		take_point "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[5]}"
	elif [[ $1 =~ $re_plan ]]; then
		take_plan "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}"
	elif [[ $1 == 'Bail out!'* ]]; then
		fault "$1"
	elif [ -n "$1" ]; then
		last_line=${1#\# }
	fi
}

# ---- one test ----

# expire: the time of this stage is over: the test is told to end, then killed, then not waited for any more
expire() {
	case $((stage += 1)) in
	1) kill -TERM -- "-$pid"; timed_out=1 deadline=$((SECONDS + grace)) ;;
	2) kill -KILL -- "-$pid"; deadline=$((SECONDS + 3)) ;;
	*) return 1 ;;
	esac
}

# The test has ended, and what it started still holds its output.
outlived() {
	[ -n "$timed_out" ] || fault "a process that it started outlives it"
	[ "$stage" -ge 2 ] || { stage=1; expire; }
}

# follow: takes the output as it comes, until all who could write to it are gone
follow() {
	local part rc text='' continued=''
	while :; do
		IFS= read -r -t 1 -n $((line_max - ${#text})) -u "$output" part
		rc=$?
		text+=$part
		if [ "$rc" -eq 0 ]; then
			take_line "$text" "$continued"
			if [ ${#text} -lt $line_max ]; then continued=; else continued=1; fi
			text=
		elif [ "$rc" -le 128 ]; then
			[ -z "$text" ] || take_line "$text" "$continued"
			break
		elif ! running "$pid"; then
			outlived
		fi
		[ "$SECONDS" -lt "$deadline" ] || expire || break
	done
	while running "$pid"; do
		[ "$SECONDS" -lt "$deadline" ] || expire || return
		pause 0.02
	done
	wait "$pid"
	status=$?
	kill -KILL -- "-$pid"
}

# replay: instead of the test: what was kept of it
replay() {
	local status
	read -r status _ <"$kept/$name.kept"
	cat "$kept/$name.tap"
	exit "$status"
}

# start I: the test at $path in a process group of its own, which a signal from the terminal does not reach
start() {
	local fifo=$work/$1.fifo
	mkfifo "$fifo" || die "cannot make $fifo"
	set -m
	"$path" >"$fifo" 2>&1 </dev/null {never}>&- &
	pid=$!
	live=("$pid")
	set +m
	exec {output}<"$fifo"
}

# whole: sets $state by the test as a whole, and $why if it did not pass
whole() {
	state='not ok'
	if [ -n "$timed_out" ]; then
		why="TIMEOUT $limit seconds"
	elif [ "$status" -ne 0 ] && [ "$status" -ne 4 ]; then
		why="exit=$status"
	elif [ "$failed" -gt 0 ]; then
		why="exit=$status but $failed failed"
	elif [ -n "$fault" ]; then
		why="ERROR $fault"
	elif [ "$status" -eq 4 ] || { [ -n "$skip_all" ] && [ "$points" -eq 0 ]; }; then
		[ "$skipped" -gt 0 ] || take_skip 'the whole test' "${skip_reason:-$last_line}"
		state=SKIP
	elif [ -z "$plan" ]; then
		why='ERROR no plan'
	elif [ "$plan" -ne "$points" ] || [ "$points" -eq 0 ]; then
		why="ERROR planned $plan, got $points"
	elif [ "$skipped" -eq "$points" ]; then
		state=SKIP
	else
		state=ok
	fi
}

# skips_held NAME I: writes them down; one that this kernel is not allowed fails the test
skips_held() {
	local skip count=0
	for skip in "${skips[@]}"; do
		printf '%s\n' "$1: $skip" >>"$work/$2.skips"
		is_allowed "$1" "$skip" && continue
		count=$((count + 1))
		printf '# %s\n' "$allowed_file does not allow: $skip"
	done
	[ "$count" -gt 0 ] || return 0
	state='not ok'
	why=${why:-"ERROR $count skipped, which $allowed_file does not allow"}
}

# run_test I: runs it, prints it, leaves its figures in $work/I.done
run_test() {
	local name=${tests[$1]} title="selftests: mpbpf: ${tests[$1]}" path raw='' output pid status=137 state why=''
	local began=$SECONDS deadline=$((SECONDS + limit + 1)) stage=0 timed_out=''
	local points=0 passed=0 failed=0 xfail=0 xpass=0 skipped=0 error=0 skips=()
	local seconds_kept='' plan='' skip_all='' skip_reason='' fault='' last_line=''
	path_of "$name"
	[ ! -e "${kept:+$kept/$name.kept}" ] || path=replay seconds_kept=$(cut -d ' ' -f 2 "$kept/$name.kept")
	echo "# timeout set to $limit"
	echo "# $title"
	if [ "$path" = replay ] || [ -x "$path" ]; then
		start "$1"
		[ -z "$out_dir" ] || exec {raw}>"$out_dir/$name.tap"
		# Where the shell says of a test that a signal ended it.
		follow 2>/dev/null
		live=()
		exec {output}<&-
		[ -z "$raw" ] || exec {raw}>&-
		whole
		skips_held "$name" "$1"
	else
		echo "# Warning: $path is missing, or not executable"
		state='not ok' why='ERROR it cannot be run'
	fi
	# What failed without a point that says so is an error.
	[ "$state" != 'not ok' ] || [ "$failed" -gt 0 ] || error=1
	case $state in
	SKIP) echo "ok $(($1 + 1)) $title # SKIP $skip_reason" ;;
	*) echo "$state $(($1 + 1)) $title${why:+ # $why}" ;;
	esac
	{
		printf '%s\t' "$state" "$passed" "$failed" "$skipped" "${seconds_kept:-$((SECONDS - began))}" "$xfail" "$xpass"
		echo "$error"
	} >"$work/$1.done"
}
