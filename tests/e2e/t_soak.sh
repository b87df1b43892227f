#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A guarded service under all that clients do at once: every byte in both directions is right, nothing denied gets through,
# nothing is lost, doubled or left behind, and the kernel has nothing to complain about.
#
# SOAK_SECONDS of load (10), and SOAK_SEED to repeat a plan. Time is the bound: a slow machine does less in it.
# shellcheck disable=SC2154 source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=kernel_log.sh
. "${0%/*}/kernel_log.sh"
seconds=${SOAK_SECONDS:-10}
time_limit=$((time_limit + seconds))
sandbox "$@"

new_tokens=400
rss_growth_max=8192 # kB: what the connections can have in the helper's hands at the worst; a good run leaves less than 1000

# totals FILE: its NAME=NUMBER words into `total`
declare -A total
totals() {
	local words word
	read -rd '' -a words <"$1"
	for word in "${words[@]}"; do
		[[ ! $word =~ ^([a-z_]+)=([0-9]+)$ ]] || total[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
	done
}

# rss PID: kB of memory of its own; the ring buffer's pages, which are mapped, are the kernel's
rss() {
	local name value
	while read -r name value _; do
		[ "$name" != RssAnon: ] || echo "$value"
	done <"/proc/$1/status"
}

taint=$(</proc/sys/kernel/tainted)
mark=$(kernel_log_mark)
net_up
printf -v static ', "soak-token-%d"' $(seq $new_tokens)
config_write "auth.base64_tokens=[\"static-token-1\"$static]"
mpbpf_load
in_cgroup "$cgroup" "$tools/soak" server 8080 >"$work/server" 2>&1 </dev/null &
server=$!
wait_for 10 test -s "$work/server" || bail "the service does not start"
totals "$work/server"
tokens_read 2 soak
{
	printf 'known %s\n' static-token-1 "${tokens[@]}"
	printf 'bad %s\n' "$(jwt '{"sub":"soak"}' another-secret)" "$(token late -1000)"
	printf 'new soak-token-%d\n' $(seq $new_tokens)
} >"$work/tokens"
agent=$(agent_pids)
rss_before=$(rss "$agent")
before

in_client "$tools/soak" client ${SOAK_SEED:+-s "$SOAK_SEED"} -t "$seconds" -w $((10 + 2 * slow)) \
	"$work/tokens" 8080 "$server_ip" "$server_ip6" >"$work/client" 2>&1
rc=$?
diag "$(<"$work/client")"
is "$rc" 0 "clients: each answer is the one deserved, in its place, whole, and no byte of it differs"
wait_for 15 figure_is connections.open -eq "${figures_before[connections.open]}"
after
kill -TERM "${total[pid]}"
wait "$server"
rc=$?
diag "$(<"$work/server")"
is "$rc" 0 "service: each request is one that a client sent, in its place, whole, and no byte of it differs"
totals "$work/client"
totals "$work/server"
is "${total[denied]-none}" 0 "service: nothing denied was seen"
is "${total[twice]-none}" 0 "service: nothing was seen twice"

# A client that resets or cuts a connection does not know what became of its last requests; of all others it does.
seen=${total[seen]-none} answered=${total[answered]} denials=$((total[no_token] + total[bad_token]))
allowed=${moved[requests.allowed]} denied=0
for counter in requests.denied.{no_token,bad_token,expired}; do
	denied=$((denied + moved[$counter]))
done
between "$seen" "$answered" "$allowed" "the service saw all that was answered, and nothing that was not allowed"
between "$allowed" "$seen" $((answered + total[unanswered])) "no more was allowed than was answered, or cut off by its client"
between "$denied" "$denials" $((denials + total[undenied])) "every denial is counted, once"
for counter in requests.denied.{bad_request,too_large,helper_down} connections.{refused,broken}; do
	is "${moved[$counter]}" 0 "$counter: none"
done
is "${figures[connections.open]}" "${figures_before[connections.open]}" "no connection is left"
is "$(watched)" 0 "none is watched"
rss_after=$(rss "$agent")
diag "mpbpfd: $rss_before kB, then $rss_after kB; it was asked ${moved[requests.asked]} times"
between "$rss_after" 1 $((rss_before + rss_growth_max)) "the agent lives, and its memory did not grow by $rss_growth_max kB"

what="the kernel logged no fault"
if [ -n "$mark" ]; then
	is "$(kernel_faults_since "$mark")" "" "$what"
else
	skip "$what" "/dev/kmsg cannot be read"
fi
is "$(</proc/sys/kernel/tainted)" "$taint" "the kernel is tainted no more than before"

# What even a slow machine does; a soak with less than that of any kind would prove little.
total[asked]=${moved[requests.asked]}
for kind in requests=100 answered=60 no_token=5 bad_token=5 asked=40 new_tokens=10 bytes_out=400000 bytes_in=250000 \
	split=50 pipelined=8 chunked=10 long_heads=2 slow=2 resets=2 cut_heads=2 cut_answered=1 cut_bodies=2 last=2 \
	joined=3; do
	between "${total[${kind%=*}]}" "${kind#*=}" 1000000000000 "enough of it: at least $kind"
done
tap_done
