#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make demo`: real requests to an unmodified nginx that mpbpf guards with the sample configuration, then a packet flood.
# Who decided is read off the counters, request by request. Ends with status 1 when a line is not what it should be.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "${0%/*}/../e2e/lib.sh"
sandbox "$@"

config=$top/examples/mpbpf.json
read -r limit window secret < <(gojq -r '"\(.rate_limit.packets) \(.rate_limit.window_ms) \(.auth.jwt_secret)"' "$config")
faults=0

# decided: by whom, from what the last request moved
decided() {
	after
	if [ "${moved[requests.asked]}" -gt 0 ]; then
		echo helper
	elif [ "${moved[verdicts.hits]}" -gt 0 ]; then
		echo 'kernel cache'
	else
		echo kernel
	fi
}

# verdict HOLDS: marks a line, and counts those that do not hold
verdict() {
	if "$@"; then
		echo
	else
		faults=$((faults + 1))
		echo '   <-- wrong'
	fi
}

as_expected() {
	[ "$status" = "$1" ] && [ "$by" = "$2" ]
}

# request WHAT STATUS DECIDED_BY CURL_ARGS: a line of the table
request() {
	local what=$1 want=$2 want_by=$3 status by time
	shift 3
	before
	read -r status time < <(in_client curl -s -o "$work/body" -w '%{http_code} %{time_total}\n' --max-time $((10 * slow)) "$@")
	by=$(decided)
	time=$(awk -v s="${time:-0}" 'BEGIN { printf "%.2f", s * 1000 }')
	printf '  %-34s %-7s %-13s %6s ms' "$what" "$status" "$by" "$time"
	verdict as_expected "$want" "$want_by"
}

# xdp WHEN: the counters of the interface
xdp() {
	figures_read figures
	printf '  %-14s %9s %9s %9s %9s\n' "$1" "${figures[xdp.packets]}" "${figures[xdp.passed]}" \
		"${figures[xdp.dropped.rate_limit]}" "${figures[xdp.sources]}"
}

net_up
server_start
mpbpf load --iface eth0 --config "$config" >>"$log" 2>&1 </dev/null || bail "mpbpf load failed: $(tail -n 20 "$log")"

url=http://$server_ip:8080 url6=http://[$server_ip6]:8080
good=$(token alice)
echo "$(nginx -v 2>&1 | sed 's/.*: //') on $server_ip and $server_ip6, port 8080," \
	"guarded by $("$build/mpbpf" --version | head -n 1) with examples/mpbpf.json"
echo
printf '  %-34s %-7s %-13s %9s\n' request status 'decided by' time
request 'no token' 401 kernel "$url/1000"
request 'good token, first time' 200 helper -H "$(bearer "$good")" "$url/1000"
request 'good token, again' 200 'kernel cache' -H "$(bearer "$good")" "$url/1000"
request 'good token, over IPv6' 200 'kernel cache' -H "$(bearer "$good")" "$url6/1000"
bad=$(jwt '{"sub":"mallory"}' another-secret)
request 'bad token, first time' 403 helper -H "$(bearer "$bad")" "$url/1000"
request 'bad token, again' 403 'kernel cache' -H "$(bearer "$bad")" "$url/1000"
request 'expired token' 403 helper -H "$(bearer "$(token bob -3600)")" "$url/1000"
request 'exempt path /healthz' 200 kernel "$url/healthz"
request '/healthzX, which is not exempt' 401 kernel "$url/healthzX"
request 'no token, over IPv6' 401 kernel "$url6/1000"

count=$((limit * 5))
echo
echo "a flood of $count packets from $other_ip; the limit is $limit in $window ms from one source"
echo
printf '  %-14s %9s %9s %9s %9s\n' XDP packets passed dropped sources
xdp before
before
read -r sent _ _ ms _ < <(in_client "$tools/flood" "$other_ip" "$server_ip" 9 "$count")
xdp after
echo
# Each window that the flood touched lets one limit through, and the flood may begin and end within one.
windows=$((${ms:-0} / window + 2))
dropped=$(moved xdp.dropped.rate_limit)
printf '  %-34s %s of %s' 'dropped by XDP' "$dropped" "${sent:-0}"
verdict [ "$dropped" -ge $((count - windows * limit)) -a "$dropped" -gt 0 -a "$dropped" -lt "$count" ]
request "meanwhile, from $client_ip" 200 'kernel cache' -H "$(bearer "$good")" "$url/1000"

mpbpf unload >>"$log" 2>&1 || faults=$((faults + 1))
printf '  %-34s %s' 'left on bpffs after unload' "$(pins | wc -l)"
verdict [ -z "$(pins)" ]
echo
if [ "$faults" -eq 0 ]; then
	echo 'all as it should be'
else
	echo "$faults lines are not as they should be; what mpbpf said:"
	cat "$log"
	exit 1
fi
