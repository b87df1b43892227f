#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A revoked token, subject or jti is refused at the next request of every open connection, and stays so through all that empties
# the cache; an end that was given is kept.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# ---- kept connections ----

# kept NAME TOKEN: the status of a request on the connection of that name, which is long enough to be answered by the kernel
kept() {
	session_read "$1" "send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$2")\r\nX-Filler: $filler\r\n\r\n" status
}
printf -v filler '%0120d' 0

# kept_is STATUS NAME TOKEN: for wait_for
kept_is() {
	[ "$(kept "$2" "$3")" = "$1" ]
}

# verdict ARGS: mpbpf verdict, its whole output kept
verdict() {
	mpbpf verdict "$@" >"$work/said" 2>&1
	local rc=$?
	cat "$work/said" >>"$work/all-said"
	cat "$work/said"
	return "$rc"
}

# of_token ACTION TOKEN [ARGS]: the token goes in over standard input
of_token() {
	local action=$1 t=$2
	shift 2
	printf '%s\n' "$t" | verdict "$action" --token-file - "$@"
}

claims() {
	jwt "{\"sub\":\"$1\",\"jti\":\"$2\",\"exp\":$((EPOCHSECONDS + 600 * slow))}"
}

net_up
mkdir "$cgroup/a" "$cgroup/b"
cgroup_b=$cgroup/b cgroup=$cgroup/a
server_start
config_write 'listeners=[{"name": "web", "port": 8080}, {"name": "other", "port": 8081, "auth": {
	"jwt_secret": "'"$secret"'", "leeway_s": 3600}}]'
nginx_start "$work/other" "$cgroup" 8081
mpbpf_load
one=$(claims alice id-1) two=$(claims alice id-2) three=$(claims bob id-3) four=$(claims carol id-4)
for c in a b c d s; do
	session "$c" "connect $server_ip 8080"
done

# ---- by token ----

is "$(kept a "$three") $(kept a "$three") $(kept b "$three") $(kept c "$four")" "200 200 200 200" "open connections, good tokens"
matches "$(of_token revoke "$three")" '^revoked until 20[0-9-]+T[0-9:]+Z; cached verdicts turned into denials: 1$' \
	"a token is revoked, until it would end"
before
accessed_reset
is "$(kept a "$three") $(kept b "$three")" "403 403" "the next request of each open connection is refused"
is "$(moved requests.asked) $(moved requests.denied.bad_token)" "0 2" "by the kernel alone, as a bad token"
is "$(kept c "$four")" 200 "another token is not"
accessed_is 1 "and the service saw only that"
before
is "$(http -H "$(bearer "$three")" /echo)" 403 "a new connection is refused"
is "$(port=8081 http -H "$(bearer "$three")" /echo)" 403 "also where another auth block had not seen the token"
is "$(port=8081 http -H "$(bearer "$three")" /echo) $(moved requests.asked)" "403 1" "which asked once"
end=$(verdict list --json | jq '.revocations[0].expires')
between "$end" $((EPOCHSECONDS + 600 + 3600)) $((EPOCHSECONDS + 600 * slow + 2 * 86400)) "it outlasts the token under any leeway"
check "to revoke it again changes nothing" of_token revoke "$three"
is "$(verdict list --json | jq -c '[.revocations[].expires]')" "[$end]" "not its end either"

# ---- by subject, by jti ----

is "$(kept a "$one") $(kept b "$two") $(kept c "$four")" "200 200 200" "two tokens of a subject, and one of another"
matches "$(verdict revoke --sub alice)" '^revoked for good; .*: 2$' "the subject is revoked"
is "$(kept a "$one") $(kept b "$two") $(kept c "$four")" "403 403 200" "both are refused, the other is not"
is "$(kept a "$(claims alice id-9)")" 403 "and so is one that the subject gets later"
is "$(kept a "$(claims alice2 id-9)") $(kept a "$(jwt '{}')")" "200 200" "but none of another subject, or of none"
five=$(claims carol id-5)
is "$(kept a "$four") $(kept b "$five")" "200 200" "two tokens of a subject"
matches "$(verdict revoke --jti id-4)" '^revoked until .*: 1$' "one is revoked by its jti"
is "$(kept a "$four") $(kept b "$five")" "403 200" "it alone is refused"

# ---- static tokens ----

encoded=$(printf static-token-1 | base64)
is "$(kept a static-token-1) $(kept b "$encoded") $(kept c "${encoded%%=*}")" "200 200 200" "a static token has several texts"
matches "$(of_token revoke "$encoded")" '^revoked for good; .*: 3$' "one of them is revoked"
is "$(kept a static-token-1) $(kept b "$encoded") $(kept c "${encoded%%=*}")" "403 403 403" "they fall together"
check "flush" verdict flush
is "$(kept c "${encoded%%=*}") $(kept a static-token-1) $(kept b "$encoded")" "403 403 403" "also when they are asked for again"

# ---- a request that the helper has ----

six=$(claims dave id-6)
accessed_reset
before
session d "send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$six")\r\n"
session s "send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$five")\r\n"
wait_for 3 moved_is requests.asked -ge 2
is "$(moved requests.asked)" 2 "half of each of two requests is held"
check "a subject that was never seen is revoked" verdict revoke --sub dave
check "and a token that is cached" of_token revoke "$five"
is "$(session_read d 'send \r\n' status) $(session_read s 'send \r\n' status)" "403 403" "requests of which half was held are judged by that"
accessed_is 0 "the service saw neither"

# ---- what is said of it ----

seven=$(claims erin id-7) eight=$(claims frank id-8)
is "$(kept a "$seven") $(kept a "$three") $(kept a "$four")" "200 403 403" "a good token, and revoked ones"
verdict list --json >"$work/list"
is "$(jq -r '.verdicts[] | select(.decision == "allow") | .reason' "$work/list" | sort -u)" allowed "list: what is allowed"
is "$(jq -r '.verdicts[] | select(.revoked) | "\(.decision) \(.reason)"' "$work/list" | sort -u)" "deny bad_token" \
	"list: every revoked token is denied"
is "$(jq -r '.revocations[].kind' "$work/list" | sort | uniq -c | tr -s ' ' | paste -sd ,)" " 1 jti, 2 sub, 4 token" \
	"list: the revocations"
is "$(jq -c '.verdicts[0] | keys' "$work/list")" \
	'["auth","decision","expires","hash","jti","not_before","reason","revoked","stale","sub"]' "list: what a verdict has"
is "$(jq -r '.verdicts[] | select(.revoked) | .hash[:16]' "$work/list" | sort | uniq -d |
	grep -cxFf <(jq -r '.revocations[] | select(.kind == "token") | .hash' "$work/list"))" 0 "list: no hash stands twice"
is "$(verdict list | grep -cE '^verdict +[0-9a-f]{32} auth [01]: (allow|deny) \((allowed|bad_token)\)')" \
	"$(jq '.verdicts | length' "$work/list")" "list without --json: the same verdicts"
is "$(verdict list | grep -cE '^revocation +(token|sub|jti) [0-9a-f]{16}, made 20[^,]*Z, (for good|until 20.*Z)$')" 7 \
	"and the same revocations"
is "$(of_token show "$seven" --json | jq -c '[.known, .revoked, (.verdicts | length), .verdicts[0].decision]')" \
	'[true,false,1,"allow"]' "show: a good token"
printf '  %s\r\n\n' "$four" >"$work/token"
is "$(verdict show --token-file "$work/token" --json | jq -c '[.known, .revoked, .verdicts[0].decision]')" \
	'[true,true,"deny"]' "show: a revoked one, from a file with blanks"
matches "$(verdict show --token-file "$work/token" | paste -sd ' ')" '^revoked until 20.*Z verdict .* deny \(bad_token\).*, revoked$' \
	"show without --json: the same"
matches "$(of_token show static-token-1 | head -n 1)" '^revoked for good$' "show: without an end"
is "$(of_token show "$eight"; echo $?)" "$(printf 'unknown, and not revoked\n1')" "show: exit status 1 for an unknown one"
is "$(of_token show "$eight" --json | jq -c .)" '{"known":false,"revoked":false,"revoked_until":null,"verdicts":[]}' \
	"and the same in JSON"
check "a token that was never seen is revoked" of_token revoke "$eight"
is "$(of_token show "$eight"; echo $?)" "$(printf 'revoked for good\n0')" "show: then that is known of it"
is "$(kept a "$eight") $(kept a "$seven")" "403 200" "and holds"

# ---- what empties the cache, and who serves it ----

refused() {
	is "$(kept a "$three") $(kept b "$one") $(kept c "$four") $(kept a static-token-1) $(kept a "$eight")" \
		"403 403 403 403 403" "$1: all that was revoked is refused"
	is "$(kept b "$seven")" 200 "$1: and nothing else"
}

matches "$(verdict flush)" '^[0-9]+ verdicts forgotten$' "flush"
is "$(verdict list --json | jq -c '[(.verdicts | length), (.revocations | length)]')" '[0,8]' "flush leaves the revocations"
refused "flush"
check "reload" mpbpf reload
is "$(verdict list --json | jq -c '[.verdicts[] | .stale, .decision] | unique')" '[true,"ask"]' "verdicts are stale after a reload"
refused "reload"
agent_kill
is "$(kept a "$three") $(kept b "$one") $(kept b "$seven")" "403 403 200" "no agent: the kernel refuses what it knows to be revoked"
check "no agent: a token is revoked" of_token revoke "$seven"
is "$(kept b "$seven")" 403 "no agent: at its next request it is refused"
check "no agent: flush" verdict flush
agent_start
wait_for 10 http_is 200 -H "$(bearer "$(claims new id-10)")" /echo
seven=$(claims erin id-11)
refused "a new agent"

# ---- an end ----

# How many entries the map has, ended ones among them.
revocations() {
	bpftool -j map dump pinned "$pin_root/maps/revocations" | jq length
}

revocations_at_most() {
	[ "$(revocations)" -le "$1" ]
}

ten=$(claims henry id-12)
is "$(kept a "$ten")" 200 "a good token"
check "it is revoked for a while" of_token revoke "$ten" --for $((4 * pace))s
is "$(kept a "$ten") $(kept b "$ten")" "403 403" "and refused"
between "$(of_token show "$ten" --json | jq ".revoked_until - $EPOCHSECONDS")" 0 $((4 * pace)) "for no longer"
before
wait_for 10 kept_is 200 a "$ten"
is "$(kept a "$ten") $(kept b "$ten")" "200 200" "then it is good again"
is "$(moved requests.asked)" 1 "after it was asked for once"
matches "$(of_token show "$ten")" '^not revoked$' "show says so"
n=$(revocations)
is "$(verdict list --json | jq '.revocations | length')" $((n - 1)) "list does not show what has ended"
eleven=$(claims judy id-16)
is "$(kept a "$eleven")" 200 "a good token"
hash=$(of_token show "$eleven" --json | jq -r '.verdicts[0].sub' | fold -w 2 | tac | paste -sd ' ')
agent_kill
# What is left of a revocation that came between the two looks of a helper that was then killed: the cache knows nothing of it.
# shellcheck disable=SC2086
check "a revocation that the cache missed" bpftool map update pinned "$pin_root/maps/revocations" \
	key hex 01 00 00 00 00 00 00 00 $hash \
	value hex ff ff ff ff ff ff ff 7f 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
is "$(kept a "$eleven")" 200 "so it passes"
before
agent_start
wait_for 10 kept_is 403 a "$eleven"
is "$(kept a "$eleven") $(moved requests.asked)" "403 0" "a new agent holds the cache against the revocations"
wait_for 10 revocations_at_most "$n"
is "$(revocations)" "$n" "and deletes what has ended"
check "a subject for 1 s" verdict revoke --sub ivan --for 1s
check "and for an hour" verdict revoke --sub ivan --for 1h
pause $((1100 / pace))
is "$(kept a "$(claims ivan id-13)")" 403 "the last word counts"
check "a jti for 1 s" verdict revoke --jti id-14 --for 1s
pause $((2000 / pace))
n=$(revocations)
check "another one" verdict revoke --jti id-15
is "$(revocations)" "$n" "revoke deletes what has ended"

# ---- another instance ----

link_up eth1 1
nginx_start "$work/third" "$cgroup_b" 8082
config=$work/b.json config_write 'listeners=[{"name": "b", "port": 8082}]'

# other COMMAND [ARGS]: the same in the other instance
other() {
	local pin_root=$work/bpf/b cgroup=$cgroup_b port=8082
	"$@"
}
check "another instance loads" other mpbpf load --iface eth1 --config "$work/b.json"
is "$(other http -H "$(bearer "$three")" /echo) $(other http -H "$(bearer "$one")" /echo)" "200 200" \
	"it knows nothing of revocations made here"
check "a token is revoked there" other of_token revoke "$ten"
is "$(other http -H "$(bearer "$ten")" /echo) $(kept a "$ten")" "403 200" "which holds there, and not here"
check "it unloads" other mpbpf unload

# ---- at the same time ----

# Each token is asked for the first time just when it is revoked.
late=0
for i in {1..20}; do
	t=$(claims kim "race-$i")
	http -H "$(bearer "$t")" /echo >"$work/first" &
	first=$!
	of_token revoke "$t" >"$work/revoked" || late=$((late + 1))
	[ "$(http -H "$(bearer "$t")" /echo)" = 403 ] || late=$((late + 1))
	wait "$first"
	[ "$(http -H "$(bearer "$t")" /echo)" = 403 ] || late=$((late + 1))
done
is "$late" 0 "20 tokens, asked for and revoked at the same time: each is refused from then on"

# ---- no room ----

room=$(bpftool -j map show pinned "$pin_root/maps/revocations" | jq .max_entries)
"$tools/revoked" "$pin_root/maps/revocations" >>"$log" 2>&1 || diag "the map cannot be filled"
is "$("$build/mpbpf" verdict list --json --pin-root "$pin_root" | grep -o '"kind"' | wc -l)" "$room" "$room revocations are all that there is room for"
twelve=$(claims leo id-17)
of_token revoke "$twelve" >"$work/out"
is "$?" 1 "one more fails"
matches "$(cat "$work/said")" "^mpbpf: not revoked: there is room for $room revocations" "and says why"
check "one that is there can be renewed" of_token revoke "$three"
is "$(kept a "$twelve") $(kept b "$three")" "200 403" "what is said is so"

# ---- all is taken back ----

check "flush --revocations" verdict flush --revocations
is "$(verdict list --json | jq -c .)" '{"revocations":[],"verdicts":[]}' "list: nothing is left"
is "$(kept a "$three") $(kept b "$one") $(kept c "$four") $(kept a static-token-1)" "200 200 200 200" "what was revoked is good again"

# ---- wrong usage ----

# wrong STATUS WHAT ARGS: what it says on standard error contains no token
wrong() {
	local status=$1 what=$2
	shift 2
	mpbpf verdict "$@" >"$work/out" 2>"$work/err" <"$work/in"
	is "$? $(wc -c <"$work/out") $(wc -l <"$work/err")" "$status 0 1" "$what: $status, and one line says why"
	cat "$work/err" >>"$work/all-said"
}
echo "$three" >"$work/in"
wrong 2 "no action"
wrong 2 "an unknown action" remove
wrong 2 "a token for an action" "$three"
wrong 2 "revoke what?" revoke
wrong 2 "a token as an argument" revoke "$three"
wrong 2 "two things at a time" revoke --sub alice --jti id-1
wrong 2 "a subject twice" revoke --sub alice --sub bob
wrong 2 "an empty subject" revoke --sub ''
wrong 2 "an empty jti" revoke --jti ''
wrong 2 "an option without its value" revoke --sub
for span in 0s -1s 5 s 1w 1.5h 10mm ' 1s' 99999999999999999999s 36501d; do
	wrong 2 "--for '$span'" revoke --sub alice --for "$span"
done
wrong 2 "flush takes no token" flush --token-file -
wrong 2 "list takes no subject" list --sub alice
wrong 2 "show which?" show
wrong 2 "no such file" revoke --token-file "$work/none"
wrong 2 "a directory" revoke --token-file "$work"
printf '' >"$work/in"
wrong 2 "an empty token" revoke --token-file -
printf 'Bearer %s\n' "$three" >"$work/in"
wrong 2 "more than a token" revoke --token-file -
printf '%s\n%s\n' "$one" "$three" >"$work/in"
wrong 2 "two tokens" revoke --token-file -
head -c 8193 /dev/zero | tr '\0' a >"$work/in"
wrong 2 "a token over 8 KiB" revoke --token-file -
is "$(verdict list --json | jq '.revocations | length')" 0 "nothing of that revoked anything"
pin_root=$work/bpf/none
for action in list show\ --token-file\ - revoke\ --sub\ alice flush; do
	echo "$three" >"$work/in"
	# shellcheck disable=SC2086
	wrong 1 "nothing is loaded: $action" $action
done
pin_root=$work/bpf/mpbpf

# ---- secrets ----

cat "$log" "$work"/list "$work"/all-said /run/mpbpf/*/agent.log >"$work/written" 2>/dev/null
for t in "$one" "$two" "$three" "$four" "$five" "$eight" "$ten" static-token-1 "$encoded" "$secret"; do
	echo "$t"
	cut -d . -f 3 <<<"$t"
done >"$work/secrets"
between "$(wc -l <"$work/written")" 50 100000 "there is something written"
is "$(grep -cFf "$work/secrets" "$work/written")" 0 "no token and no secret in any output or log"
bpftool -j map dump pinned "$pin_root/maps/revocations" >"$work/dump"
is "$(grep -cE 'alice|id-' "$work/written" "$work/dump" | cut -d : -f 2 | paste -sd ' ')" "0 0" "nor a subject or a jti"
check "unload" mpbpf unload
tap_done
