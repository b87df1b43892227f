#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which tokens are good: static ones, times and their leeway, algorithms, and the limits of size.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
strict_secret=other-secret-0123456789abcdef-0123456789abcdef
config_write 'listeners=[{"name": "web", "port": 8080}, {"name": "strict", "port": 8081, "auth": {
	"jwt_secret": "'$strict_secret'", "jwt_algorithm": "HS512", "leeway_s": 0}}]'
nginx_start "$work/strict" "$cgroup" 8081
mpbpf_load

# tried STATUS WHAT TOKEN: asked for twice, of the helper and then of the cache
tried() {
	local answers
	mapfile -t answers < <(script <<-END
		connect $server_ip ${port:-8080}
		send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$3")\r\n\r\n
		status
		connect $server_ip ${port:-8080}
		send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$3")\r\n\r\n
		status
	END
	)
	is "${answers[0]-}" "$1" "$2: $1"
	is "${answers[1]-}" "$1" "$2, again: $1"
}

# jwt_tried STATUS WHAT CLAIMS [SECRET [ALG]]
jwt_tried() {
	tried "$1" "$2" "$(jwt "${@:3}")"
}

tried 200 "static token" static-token-1
tried 200 "static token, base64-encoded" "$(printf static-token-1 | base64)"
tried 403 "static token, one letter off" static-token-2
tried 403 "static token, cut short" static-token-
tried 403 "static token, one letter more" static-token-11
jwt_tried 200 "no times at all" '{"sub":"a"}'
jwt_tried 200 "expired within the leeway" "{\"exp\":$((EPOCHSECONDS - 30))}"
jwt_tried 403 "expired beyond the leeway" "{\"exp\":$((EPOCHSECONDS - 90))}"
jwt_tried 200 "not before, within the leeway" "{\"nbf\":$((EPOCHSECONDS + 30))}"
jwt_tried 403 "not before, beyond the leeway" "{\"nbf\":$((EPOCHSECONDS + 900))}"
jwt_tried 403 "another key" '{"sub":"a"}' another-secret
jwt_tried 403 "HS512 where HS256 is configured" '{"sub":"a"}' "$secret" HS512
jwt_tried 403 "HS384 where HS256 is configured" '{"sub":"a"}' "$secret" HS384
none=$(jwt '{"sub":"a"}' "$secret" none)
tried 403 "alg none" "$none"
tried 403 "alg none, no signature part" "${none%.}"
good=$(jwt '{"sub":"b"}')
other=$(jwt '{"sub":"a"}')
tried 403 "payload of one, signature of another" "${good%.*}.${other##*.}"
tried 403 "signature cut short" "${good%??}"
tried 403 "not a JWT" abc.def.ghi
is "$(http -H "authorization: bearer $good" /echo)" 200 "the scheme and the field name may be in lower case"
is "$(http -H "Authorization: Bearer$good" /echo)" 401 "no blank between scheme and token: no token"
is "$(http -H "Authorization: Bearer" /echo)" 401 "a scheme without a token: no token"

# Times are held against the clock on every hit.
t=$(bearer "$(jwt "{\"exp\":$((EPOCHSECONDS + 3))}" "$strict_secret" HS512)")
port=8081
is "$(http -H "$t" /echo)" 200 "no leeway: good before it expires"
before
wait_for 6 http_is 403 -H "$t" /echo
is "$(http -H "$t" /echo)" 403 "and refused after"
is "$(moved requests.asked)" 0 "which the kernel sees by itself"
jwt_tried 403 "HS256 where HS512 is configured" '{"sub":"a"}' "$strict_secret"
tried 403 "the other listener's token" "$good"
port=8080

# sized BYTES: a good token of about that many bytes, in `t`
sized() {
	local x
	printf -v x '%*s' "$1" ''
	t=$(jwt "{\"x\":\"${x// /x}\"}")
}
sized 2400
between "${#t}" 3000 4000 "a token of ${#t} bytes"
tried 200 "which is good" "$t"
sized 5900
between "${#t}" 7500 8192 "a token of ${#t} bytes"
tried 200 "which is good, if not for the kernel to read" "$t"
sized 6300
between "${#t}" 8193 9000 "a token of ${#t} bytes"
accessed_reset
tried 431 "which is too long" "$t"

# long_head BYTES: the status of a good request with a field that long
long_head() {
	script <<-END
		connect $server_ip 8080
		join
		send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$good")\r\nX-Long:\x20
		repeat $1 x
		send \r\n\r\n
		flush
		status
	END
}
is "$(long_head 40000)" 431 "a head over 32 KiB: 431"
accessed_is 0 "the service saw neither"
is "$(long_head 3000)" 200 "a head of 3 KiB: 200"
is "$(long_head 20000)" 200 "a head of 20 KiB: 200"
tap_done
