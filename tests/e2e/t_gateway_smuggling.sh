#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As t_smuggling.sh, with a gateway for HTTP in front of each of the four services: it forwards request by request, over connections
# that clients share, and none of it gives a service what it has no right to see, nor a client what is another's.
#
# SMUGGLE_STREAMS and SMUGGLE_SEED change the run; SMUGGLE_ARGS goes to smuggle as it is.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../smuggle/services.sh
. "$top/tests/smuggle/services.sh"
streams=${SMUGGLE_STREAMS:-$((slow > 1 ? 80 : 1000))}
time_limit=${SMUGGLE_LIMIT:-$((2 * time_limit))}
sandbox "$@"

net_up
services_start
smuggle_gateway_config
mpbpf_load

# number NAME: of the last run, e.g. `number failures`
number() {
	grep -oE "\b$1=[0-9]+" "$work/out" | head -n 1 | cut -d = -f 2
}

# shellcheck disable=SC2086
smuggle_run 7080 -g -s "${SMUGGLE_SEED:-1}" -n "$streams" -w "$slow" ${SMUGGLE_ARGS:-} >"$work/out" 2>&1
rc=$?
diag "$(cat "$work/out")"
is "$rc" 0 "no request without a right, none lost, changed, doubled or out of order, and no stream that hangs"
between "$(number answered)" "$((streams / 4))" 1000000000 "allowed requests were answered"
is "$(grep -E ': seen=' "$work/out" | grep -vc ': seen=0')" 4 "each of the four services logs"
figures_read figures
between "$((figures[gateway.g0.requests] + figures[gateway.g1.requests] + figures[gateway.g2.requests] + figures[gateway.g3.requests]))" \
	"$(number answered)" 1000000000 "what they saw came through the gateways"
tap_done
