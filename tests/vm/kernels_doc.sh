#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs/kernels.md, from what `mpbpf check --json` said on each kernel.
#
#   kernels_doc.sh write RESULTS        the whole file on standard output, from the runs in RESULTS/*
#   kernels_doc.sh compare RESULTS/RUN  says what of the tracked file is not what that run found; nothing when all is
set -euo pipefail
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
doc=${KERNELS_DOC:-$top/docs/kernels.md}

# version RUN: 6.1
version() {
	sed -nE '1s/^([0-9]+\.[0-9]+).*/\1/p' "$1/kernel"
}

# tested RUN: what exactly; Debian's release says 6.1.0, its version the rest
tested() {
	local debian
	debian=$(sed -nE '2s/.*(Debian [^ ]+).*/\1/p' "$1/kernel")
	echo "${debian:-$(sed -nE '1s/^([0-9.]+).*/Linux \1/p' "$1/kernel")}"
}

lacks() {
	gojq -r '[.features[] | select(.ok | not) | "`" + .name + "`"] | join(", ") | if . == "" then "nothing" else . end' "$1/check.json"
}

works() {
	gojq -r "if .$2 then \"works\" else \"does not work\" end" "$1/check.json"
}

# section RUN: the facts that hold for every patch release, and no figures
section() {
	printf '## Linux %s\n\n' "$(version "$1")"
	gojq -r '
		"L3/L4 protection \(if .xdp then "works" else "does not work" end), guarded listeners \(if .guard then "work" else
			"do not work" end).\n",
		"Proven: " + ([.features[] | select(.ok) | "`" + .name + "`"] | join(", ")) + ".\n",
		([.features[] | select(.ok | not)] | if . == [] then "It lacks nothing." else
			"| it lacks | needed | what mpbpf does instead |\n|---|---|---|",
			(.[] | "| `\(.name)` | \(if .required then "yes" else "no" end) | \(.instead) |") end)' "$1/check.json"
}

# runs RESULTS: one for each version, the oldest first; a guest's before that of a host with the same kernel
runs() {
	local run
	for run in "$1"/*; do
		[ ! -s "$run/check.json" ] || printf '%s %s\n' "$(version "$run")" "$run"
	done | sort -t ' ' -k1,1V -k2,2 | awk '!seen[$1]++ { print $2 }'
}

write() {
	local run
	cat <<-'END_OF_HEAD'
		# Kernels

		What `mpbpf check` found on each kernel that `make vmtest` runs all tests on. One build serves all of them. A feature is
		proven by using it; no version number alone decides. `mpbpf check` says about your kernel what is said here, and what each
		feature showed. This file is generated: `make kernels-doc` renews it, `make vmtest` holds it against what it finds.

		| kernel | tested | L3/L4 protection | guarded listeners | it lacks |
		|---|---|---|---|---|
	END_OF_HEAD
	mapfile -t all < <(runs "$1")
	[ "${#all[@]}" -gt 0 ] || { echo "kernels_doc.sh: no runs in $1: \`make vmtest\` makes them" >&2; return 1; }
	for run in "${all[@]}"; do
		printf '| %s | %s | %s | %s | %s |\n' "$(version "$run")" "$(tested "$run")" "$(works "$run" xdp)" \
			"$(works "$run" guard)" "$(lacks "$run")"
	done
	for run in "${all[@]}"; do
		printf '\n'
		section "$run"
	done
}

# tracked VERSION: its section in the tracked file
tracked() {
	awk -v head="## Linux $1" '/^## / { on = $0 == head } on { lines[++n] = $0; if ($0 != "") last = n }
		END { for (i = 1; i <= last; i++) print lines[i] }' "$doc"
}

compare() {
	local version found
	if ! gojq -e .features "$1/check.json" >/dev/null 2>&1; then
		echo "mpbpf check --json gave nothing to compare:"
		cat "$1/check.log"
		return
	fi
	version=$(version "$1")
	found=$(tracked "$version")
	# This machine's own kernel may be one that nobody wrote about.
	[ -n "$found" ] || [ "${1##*/}" != host ] || return 0
	diff -u --label docs/kernels.md --label "found on $version" <(echo "$found") <(section "$1") ||
		echo "if that is as it should be: make kernels-doc"
}

"$@"
