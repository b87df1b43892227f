#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which tokens are good: static ones, times and their leeway, algorithms, and the limits of size.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
config_write '.listeners += [{"name": "strict", "port": 8081, "auth": {"jwt_secret": "other-secret-0123456789abcdef-0123456789abcdef",
	"jwt_algorithm": "HS512", "leeway_s": 0}}]'
nginx_start "$work/strict" "$cgroup" 8081
mpbpf_load
now=$(date +%s)

# tried STATUS WHAT TOKEN [CURL_ARGS]
tried() {
	local status=$1 what=$2 t=$3
	shift 3
	is "$(http -H "$(bearer "$t")" "$@" /echo)" "$status" "$what: $status"
	is "$(http -H "$(bearer "$t")" "$@" /echo)" "$status" "$what, again: $status"
}

tried 200 "static token" static-token-1
tried 200 "static token, base64-encoded" "$(printf static-token-1 | base64)"
tried 403 "static token, one letter off" static-token-2
tried 403 "static token, cut short" static-token-
tried 403 "static token, one letter more" static-token-11
tried 200 "no times at all" "$(jwt '{"sub":"a"}')"
tried 200 "expired within the leeway" "$(jwt "{\"exp\":$((now - 30))}")"
tried 403 "expired beyond the leeway" "$(jwt "{\"exp\":$((now - 90))}")"
tried 200 "not before, within the leeway" "$(jwt "{\"nbf\":$((now + 30))}")"
tried 403 "not before, beyond the leeway" "$(jwt "{\"nbf\":$((now + 900))}")"
tried 403 "another key" "$(jwt '{"sub":"a"}' another-secret)"
tried 403 "HS512 where HS256 is configured" "$(jwt '{"sub":"a"}' "$secret" HS512)"
tried 403 "HS384 where HS256 is configured" "$(jwt '{"sub":"a"}' "$secret" HS384)"
none=$(printf '{"alg":"none","typ":"JWT"}' | base64url).$(printf '{"sub":"a"}' | base64url)
tried 403 "alg none" "$none."
tried 403 "alg none, no signature part" "$none"
good=$(jwt '{"sub":"b"}')
tried 403 "payload of one, signature of another" "${good%.*}.${none##*.}"
tried 403 "signature cut short" "${good%??}"
tried 403 "not a JWT" abc.def.ghi
is "$(http -H "authorization: bearer $good" /echo)" 200 "the scheme and the field name may be in lower case"
is "$(http -H "Authorization: Bearer$good" /echo)" 401 "no blank between scheme and token: no token"
is "$(http -H "Authorization: Bearer" /echo)" 401 "a scheme without a token: no token"

# Times are held against the clock on every hit.
t=$(jwt "{\"exp\":$(($(date +%s) + 3))}" other-secret-0123456789abcdef-0123456789abcdef HS512)
port=8081
is "$(http -H "$(bearer "$t")" /echo)" 200 "no leeway: good before it expires"
before
wait_for 6 eval '[ "$(http -H "$(bearer "$t")" /echo)" = 403 ]'
is "$(http -H "$(bearer "$t")" /echo)" 403 "and refused after"
is "$(moved requests.asked)" 0 "which the kernel sees by itself"
tried 403 "HS256 where HS512 is configured" "$(jwt '{"sub":"a"}' other-secret-0123456789abcdef-0123456789abcdef)"
tried 403 "the other listener's token" "$good"
port=8080

# sized BYTES: a good token of about that many bytes
sized() {
	jwt "{\"x\":\"$(head -c "$1" /dev/zero | tr '\0' x)\"}"
}
t=$(sized 2400)
between "${#t}" 3000 4000 "a token of ${#t} bytes"
tried 200 "which is good" "$t"
t=$(sized 5900)
between "${#t}" 7500 8192 "a token of ${#t} bytes"
tried 200 "which is good, if not for the kernel to read" "$t"
t=$(sized 6300)
between "${#t}" 8193 9000 "a token of ${#t} bytes"
accessed_reset
tried 431 "which is too long" "$t"

# field_of BYTES: a good request with a field that long
long_head() {
	script <<-END | cut -d ' ' -f 1 | paste -sd ' '
		connect $server_ip 8080
		join
		send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$good")\r\nX-Long:\x20
		repeat $1 x
		send \r\n\r\n
		flush
		read
	END
}
is "$(long_head 40000)" 431 "a head over 32 KiB: 431"
accessed_is 0 "the service saw neither"
is "$(long_head 3000)" 200 "a head of 3 KiB: 200"
is "$(long_head 20000)" 200 "a head of 20 KiB: 200"
tap_done
