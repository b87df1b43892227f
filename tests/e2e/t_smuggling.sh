#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No service sees a request that it has no right to see, whatever the bytes and the pieces; what is allowed arrives once, in order,
# byte for byte. Streams of every kind against four services that read HTTP in different ways (tests/smuggle/).
#
# SMUGGLE_STREAMS and SMUGGLE_SEED change the run; SMUGGLE_ARGS goes to smuggle as it is.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../smuggle/services.sh
. "$top/tests/smuggle/services.sh"
streams=${SMUGGLE_STREAMS:-$((slow > 1 ? 200 : 2500))}
time_limit=${SMUGGLE_LIMIT:-$((2 * time_limit))}
sandbox "$@"

net_up
services_start
smuggle_config
mpbpf_load

# number NAME: of the last run, e.g. `number failures`
number() {
	grep -oE "\b$1=[0-9]+" "$work/out" | head -n 1 | cut -d = -f 2
}

# Unguarded services see what nobody may see: whoever finds nothing there would find nothing at all.
smuggle_run 9080 -n 100 -w "$slow" >"$work/out" 2>&1
is "$?" 1 "without the guard, requests without a right are found"
for kind in "a request without a right was seen" "a denied request was answered with 200"; do
	matches "$(cat "$work/out")" "$kind" "without the guard: $kind"
done
is "$(grep -E ': seen=' "$work/out" | grep -vc ': seen=0')" 4 "each of the four services logs"

# shellcheck disable=SC2086
smuggle_run 8080 -s "${SMUGGLE_SEED:-1}" -n "$streams" -w "$slow" ${SMUGGLE_ARGS:-} >"$work/out" 2>&1
rc=$?
diag "$(cat "$work/out")"
is "$rc" 0 "guarded: no request without a right, none lost, changed, doubled or out of order, and no stream that hangs"
between "$(number answered)" "$((streams / 4))" 1000000000 "allowed requests were answered"
tap_done
