#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Includes point down only: reads the compiler's .d files, and the headers themselves, against the floors of the layout.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}

# Prints "floor room" of a project file; nothing for what has no floor (system headers, tests).
floor_of() {
	case $1 in
	include/mpbpf/*) echo 0 abi ;;
	vmlinux.h) echo 1 vmlinux ;;
	bpf/include/*) echo 1 bpf ;;
	bpf/*/*) echo 2 "${1%/*}" ;;
	core/*) echo 3 core ;;
	userspace-auth/* | gateway/* | admin/*) echo 4 "${1%%/*}" ;;
	"$build"/mpbpf.skel.h) echo 5 skeleton ;;
	loader/* | agent/*) echo 5 programs ;;
	esac
}

faults=0
fault() {
	echo "# $1"
	faults=$((faults + 1))
}

# A file may include its own room and lower floors; only BPF code sees vmlinux.h, only loader/ and agent/ the skeleton.
judge() {
	local from=$1 to=$2 ff fr tf tr
	read -r ff fr < <(floor_of "$from") || return 0
	read -r tf tr < <(floor_of "$to") || return 0
	[ "$fr" = "$tr" ] && return 0
	[ "$fr" = programs ] && [ "$tr" = skeleton ] && return 0
	if [ "$tr" = vmlinux ]; then
		[[ $from == bpf/* ]] || fault "$from includes vmlinux.h, which only BPF code may"
	elif [ "$tf" -ge "$ff" ]; then
		fault "$from (floor $ff, $fr) includes $to (floor $tf, $tr)"
	fi
}

# "obj.o: source header header" over continued lines; what -MP adds comes after them.
judge_depfile() {
	local words w source=
	read -r -a words < <(sed '/[^\\]$/q' "$1" | tr '\\\n' '  ') || true
	for w in "${words[@]:1}"; do
		if [ -z "$source" ]; then source=$w; else judge "$source" "$w"; fi
	done
}

# The compiler does not say which header included which: each quoted include, looked up as the compiler does.
judge_header() {
	local name dir
	while read -r name; do
		for dir in "$(dirname "$1")" . include bpf/include "$build"; do
			if [ -e "$dir/$name" ]; then
				dir=${dir#.}
				judge "$1" "${dir:+$dir/}$name"
				break
			fi
		done
	done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$1")
}

count=0
while read -r d; do
	judge_depfile "$d"
	count=$((count + 1))
done < <(find "$build" -name '*.d' -type f | sort)
while read -r h; do
	judge_header "$h"
done < <(find include bpf core userspace-auth loader agent gateway admin -name '*.h' -type f 2>/dev/null | sort)

echo 1..2
[ "$count" -gt 0 ] && echo "ok 1 - $count dependency files read" || echo "not ok 1 - no dependency files in $build: build first"
[ "$faults" -eq 0 ] && echo "ok 2 - includes point down only" || echo "not ok 2 - $faults includes point up or sideways"
[ "$count" -gt 0 ] && [ "$faults" -eq 0 ]
