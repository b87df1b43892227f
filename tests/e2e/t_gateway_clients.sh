#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Clients and servers as they are found in the world through gateways: curl, wrk, Redis, PostgreSQL, WebSocket.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

postgres=/usr/lib/postgresql/15/bin
as_nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
net_up
hosts_up

# ---- servers: PostgreSQL takes longest to start ----

postgres_start() {
	"${as_nobody[@]}" "$postgres/initdb" -D "$work/pg" -U bench -A trust --no-sync --no-locale -E UTF8 || return
	echo 'host all all all trust' >>"$work/pg/pg_hba.conf"
	exec nsenter --net=/run/netns/host2 -- "${as_nobody[@]}" "$postgres/postgres" -D "$work/pg" -k '' -h "$host2_ip" -p 5432 -F \
		-c shared_buffers=1MB -c autovacuum=off
}
install -d -o nobody "$work/pg"
postgres_start >"$work/postgres.log" 2>&1 </dev/null &
in_host 2 redis-server --port 6379 --bind "$host2_ip" --protected-mode no --save '' --appendonly no --dir "$work" \
	>"$work/redis.log" 2>&1 </dev/null &
in_host 1 node "$top/tests/e2e/websocket.mjs" serve 8090 >"$work/websocket.log" 2>&1 </dev/null &
pattern_files "$work/large=5000000"
nginx_locations="location = /large { alias $work/large; }" echo_start 1

config_write 'listeners=[
	{"name": "http", "port": 8001, "mode": "gateway", "protocol": "tcp", "cluster_name": "http"},
	{"name": "redis", "port": 6379, "mode": "gateway", "protocol": "tcp", "cluster_name": "redis"},
	{"name": "postgres", "port": 5432, "mode": "gateway", "protocol": "tcp", "cluster_name": "postgres"},
	{"name": "websocket", "port": 8090, "mode": "gateway", "protocol": "tcp", "cluster_name": "websocket"}]' \
	"services=[
	{\"name\": \"http\", \"hosts\": [\"$host1_ip\"], \"port\": 80},
	{\"name\": \"redis\", \"hosts\": [\"$host2_ip\"], \"port\": 6379},
	{\"name\": \"postgres\", \"hosts\": [\"$host2_ip\"], \"port\": 5432},
	{\"name\": \"websocket\", \"hosts\": [\"$host1_ip6\"], \"port\": 8090}]"
mpbpf_load

# ---- clients ----

# same FILE FILE
same() {
	cmp "$1" "$2"
}

curl -sS -o "$work/got" -o "$work/again" "http://$server_ip:8001/large" "http://$server_ip:8001/" -w '%{num_connects}\n' >"$work/curl"
is "$(joined <"$work/curl")" "1 0" "curl: two requests on one connection"
check "curl: 5 MB are what they were" same "$work/large" "$work/got"
is "$(<"$work/again")" "host1 10.78.1.1" "curl: so is the other response"
wrk -t 1 -c 16 -d 1 -s "$top/tests/bench/report.lua" "http://$server_ip:8001/" >"$work/wrk"
matches "$(<"$work/wrk")" '^report [1-9][0-9]+ [0-9]+ [0-9]+ [0-9]+ 0$' "wrk: no request fails"

redis=(redis-cli -h "$server_ip")
wait_for 20 "${redis[@]}" ping || bail "redis-server does not answer: $(tail -n 5 "$work/redis.log")"
check "redis-benchmark: pipelined, many at a time" redis-benchmark -h "$server_ip" -n "$(scaled 2000 100)" -c 20 -P 8 -d 1500 \
	-t set,get,lpush -q
is "$("${redis[@]}" -x set large <"$work/large")" OK "redis-cli: 5 MB there"
"${redis[@]}" --raw get large | head -c 5000000 >"$work/got"
check "redis-cli: and back" same "$work/large" "$work/got"

is "$(timeout $((20 * slow)) node "$top/tests/e2e/websocket.mjs" ask "$server_ip" 8090)" "echoed=16 bytes=2270838 pong closed" \
	"WebSocket: messages of many sizes come back"

export PGHOST=$server_ip PGUSER=bench PGDATABASE=postgres PGCONNECT_TIMEOUT=$((5 * slow))
wait_for 30 psql -qc 'select 1' || bail "PostgreSQL does not answer: $(tail -n 5 "$work/postgres.log")"
psql -qtA >"$work/psql" 2>&1 <<-END
	create table t (i int, text text);
	\\copy t from program 'seq 1 20000 | sed "s/.*/&\\tthe text of line &/"'
	select count(*), sum(i), sum(length(text)) from t;
	\\copy (select * from t order by i) to program 'md5sum >$work/sum'
	select length(repeat('0123456789', 300000));
END
is "$(joined <"$work/psql")" "20000|200010000|428894 3000000" "psql: what is copied there is there"
is "$(<"$work/sum")" "$(seq 1 20000 | sed 's/.*/&\tthe text of line &/' | md5sum)" "psql: what is copied back is the same"
echo 'select i, text, repeat(text, 20) from t where i % 100 = :client_id limit 50;' >"$work/bench.sql"
pgbench -n -f "$work/bench.sql" -c 8 -j 1 -t "$(scaled 20 2)" >"$work/pgbench" 2>&1
matches "$(<"$work/pgbench")" '^number of failed transactions: 0 ' "pgbench: none fails"
pgbench -n -C -f "$work/bench.sql" -c 4 -j 1 -t "$(scaled 10 2)" >"$work/pgbench" 2>&1
matches "$(<"$work/pgbench")" '^number of failed transactions: 0 ' "pgbench: with a connection for each neither"

figures_read figures
refused=
for name in http redis postgres websocket; do
	refused+=" ${figures[gateway.$name.refused]}"
	between "${figures[gateway.$name.path.relay]}" 1 100000 "$name: by a gateway"
done
diag "refused:$refused"
tap_done
