#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The licence: paths that need a feature, and the count of proxies, in the order of the verdict table.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
licence=(
	'license.license_key="PENG-ABCD-EFGH-IJKL-MNOP-QRST"' 'license.is_enterprise=true' 'license.features={"multi_cloud": true}'
	'license.feature_gates=[{"prefix": "/echo/gold", "feature": "gold"}, {"prefix": "/healthz/gold", "feature": "gold"}]'
	'license.max_proxies=10' 'license.current_proxies=10'
)
config_write "${licence[@]}"
mpbpf_load
good=$(bearer "$(token good)")
http -H "$good" /echo >/dev/null # the verdict is cached from here on

# gets PATH STATUS WHAT: with a good token
gets() {
	is "$(http -H "$good" "$1")" "$2" "$3"
}

before
accessed_reset
gets /echo/gold 402 "a path that needs a feature which is not licensed"
gets /echo/gold/x?y=/z 402 "what is below it"
gets /echo/golden 200 "a path that only begins alike"
gets /api/v1/multi-cloud/a 404 "a built-in gate, its feature licensed"
gets /api/v1/tracing 402 "a built-in gate, its feature not licensed"
gets /api/v1/advanced-rate-limit/ 402 "another"
gets /healthz/gold 200 "an exempt path is exempt"
is "$(http /echo/gold)" 401 "without a token it is 401, not 402"
is "$(http -H "$(bearer wrong)" /echo/gold)" 403 "with a bad one 403"
is "$(http -H "$(bearer "$(token another)")" /echo/gold)" 402 "a new token: the helper finds the same"

# Other ways to write the path: what the service would read as the gated path is gated, or refused.
gets /echo/%67old 402 "an escaped letter"
gets /echo/./gold 402 "a dot segment"
gets /echo/x/../gold 402 "a way round"
gets //echo//gold 402 "empty segments"
gets '/echo/gold;x=1/y' 402 "a parameter"
gets '/echo/go%6Cd%3Bx' 402 "an escaped one"
gets '/echo%2Fgold' 400 "an escaped slash is refused"
is "$(curled -H "$good" '/echo\gold')" 400 "a backslash is refused"
is "$(moved requests.denied.feature)" 11 "each denial has been counted"
is "$(accessed_with gold)" 2 "the service saw /echo/golden and the exempt path"

# licensed WHAT MEMBER=JSON...: in force from now on, beside what was there
licensed() {
	licence+=("${@:2}")
	config_write "${licence[@]}"
	check "reload: $1" mpbpf reload --config "$config"
}

licensed "the feature" 'license.features={"multi_cloud": true, "gold": true}'
gets /echo/gold 200 "licensed by a reload"
licensed "the community edition" 'license.is_enterprise=false' 'license.current_proxies=3'
gets /echo/gold 402 "the community edition has no features"
licensed "a gate that is a dry run" 'license.feature_gates=[{"prefix": "/echo/gold", "feature": "gold", "enforce": false},
	{"prefix": "/echo/gold/bars", "feature": "gold"},
	{"prefix": "/api/v1/tracing", "feature": "distributed_tracing", "enforce": false}]'
http -H "$good" /echo >/dev/null
before
gets /echo/gold 200 "what it would deny passes"
is "$(http -H "$(bearer "$(token fourth)")" /echo/gold)" 200 "with a new token, too: the helper finds the same"
gets '/echo/x/../gold' 200 "and by a way round"
gets /api/v1/tracing 404 "a built-in one that stands there as well"
gets /echo/gold/bars 402 "below it another gate is enforced"
gets /api/v1/zero-trust 402 "and so are the others"
is "$(http /echo/gold)" 401 "without a token it is 401"
after
is "${moved[requests.would_be_denied.feature]} ${moved[requests.denied.feature]}" "4 2" "each is counted as what it is"
licensed "more proxies than it may have" 'license.current_proxies=4'
before
gets /echo 429 "more proxies than the community edition may have"
gets /echo 429 "and again, from the cache"
is "$(http /healthz)" 200 "exempt paths are served all the same"
is "$(http /echo)" 401 "no token: 401"
is "$(moved requests.denied.proxy_count)" 2 "counted"
licensed "the enterprise edition" 'license.is_enterprise=true'
gets /echo 200 "the enterprise edition has what its licence says"
licensed "fewer proxies" 'license.max_proxies=3'
gets /echo/gold 429 "the count comes before the feature"
licence=()
licensed "no licence"
gets /echo/gold 200 "without a licence in the file nothing is gated"

config_write 'license.license_key="PENG-ABCD"'
matches "$(mpbpf reload --config "$config" 2>&1)" 'license.license_key: value \(hidden\): expected PENG- and five groups of four' \
	"a malformed key is an error that names it, and hides it"
tap_done
