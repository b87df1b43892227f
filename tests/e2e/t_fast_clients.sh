#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients and servers as they are found in the world, both on this node, past TCP: curl, wrk, hey and websocketd (Go), nginx, node,
# Redis, PostgreSQL, ssh; HTTP with each request judged, and bytes of which nobody knows what they are.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

postgres=/usr/lib/postgresql/15/bin
as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
net_up

# near COMMAND...: a client of the node, in another network namespace than the service
near() {
	space=client in_cgroup "$cgroup" "$@"
}

# ---- servers: PostgreSQL takes longest to start ----

postgres_start() {
	"${as_nobody[@]}" "$postgres/initdb" -D "$work/pg" -U bench -A trust --no-sync --no-locale -E UTF8 || return
	echo 'host all all all trust' >>"$work/pg/pg_hba.conf"
	in_cgroup "$cgroup" "${as_nobody[@]}" "$postgres/postgres" -D "$work/pg" -k '' -h "$server_ip" -p 5432 -F \
		-c shared_buffers=1MB -c autovacuum=off
}
install -d -o nobody "$work/pg"
postgres_start >"$work/postgres.log" 2>&1 </dev/null &
in_cgroup "$cgroup" redis-server --port 6379 --bind "$server_ip" --protected-mode no --save '' --appendonly no --dir "$work" \
	>"$work/redis.log" 2>&1 </dev/null &
in_cgroup "$cgroup" node "$top/tests/e2e/websocket.mjs" serve 8090 >"$work/websocket.log" 2>&1 </dev/null &
mkdir "$work/files"
pattern_files "$work/files/large=5000000" "$work/files/small=100"
in_cgroup "$cgroup" websocketd --port=8070 --staticdir="$work/files" >"$work/websocketd.log" 2>&1 </dev/null &
ssh-keygen -q -t ed25519 -N '' -f "$work/id" </dev/null
dropbearkey -t ed25519 -f "$work/host_key" >/dev/null 2>&1
server_start

all=
for name in web:8080:http websocket:8090:tcp go:8070:tcp redis:6379:tcp postgres:5432:tcp ssh:2222:tcp; do
	IFS=: read -r name port protocol <<<"$name"
	all+=", {\"name\": \"$name\", \"port\": $port, \"protocol\": \"$protocol\", \"fast_path\": \"on\"}"
done
config_write "listeners=[${all#, }]"
mpbpf_load

# took WHAT AT_LEAST: so many messages more went past TCP
took() {
	local before=$messages
	messages=$(figure fast_path.messages)
	between $((messages - before)) "$2" 100000000 "$1: past TCP"
}
messages=0

same() {
	cmp "$1" "$2"
}

# ---- HTTP, judged ----

cp "$work/files/large" "$work/web/dav/large"
auth=$(bearer "$(token clients)")
near curl -sS -H "$auth" -o "$work/got" -o "$work/again" "http://$server_ip:8080/dav/large" "http://$server_ip:8080/1" \
	-w '%{http_code} %{num_connects}\n' >"$work/curl"
is "$(joined <"$work/curl")" "200 1 200 0" "curl: two requests on one connection"
check "curl: 5 MB are what they were" same "$work/files/large" "$work/got"
near curl -sS -H "$auth" -T "$work/files/large" -o /dev/null -w '%{http_code}' "http://$server_ip:8080/dav/put" >"$work/curl"
is "$(<"$work/curl")" 201 "curl: an upload"
check "curl: it is what it was" same "$work/files/large" "$work/web/dav/put"
took curl 10
near wrk -t 1 -c 16 -d 1 -H "$auth" -s "$top/tests/bench/report.lua" "http://$server_ip:8080/1" >"$work/wrk"
matches "$(<"$work/wrk")" '^report [1-9][0-9]+ [0-9]+ [0-9]+ [0-9]+ 0$' "wrk: no request fails"
took wrk 200
many=$(($(scaled 200 20) * 10)) # hey makes as many for each of its ten
near hey -n "$many" -c 10 -H "$auth" "http://$server_ip:8080/1" >"$work/hey"
is "$(sed -n 's/^ *\[\([0-9]*\)\]\t\([0-9]*\) responses/\1 \2/p' "$work/hey")" "200 $many" "hey: every response is there"
took hey "$many"
near hey -n "$many" -c 10 "http://$server_ip:8080/a-path-that-makes-this-long-enough-for-an-answer-of-the-same-length" >"$work/hey"
is "$(sed -n 's/^ *\[\([0-9]*\)\]\t\([0-9]*\) responses/\1 \2/p' "$work/hey")" "401 $many" "hey without a token: every denial"
between "$(figure fast_path.denied)" $((many / 2)) "$many" "answered where it was sent"
took "hey without a token" $((many / 2))

# ---- bytes ----

near curl -sS -o "$work/got" -o "$work/again" "http://$server_ip:8070/large" "http://$server_ip:8070/small"
check "websocketd: 5 MB are what they were" same "$work/files/large" "$work/got"
check "websocketd: and 100 bytes" same "$work/files/small" "$work/again"
took websocketd 5

wait_for 20 near redis-cli -h "$server_ip" ping || bail "redis-server does not answer: $(tail -n 5 "$work/redis.log")"
check "redis-benchmark: pipelined, many at a time" near redis-benchmark -h "$server_ip" -n "$(scaled 2000 100)" -c 20 -P 8 -d 1500 \
	-t set,get,lpush -q
is "$(near redis-cli -h "$server_ip" -x set large <"$work/files/large")" OK "redis-cli: 5 MB there"
near redis-cli -h "$server_ip" --raw get large | head -c 5000000 >"$work/got"
check "redis-cli: and back" same "$work/files/large" "$work/got"
took Redis 100

is "$(near timeout $((20 * slow)) node "$top/tests/e2e/websocket.mjs" ask "$server_ip" 8090)" "echoed=16 bytes=2270838 pong closed" \
	"WebSocket: messages of many sizes come back"
took node 20

export PGHOST=$server_ip PGUSER=bench PGDATABASE=postgres PGCONNECT_TIMEOUT=$((5 * slow))
wait_for 30 near psql -qc 'select 1' || bail "PostgreSQL does not answer: $(tail -n 5 "$work/postgres.log")"
near psql -qtA >"$work/psql" 2>&1 <<-END
	create table t (i int, text text);
	\\copy t from program 'seq 1 20000 | sed "s/.*/&\\tthe text of line &/"'
	select count(*), sum(i), sum(length(text)) from t;
	\\copy (select * from t order by i) to program 'md5sum >$work/sum'
	select length(repeat('0123456789', 300000));
END
is "$(joined <"$work/psql")" "20000|200010000|428894 3000000" "psql: what is copied there is there"
is "$(<"$work/sum")" "$(seq 1 20000 | sed 's/.*/&\tthe text of line &/' | md5sum)" "psql: what is copied back is the same"
echo 'select i, text, repeat(text, 20) from t where i % 100 = :client_id limit 50;' >"$work/bench.sql"
near pgbench -n -f "$work/bench.sql" -c 8 -j 1 -t "$(scaled 20 2)" >"$work/pgbench" 2>&1
matches "$(<"$work/pgbench")" '^number of failed transactions: 0 ' "pgbench: none fails"
took PostgreSQL 100

# What is mounted here nobody else sees.
install -d -m 700 "$work/home" "$work/home/.ssh"
cp "$work/id.pub" "$work/home/.ssh/authorized_keys"
mount --bind "$work/home" /root || bail "a home for the user: it cannot be mounted"
in_cgroup "$cgroup" dropbear -F -E -r "$work/host_key" -p "$server_ip:2222" -P "$work/dropbear.pid" >"$work/dropbear.log" 2>&1 </dev/null &
wait_for 10 test -s "$work/dropbear.pid" || bail "dropbear does not start: $(tail -n 3 "$work/dropbear.log")"
near_ssh() {
	near ssh -F none -i "$work/id" -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		-o BatchMode=yes "root@$server_ip" "$@"
}
near_ssh cat <"$work/files/large" >"$work/got" 2>"$work/ssh.log"
check "ssh: 5 MB there and back" same "$work/files/large" "$work/got"
took ssh 50

figures_read figures
is "${figures[connections.broken]} ${figures[connections.refused]}" "0 0" "no connection was given up"
between "${figures[fast_path.connections]}" 50 100000 "connections had a fast path"
tap_done
