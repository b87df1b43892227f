#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The documentation says what is so of a loaded data path: maps, counters, keys; and README's first steps work as written. The rest
# is in tests/documents.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=docs.sh
. "${0%/*}/docs.sh"
sandbox "$@"

cd "$top" || bail "no $top"

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
none "each of them is one of maps*.h" < <(find "$pin_root/maps" -type f -printf '%f\n' | grep -vxFf <(maps))

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
