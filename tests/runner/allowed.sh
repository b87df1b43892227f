# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# The runner: which skips the running kernel is allowed, as tests/skips/MAJOR.MINOR says; all if there is no such file.

allowed_test=()
allowed_skip=()
allowed_seen=()
read_allowed() {
	local release line
	read -r release </proc/sys/kernel/osrelease
	[[ $release =~ ^[0-9]+\.[0-9]+ ]] || die "what kernel is $release?"
	allowed_file=tests/skips/${BASH_REMATCH[0]}
	if [ ! -e "$top/$allowed_file" ]; then
		allowed_file=
		return
	fi
	while IFS= read -r line; do
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		[[ $line =~ ^([^[:space:]:]+):[[:space:]]*(.+)$ ]] || die "$allowed_file: not 'TEST: regex': $line"
		allowed_test+=("${BASH_REMATCH[1]}")
		allowed_skip+=("${BASH_REMATCH[2]}")
		[[ '' =~ ${BASH_REMATCH[2]} ]]
		[ $? -ne 2 ] || die "$allowed_file: not a regular expression: $line"
	done <"$top/$allowed_file"
}

# is_allowed TEST SKIP
is_allowed() {
	local i
	[ -n "$allowed_file" ] || return 0
	for i in "${!allowed_test[@]}"; do
		if [ "${allowed_test[i]}" = "$1" ] && [[ $2 =~ ${allowed_skip[i]} ]]; then
			allowed_seen[i]=1
			return 0
		fi
	done
	return 1
}

# An allowance that nothing needs any more would let a new skip through.
report_unused() {
	local i name
	for i in "${!allowed_test[@]}"; do
		for name in "${tests[@]}"; do
			[ "$name" != "${allowed_test[i]}" ] || [ -n "${allowed_seen[i]:-}" ] ||
				echo "# $allowed_file allows what was not skipped: $name: ${allowed_skip[i]}"
		done
	done
}
