#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Includes point down only: reads the compiler's .d files, and the headers themselves, against the floors of the layout.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}

# The `floor` and the `room` of a project file; fails for what has none (system headers, tests).
floor_of() {
	room=
	case $1 in
	include/mpbpf/*) floor=0 room=abi ;;
	vmlinux.h) floor=1 room=vmlinux ;;
	bpf/include/*) floor=1 room=bpf ;;
	bpf/*/*) floor=2 room=${1%/*} ;;
	core/*) floor=3 room=core ;;
	userspace-auth/* | gateway/* | admin/*) floor=4 room=${1%%/*} ;;
	"$build"/mpbpf.skel.h) floor=5 room=skeleton ;;
	loader/* | agent/*) floor=5 room=programs ;;
	esac
	[ -n "$room" ]
}

faults=0
fault() {
	echo "# $1"
	faults=$((faults + 1))
}

# A file may include its own room and lower floors; only BPF code sees vmlinux.h, only loader/ and agent/ the skeleton.
judge() {
	local from=$1 to=$2 floor room ff fr tf tr
	floor_of "$from" || return 0
	ff=$floor fr=$room
	floor_of "$to" || return 0
	tf=$floor tr=$room
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
		for dir in "${1%/*}" . include bpf/include "$build"; do
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
