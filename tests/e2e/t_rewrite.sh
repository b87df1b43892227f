#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A client of the same machine sends the pages of a file, and changes them when they are judged and not yet read: what the service
# reads is what was judged.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
nginx_workers=1
server_start
mpbpf_load
read -r -a workers <"/proc/$(cat "$work/web/nginx.pid")/task/$(cat "$work/web/nginx.pid")/children"

# rewritten BEFORE AFTER: both with escapes of printf
rewritten() {
	printf "$1" >"$work/before"
	printf "$2" >"$work/after"
	accessed_reset
	in_server "$tools/rewrite" 127.0.0.1 8080 "$work/before" "$work/after" "${workers[0]}" | joined
}

head='HTTP/1.1\r\nHost: server\r\n\r\n'
is "$(rewritten "GET /healthz $head" "GET /secret1 $head")" 200 "a head that is changed: the answer is that to what was judged"
accessed_is 2 "the service saw one request"
is "$(accessed_with secret)" 0 "and not what it was changed to"

post='POST /healthz HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\r\n'
body="$(printf 'x%.0s' {1..41})"
is "$(rewritten "$post"'29\r\n'"$body"'\r\n0\r\n\r\n' "$post"'0;\r\n\r\nGET /secret HTTP/1.1\r\nHost: server\r\nX: xxx\r\n\r\n')" 200 \
	"framing that is changed: one request, one answer"
is "$(accessed_with secret)" 0 "and no other hides in the body"

tap_done
