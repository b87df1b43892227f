#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The documentation says what is so: commands, options, targets, files, licences, programs, maps. What takes a loaded data path is
# in tests/e2e/t_docs.sh.
# shellcheck source-path=SCRIPTDIR/e2e source=e2e/tap.sh
. "$(dirname "$0")/e2e/tap.sh"
set -u
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1
# shellcheck source-path=SCRIPTDIR/e2e source=e2e/docs.sh
. tests/e2e/docs.sh
build=${BUILD:-build}
work=$(mktemp -d /tmp/mpbpf-documents-XXXXXXXX)
log=/dev/null
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' INT TERM HUP

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
maps >"$work/maps"
between "$(wc -l <"$work/maps")" 10 80 "maps*.h have maps"
none "every map has its row" < <(lacking "${row[@]}" <"$work/maps")
sed -n '/^enum conn_state/,/^}/s/^\t\(CONN_[A-Z]*\),.*/\1/p' include/mpbpf/abi*.h | grep -v MAX >"$work/states"
between "$(wc -l <"$work/states")" 5 20 "a connection has states"
none "every state has its row" < <(lacking "${row[@]}" <"$work/states")

tap_done
