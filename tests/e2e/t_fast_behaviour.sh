#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What programs see of a connection past TCP is what they see of TCP, but for what docs/config.md lists.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
# Nobody else listens there, and nothing is configured yet: this is TCP.
in_cgroup "$cgroup" "$tools/ends" 127.0.0.1 91 >"$work/tcp" || bail "over TCP: $(<"$work/tcp")"
config_write 'listeners=[{"name": "ends", "port": 91, "protocol": "tcp", "fast_path": "on"}]'
mpbpf_load
matches "$(<"$log")" 'listener ends: port 91 has a fast path, and is not guarded' "the load says what it is"
in_cgroup "$cgroup" timeout $((20 * slow)) "$tools/ends" 127.0.0.1 91 >"$work/fast"
is $? 0 "all of it can be done past TCP"
while IFS=: read -r name seen; do
	other=$(sed -n "s/^$name://p" "$work/fast")
	if [[ $name == !* ]]; then
		diag "$name: TCP:$seen, past it:$other"
	else
		is "$other" "$seen" "$name"
	fi
done <"$work/tcp"
figures_read figures
between "${figures[fast_path.connections]}" 20 100 "all of them had a fast path"
between "${figures[fast_path.messages]}" 50 1000 "and took it"

tap_done
