#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Flows of real clients: what they speak and whom they ask is seen, and a protocol rule drops them, or counts them.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# tls_server: nginx on port 8443, which speaks TLS 1.1 as well
tls_server() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=tls.example -days 2 \
		-keyout "$work/tls.key" -out "$work/tls.pem" 2>>"$log" || bail "no certificate"
	cat >"$work/tls.conf" <<-END
		daemon off;
		pid $work/tls.pid;
		error_log $work/nginx-error.log;
		events {}
		http {
			access_log off;
			ssl_certificate $work/tls.pem;
			ssl_certificate_key $work/tls.key;
			ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;
			ssl_ciphers DEFAULT:@SECLEVEL=0;
			server {
				listen 8443 ssl;
				return 200 "ok\n";
			}
		}
	END
	in_server nginx -c "$work/tls.conf" >>"$log" 2>&1 </dev/null &
	wait_for 10 listening 8443 || bail "nginx does not speak TLS: $(tail -n 5 "$work/nginx-error.log" "$log")"
}

# tls ARGS...: the status of a request by curl for tls.example, or 000
tls() {
	curl -sk -o /dev/null -w '%{http_code}' --max-time "${tls_wait:-$((5 * slow))}" --resolve "tls.example:8443:$server_ip" "$@" \
		https://tls.example:8443/
}

# says BYTES: the first line that the service of port 8080 answers, if there is one soon
says() {
	local line=
	exec {to}<>"/dev/tcp/$server_ip/8080" || return
	printf '%b' "$1" >&"$to"
	read -r -t "${says_wait:-$((5 * slow))}" line <&"$to"
	exec {to}>&-
	echo "${line%$'\r'}"
}

# flow FILTER: what `mpbpf flows --json` has of the flows that jq's filter selects
flow() {
	mpbpf flows --json --top 1000 2>>"$log" | jq -r ".flows[] | select($1) | [.protocol, .tls_version, .server_name, .rule] | join(\" \")" |
		sort -u | paste -sd ,
}

net_up
server_start
tls_server
config_write 'listeners=[]'
mpbpf_load
load_time=$EPOCHSECONDS

is "$(tls)" 200 "TLS 1.3 is served"
is "$(tls --tls-max 1.2)" 200 "TLS 1.2 is"
is "$(tls --tls-max 1.1 --ciphers DEFAULT:@SECLEVEL=0)" 200 "TLS 1.1 is"
is "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: web.example' "http://$server_ip:8080/100")" 200 "HTTP is"
is "$(curl -s -o /dev/null -w '%{http_code}' -H $'Host: \xff\\' "http://[$server_ip6]:8080/100")" 200 "over IPv6, with a strange host"
matches "$(says 'SSH-2.0-test\r\n')" ' 400 ' "nginx speaks no SSH"
matches "$(says '*1\r\n$4\r\nPING\r\n')" ' 400 ' "and is no Redis"

is "$(flow '.destination_port == 8443')" "tls 1.1 tls.example ,tls 1.2 tls.example ,tls 1.3 tls.example " \
	"each version is seen, and the server that is asked for"
is "$(flow '.destination_port == 8080 and .destination == "10.77.0.1"')" "http1  web.example ,redis   ,ssh   " \
	"so are host and protocol"
is "$(flow ".destination == \"$server_ip6\" and .transport == \"tcp\"")" 'http1  \xff\x5c ' "hostile bytes are escaped"
mpbpf flows --json >"$work/flows"
check "times and counts are those of the requests" jq -e --argjson t "$load_time" \
	'[.flows[] | select(.decided) | .first_seen >= $t - 1 and .last_seen >= .first_seen and .packets >= 1 and .bytes > 54] | all' \
	"$work/flows"
check "the largest come first" jq -e '[.flows[].bytes] | . == (sort | reverse)' "$work/flows"
is "$(jq '.known == (.flows | length)' "$work/flows")" true "all are shown"
is "$(mpbpf flows --json --top 1 | jq -c '[(.flows | length), .known > 1]')" "[1,true]" "--top 1 shows one"
matches "$(mpbpf flows)" "tcp $client_ip:[0-9]+ > $server_ip:8443 tls 1.3 tls.example, for " "without --json it is a table"
mpbpf flows --top 0 >>"$log" 2>&1
is $? 2 "--top wants a number"
figures_read figures
is "${figures[xdp.flows]}" "$(jq .known "$work/flows")" "stats count the flows"
between "${figures[xdp.protocols.tls]}" 6 1000 "and packets by their flow's protocol"

config_write 'listeners=[]' 'protocol_rules=[
	{"name": "old-tls", "protocol": "tls", "below_version": "1.2"},
	{"name": "no-ssh-on-web", "protocol": "ssh", "port": 8080},
	{"name": "redis", "protocol": "redis", "mode": "monitor"}]'
check "reload with rules" mpbpf reload --config "$config"
is "$(tls) $(tls --tls-max 1.2)" "200 200" "TLS 1.2 and 1.3 are served"
is "$(tls_wait=0.5 tls --tls-max 1.1 --ciphers DEFAULT:@SECLEVEL=0)" 000 "TLS 1.1 is dropped"
is "$(says_wait=0.5 says 'SSH-2.0-test\r\n')" "" "SSH on the web's port is dropped"
is "$(says 'GET / HTTP/1.0\r\n\r\n')" "HTTP/1.1 404 Not Found" "other requests to it are served"
matches "$(says '*1\r\n$4\r\nPING\r\n')" ' 400 ' "what is only monitored passes"
figures_read figures
between "${figures[xdp.protocol_rules.old-tls.dropped]}" 1 100 "drops are counted by rule"
between "${figures[xdp.protocol_rules.no-ssh-on-web.dropped]}" 1 100 "for each"
between "${figures[xdp.protocol_rules.redis.would_drop]}" 1 10 "and what would be dropped"
is "${figures[xdp.dropped.protocol]}" \
	$((figures[xdp.protocol_rules.old-tls.dropped] + figures[xdp.protocol_rules.no-ssh-on-web.dropped])) "and by reason"
matches "$(flow '.rule != null')" '^redis   redis,ssh   no-ssh-on-web,tls 1.1 tls.example old-tls$' "flows show their rule"
old=${figures[xdp.protocol_rules.old-tls.dropped]}

config_write 'listeners=[]' 'protocol_rules=[{"name": "old-tls", "protocol": "tls", "below_version": "1.1"}]'
check "reload: only TLS 1.0 is too old" mpbpf reload --config "$config"
is "$(tls --tls-max 1.1 --ciphers DEFAULT:@SECLEVEL=0)" 200 "TLS 1.1 is served"
between "$(figure xdp.protocol_rules.old-tls.dropped)" "$old" 100 "the rule's counter goes on"

config_write 'listeners=[]' 'classify.enabled=false'
check "reload without flows" mpbpf reload --config "$config"
before
is "$(tls)" 200 "TLS is served"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://$server_ip:8080/100")" 200 "HTTP is"
after
# A segment that a slow machine sends again is a packet by itself here.
between "${moved[xdp.protocols.tls]}" 1 9 "packets are classified by themselves: TLS"
between "${moved[xdp.protocols.http1]}" 1 9 "and HTTP"
is "${moved[xdp.flows]}" 0 "no flow is added"
check "unload" mpbpf unload
tap_done
