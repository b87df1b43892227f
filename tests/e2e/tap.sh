# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# TAP for the end-to-end cases, and what they compare by. lib.sh sources it; $log, $work and $time_limit are lib.sh's.

tap_count=0
tap_failed=0

# bail REASON: this case cannot go on; the other cases can
bail() {
	not_ok "${0##*/} can go on" "$1"
	echo "1..$tap_count"
	exit 1
}

# skip DESCRIPTION REASON: a point that this kernel truly cannot show; the reason is printed and it counts as no pass
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

diag() {
	printf '%s\n' "$@" | sed 's/^/# /'
}

# The logs go out with the first failure: they are gone with the sandbox.
not_ok() {
	tap_count=$((tap_count + 1))
	echo "not ok $tap_count - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
	if [ "$tap_failed" -eq 0 ]; then
		tail -n 30 "$log" 2>/dev/null | sed 's/^/# mpbpf: /'
		[ ! -s "$work/nginx-error.log" ] || tail -n 10 "$work/nginx-error.log" | sed 's/^/# nginx: /'
	fi
	tap_failed=$((tap_failed + 1))
}

ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# is GOT WANT DESCRIPTION
is() {
	if [ "$1" = "$2" ]; then ok "$3"; else not_ok "$3" "got:    $1" "wanted: $2"; fi
}

# between GOT LEAST MOST DESCRIPTION
between() {
	if [[ $1 =~ ^-?[0-9]+$ ]] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; then
		ok "$4"
	else
		not_ok "$4" "got: $1, wanted: $2 to $3"
	fi
}

# check DESCRIPTION COMMAND...
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$what"; else not_ok "$what" "$out"; fi
}

# matches TEXT EXTENDED_REGEX DESCRIPTION: a line of the text does
matches() {
	local line
	while IFS= read -r line; do
		if [[ $line =~ $2 ]]; then
			ok "$3"
			return
		fi
	done <<<"$1"
	not_ok "$3" "got: $1" "wanted a match of: $2"
}

tap_timeout() {
	not_ok "done within $time_limit s"
	echo "1..$tap_count"
	exit 1
}

tap_done() {
	[ -z "${MPBPF_FAST:-}" ] || echo "# past TCP: $(figure fast_path.messages)"
	echo "1..$tap_count"
	[ "$tap_count" -gt 0 ] && [ "$tap_failed" -eq 0 ]
	exit
}
