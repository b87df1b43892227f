#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mpbpf check proves each feature of the kernel, one line for each, and leaves nothing behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
namespaces=$(lsns -t net -n | wc -l)
links=$(ip -n server -o link | wc -l)
out=$(mpbpf check 2>&1)
is $? 0 "this kernel can run it: exit status 0"
between "$(grep -c . <<<"$out")" 4 100 "a line for each feature"
for feature in XDP "repl|answer|Repl|Answer" hand slow; do
	matches "$out" "$feature" "a line about: $feature"
done
is "$(pins)" "" "no pin is left"
is "$(on_cgroup)" 0 "nothing is left on the cgroup"
is "$(on_interfaces)" 0 "nothing is left on an interface"
is "$(ip -n server -o link | wc -l)" "$links" "no interface is left"
is "$(lsns -t net -n | wc -l)" "$namespaces" "no network namespace is left"
is "$(find "$cgroup" -mindepth 1 -type d | wc -l)" 0 "no cgroup is left"
mpbpf_load
is "$(mpbpf check >/dev/null 2>&1; echo $?)" 0 "it works beside a loaded instance"
is "$(agent_pids | wc -l)" 1 "whose agent still runs"
tap_done
