#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Public keys and claims against a real service, and keys that change while requests are under way: what is gone is refused at
# the next request, what stays is never refused, and a file that cannot be used changes nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
keys=$work/keys
mkdir -p "$keys/..1" "$keys/..2"
for name in kept old new; do
	openssl genpkey -algorithm ed25519 -out "$work/$name.key" 2>/dev/null
done
# Of three primes, which are sooner found; nobody sees that in a public key.
for name in rsa1 rsa2; do
	openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:3 -out "$work/$name.key" 2>/dev/null
done
chmod 600 "$work"/*.key

base64url() {
	openssl base64 -A | tr '+/' '-_' | tr -d '='
}

# jwk NAME: the public half of an Ed25519 key as JWK; its kid is its name
jwk() {
	printf '{"kty":"OKP","crv":"Ed25519","use":"sig","kid":"%s","x":"%s"}' "$1" \
		"$(openssl pkey -in "$work/$1.key" -pubout -outform DER | tail -c 32 | base64url)"
}

# jwks NAME...: the set goes to a new file beside the one in use
jwks() {
	local set name
	for name in "$@"; do
		set=${set:+$set,}$(jwk "$name")
	done
	printf '{"keys":[%s]}\n' "$set" >"$work/jwks.new"
}

# signed NAME ALG CLAIMS: a token signed by that key, which its header names
signed() {
	local text
	text=$(printf '{"alg":"%s","kid":"%s"}' "$2" "$1" | base64url).$(printf '%s' "$3" | base64url)
	printf '%s' "$text" >"$work/text"
	if [ "$2" = EdDSA ]; then
		printf '%s.%s\n' "$text" "$(openssl pkeyutl -sign -rawin -inkey "$work/$1.key" -in "$work/text" | base64url)"
	else
		printf '%s.%s\n' "$text" "$(openssl dgst -sha256 -sign "$work/$1.key" -binary "$work/text" | base64url)"
	fi
}

# answer TOKEN: the status for it, on a connection of its own
answer() {
	http -H "$(bearer "$1")" /echo
}

# answered STATUS TOKEN: for wait_for
answered() {
	[ "$(answer "$2")" = "$1" ]
}

claims='{"iss":"issuer","aud":["web","api"],"groups":["staff"],"level":2}'
for name in kept old new; do
	declare "$name=$(signed $name EdDSA "$claims")"
done
# shellcheck disable=SC2154
jwks kept old && mv "$work/jwks.new" "$work/jwks.json"
config_write auth.jwt_secret= 'auth.jwt_algorithm="EdDSA"' 'auth.jwt_jwks_file="jwks.json"' 'auth.jwt_issuer="issuer"' \
	'auth.jwt_audience="api"' 'auth.jwt_required_claims={"groups": ["staff", "admin"], "level": 2}' \
	'listeners=[{"name": "web", "port": 8080}, {"name": "pem", "port": 8081, "auth": {"jwt_algorithm": ["HS256", "RS256"],
		"jwt_public_key_file": "keys/jwt.pem", "jwt_secret_file": "jwt.key"}}]'
openssl pkey -in "$work/rsa1.key" -pubout -out "$keys/..1/jwt.pem"
openssl pkey -in "$work/rsa2.key" -pubout -out "$keys/..2/jwt.pem"
chmod 644 "$keys"/..?/jwt.pem
ln -s ..1 "$keys/..data"
ln -s ..data/jwt.pem "$keys/jwt.pem"
(umask 077 && printf '%s' "$secret" >"$work/jwt.key")
nginx_start "$work/pem" "$cgroup" 8081
mpbpf_load --no-agent
agent_start
wait_for 10 grep -q 'serving' "$log" || bail "mpbpfd does not serve"

# ---- keys and claims ----

is "$(answer "$kept")" 200 "a token of a key of the set"
is "$(answer "$old")" 200 "a token of the other one"
is "$(answer "$new")" 403 "a token of a key that is not there"
is "$(answer "${kept%.*}.${old##*.}")" 403 "the signature of one on the kid of the other"
is "$(answer "$(signed kept EdDSA '{"iss":"issuer","aud":"api","groups":["staff"],"level":3}')")" 403 "a claim of another value"
is "$(answer "$(signed kept EdDSA '{"iss":"issuer","aud":"api","level":2}')")" 403 "a claim that is missing"
is "$(answer "$(signed kept EdDSA '{"iss":"issuer","aud":"web","groups":"staff","level":2}')")" 403 "for another audience"
is "$(answer "$(signed kept EdDSA '{"iss":"issuers","aud":"api","groups":"staff","level":2}')")" 403 "of another issuer"
is "$(answer "$(signed kept EdDSA '{"iss":"issuer","aud":"api","groups":"admin","level":2.0}')")" 200 "the same said otherwise"
port=8081
is "$(answer "$(signed rsa1 RS256 '{}')")" 200 "RS256 with the key of the PEM file"
is "$(answer "$(signed rsa2 RS256 '{}')")" 403 "RS256 with another key"
is "$(answer "$(jwt '{}')")" 200 "HS256 with the secret beside it"
text=$(printf '{"alg":"HS256"}' | base64url).$(printf '{}' | base64url)
mac=$(printf '%s' "$text" | openssl dgst -sha256 -hmac "$(<"$keys/jwt.pem")" -binary | base64url)
is "$(answer "$text.$mac")" 403 "HS256 with the public key for a secret"
port=8080

# ---- the set is replaced while connections are open ----

session open "connect $server_ip 8080"
# open_ask TOKEN: the status for it on the connection that stays open
open_ask() {
	session_read open "send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$1")\r\n\r\n" status
}
is "$(open_ask "$kept") $(open_ask "$old") $(open_ask "$new")" "200 200 403" "on an open connection: kept, old, new"
load_start load "$server_ip" 8080 -c 2 -p 10 -H "$(bearer "$kept")" "/1000=$work/web/www/1000"

jwks kept new && mv "$work/jwks.new" "$work/jwks.json"
check "a renamed set is in force" wait_for 4 answered 200 "$new"
is "$(open_ask "$kept") $(open_ask "$old") $(open_ask "$new")" "200 403 200" "the open connection: the old key is refused"
is "$(answer "$old")" 403 "a new connection too"
is "$(grep -c 'a key file has changed: generation' "$log")" 1 "which is said once"

# ---- files that cannot be used ----

said() {
	grep -c 'the keys in force stay: ' "$log"
}
printf '{"keys":[' >"$work/jwks.json"
check "a broken set is said" wait_for 4 grep -q 'the keys in force stay: .*jwt_jwks_file.*jwks.json.*valid JSON' "$log"
is "$(open_ask "$kept") $(open_ask "$old") $(open_ask "$new")" "200 403 200" "the keys in force stay"
pause $((2200 / pace))
is "$(said)" 1 "it is said once"
rm "$work/jwks.json"
check "a set that is gone is said" wait_for 4 grep -q 'the keys in force stay: .*No such file' "$log"
is "$(open_ask "$kept") $(open_ask "$new")" "200 200" "the keys in force stay"
jwks kept old && cat "$work/jwks.new" >"$work/jwks.json"
check "a set written in place is in force" wait_for 4 answered 200 "$old"
is "$(open_ask "$kept") $(open_ask "$old") $(open_ask "$new")" "200 200 403" "the open connection: the new key is refused"
# What is written in place may be seen between its emptying and its writing.
between "$(said)" 2 3 "nothing more was said"
load_end load
matches "$(<"$work/load")" '^requests=[0-9]{3,} errors=0 mismatched=0 connections=2 200=[0-9]+$' \
	"no request with the key that stayed was refused through all this"

# ---- links, and secrets ----

port=8081
t1=$(signed rsa1 RS256 '{}')
t2=$(signed rsa2 RS256 '{}')
is "$(answer "$t1") $(answer "$t2")" "200 403" "the PEM file's key"
ln -s ..2 "$keys/..next" && mv -T "$keys/..next" "$keys/..data"
check "a link that leads elsewhere is followed" wait_for 4 answered 200 "$t2"
is "$(answer "$t1")" 403 "the key of before is refused"
printf '%s' "$secret-2" >"$work/jwt.key"
check "a secret file that changed is in force" wait_for 4 answered 200 "$(jwt '{}' "$secret-2")"
is "$(answer "$(jwt '{}')")" 403 "the secret of before is refused"
generation=$(mpbpf status --json | jq .generation)
between "$generation" 5 20 "each change was a new policy"
touch "$work/jwt.key"
pause $((2200 / pace))
is "$(mpbpf status --json | jq .generation)" "$generation" "a file that was only touched changes nothing"
tap_done
