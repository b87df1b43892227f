#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The documentation says what is so: commands, options, targets, files, maps, counters; and README's first steps work as written.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

cd "$top" || bail "no $top"
docs=(README.md CONTRIBUTING.md docs/ARCHITECTURE.md docs/kernel-notes.md docs/config.md docs/security.md)
architecture=docs/ARCHITECTURE.md

# none DESCRIPTION < FILE: the lines, which should be none, name what is wrong
none() {
	is "$(sort -u | paste -sd ' ')" "" "$1"
}

# lacking FILE [PREFIX [SUFFIX]]: the lines of standard input that FILE does not contain between PREFIX and SUFFIX
lacking() {
	local line text
	text=$(<"$1")
	while read -r line; do
		[[ $text == *"${2-}$line${3-}"* ]] || echo "$line"
	done
}

# options: the names of the long options in a text, without the dashes
options() {
	grep -oE -e '--[a-z][a-z-]*' | sed 's/^--//'
}

# blocks KIND FILE...: what stands in the blocks of that kind
blocks() {
	local kind=$1
	shift
	sed -n "/^\`\`\`$kind\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$@"
}

# ---- the command line ----

"$build/mpbpf" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]\+\) .*/\1/p' >"$work/commands"
while read -r command; do
	"$build/mpbpf" "$command" --help | grep -oE '^  --[a-z-]+' | options >"$work/options.$command"
done <"$work/commands"
"$build/mpbpfd" --help | grep -oE '^  --[a-z-]+' | options >"$work/options.mpbpfd"
cat "$work"/options.* | sort -u >"$work/options"
sed -e 's/\\-/-/g' -e 's/\\f.//g' -e 's/nsenter --net//' docs/mpbpf.8 >"$work/man"

between "$(wc -l <"$work/commands")" 5 40 "mpbpf --help lists the commands"
between "$(wc -l <"$work/options")" 10 30 "the helps list the options"
none "the man page has every command" < <(lacking "$work/man" '.B ' <"$work/commands")
none "the man page has every option" < <(lacking "$work/man" -- <"$work/options")
none "and no other option" < <(options <"$work/man" | grep -vxFf "$work/options")
none "README names every command" < <(lacking README.md 'mpbpf ' <"$work/commands")

# "mpbpf COMMAND [ARGS]", quoted or in a block.
{
	grep -ohE '`mpbpf [a-z]+[^`]*' "${docs[@]}" | tr -d '`'
	blocks sh "${docs[@]}" | sed -n '/^mpbpf /s/ *#.*//p'
} >"$work/quoted"
between "$(wc -l <"$work/quoted")" 20 1000 "the documents name commands"
none "and none that is not there" < <(cut -d ' ' -f 2 "$work/quoted" | grep -vxFf "$work/commands")
none "and no option that its command does not take" < <(
	while read -r _ command arguments; do
		[[ ! -e $work/options.$command || $arguments != *--* ]] ||
			options <<<"$arguments" | grep -vxFf "$work/options.$command" | sed "s/^/$command:/"
	done <"$work/quoted"
)
none "the unit gives mpbpfd options that it takes" < <(
	sed -n 's/^ExecStart=[^ ]*mpbpfd//p; s/^#.*MPBPF_OPTIONS=//p' deploy/mpbpf.service | options |
		grep -vxFf "$work/options.mpbpfd"
)
none "the unit runs commands that there are" < <(
	sed -n 's/^Exec.*\/mpbpf \([a-z]*\).*/\1/p' deploy/mpbpf.service | grep -vxFf "$work/commands"
)

# ---- the build, files, licences ----

# What `make help` prints, without make: a machine that only runs the tests need not have it.
sed -n '/^help:/,/^$/s/^\t@//p' Makefile | sed 's/\$\$/$/g' | bash | awk '{ print $1 }' >"$work/targets"
between "$(wc -l <"$work/targets")" 10 50 "make help lists targets"
none "every one that there is" < <(grep -oE '^[a-z0-9-]+:.*##' Makefile | sed 's/:.*//' | grep -vxFf "$work/targets")
none "CONTRIBUTING names every target" < <(lacking CONTRIBUTING.md 'make ' '`' <"$work/targets")
none "no document names another" < <(
	grep -ohE '(`|^)make [a-z0-9-]+' "${docs[@]}" | sed 's/.*make //' | grep -vxFf "$work/targets"
)

none "links lead to files" < <(
	for doc in "${docs[@]}"; do
		dir=.
		[[ $doc != */* ]] || dir=${doc%/*}
		grep -oE '\]\([^)#]+\)' "$doc" | sed 's/^](//; s/)$//' | while read -r link; do
			[ -e "$dir/$link" ] || echo "$doc:$link"
		done
	done
)
rooms='bpf|core|userspace-auth|gateway|loader|agent|include|tests|docs|examples|deploy|scripts|LICENSES'
none "files that are named are there" < <(
	grep -ohP "(?<![\\w/.\$-])($rooms)/[\\w./*-]*[\\w/*]" "${docs[@]}" LICENSE | grep -v '/ROOM/' | sort -u |
		while read -r path; do
			compgen -G "$path" >/dev/null || [ -e "$path" ] || echo "$path"
		done
)

sources() {
	find bpf core userspace-auth gateway loader agent include tests scripts deploy vmlinux.h Makefile \
		-name '*.[ch]' -o -name '*.sh' -o -name '*.mjs' -o -name '*.service' -o -name Makefile
}
between "$(sources | wc -l)" 100 10000 "there are sources"
none "each names its licence" < <(sources | xargs grep -L 'SPDX-License-Identifier: ')
none "whose text is in LICENSES/, which LICENSE says" < <(
	sources | xargs grep -hoE 'SPDX-License-Identifier: [A-Za-z0-9. -]+' | sed 's/.*: //; s/ *-*$//' | tr ' ' '\n' |
		sort -u | grep -vxE 'OR|WITH|AND|' | while read -r licence; do
		[ -s "LICENSES/$licence.txt" ] && grep -qF "LICENSES/$licence.txt" LICENSE || echo "$licence"
	done
)

# ---- the data path ----

row=("$architecture" '| `' '` |')
none "every program has its row" < <(sed -n 's/^int \([a-z_]*\)(.*/\1/p' bpf/*/*.bpf.c | lacking "${row[@]}")
sed -n 's/^} \([a-z0-9_]*\) __weak SEC(".maps");/\1/p' bpf/include/maps*.h >"$work/maps"
between "$(wc -l <"$work/maps")" 10 80 "maps*.h have maps"
none "every map has its row" < <(lacking "${row[@]}" <"$work/maps")
sed -n '/^enum conn_state/,/^}/s/^\t\(CONN_[A-Z]*\),.*/\1/p' include/mpbpf/abi*.h | grep -v MAX >"$work/states"
between "$(wc -l <"$work/states")" 5 20 "a connection has states"
none "every state has its row" < <(lacking "${row[@]}" <"$work/states")

# ---- README's first steps, as they stand ----

net_up
server_start
steps=$work/steps
mkdir "$steps"
ln -s "$top/examples" "$steps/examples"
sed -n '/^## First/,/^## What it does not/p' README.md >"$steps/section"
blocks sh "$steps/section" >"$steps/run"
blocks json "$steps/section" >"$steps/shown.json"
check "README shows examples/minimal.json" cmp "$steps/shown.json" examples/minimal.json
between "$(grep -c '^mpbpf ' "$steps/run")" 5 20 "README's steps were found"
(
	set -e
	curl() { in_server curl -s --max-time 5 "$@"; }
	cd "$steps"
	# shellcheck disable=SC1091
	. ./run
) >"$work/out" 2>&1
rc=$?
is "$rc" 0 "they work as they stand"
[ "$rc" -eq 0 ] || diag "$(grep '^FAIL' "$work/out")" "$(tail -n 5 "$work/out")"
is "$(tr -d '\r' <"$work/out" | grep -E '^(HTTP/|Server:)' | paste -sd ' ' | sed 's,nginx/.*,nginx,')" \
	"HTTP/1.1 401 Unauthorized HTTP/1.1 404 Not Found Server: nginx" "no token: 401 and not from the service; a token: from it"
sed -n 's/^\(ok\|FAIL\) *\([a-z_0-9]*\) .*/\2/p' "$work/out" >"$work/features"
between "$(wc -l <"$work/features")" 10 50 "mpbpf check tries features"
none "every one is documented" < <(lacking docs/kernel-notes.md '`' '`' <"$work/features")
is "$(pins)" "" "at their end nothing is loaded"
[ -z "$(pins)" ] || mpbpf unload >>"$log" 2>&1

# ---- what is loaded ----

config=$steps/mpbpf.json
mpbpf_load --no-agent
text=$(<"$architecture")
seen=0 wrong=
bpf_objects map -f
for object in "${objects[@]}"; do
	[[ $object =~ \ max_entries\ ([0-9]+)\ .*\ pinned\ "$pin_root/maps/"([a-z0-9_]+) ]] || continue
	entries=${BASH_REMATCH[1]} map=${BASH_REMATCH[2]} seen=$((seen + 1))
	row="\\| \`$map\` \\| [^|]* \\| $entries( bytes)? \\|"
	[[ $entries = 0 || $text =~ $row ]] || wrong+=" $map:$entries"
done
is "$wrong" "" "every map is as large as its row says"
between "$seen" 10 80 "maps are pinned"
none "each of them is one of maps*.h" < <(find "$pin_root/maps" -type f -printf '%f\n' | grep -vxFf "$work/maps")

sed -n '/^## Counters/,/^## Floors/p' "$architecture" >"$work/documented"
stats | jq -r 'paths(scalars) | join(".")' >"$work/counters"
between "$(wc -l <"$work/counters")" 30 150 "stats --json has counters"
none "every counter is documented" < <(lacking "$work/documented" '`' '`' <"$work/counters")
none "and none that is not there" < <(
	grep -ohE '`(xdp|requests|verdicts|connections)\.[a-z0-9_.]+`' "${docs[@]}" | tr -d '`' | grep -vxFf "$work/counters"
)
is "$(mpbpf stats | awk '{ print $1 }' | sort)" "$(sort "$work/counters")" "stats prints the same without --json"
mpbpf status --json | jq -r 'paths | map(strings) | last // empty' | sort -u >"$work/keys"
between "$(wc -l <"$work/keys")" 10 50 "status --json has keys"
none "every one is documented" < <(lacking "$work/documented" '`' '`' <"$work/keys")
check "unload" mpbpf unload
tap_done
