#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Heads that two readers could read differently are answered 400, whole or split, and never reach the service.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
auth=$(bearer "$(token malformed)")
start="GET /echo HTTP/1.1\r\nHost: server\r\n$auth\r\n"
post="POST /echo HTTP/1.1\r\nHost: server\r\n$auth\r\n"
smuggled="GET /echo/smuggled HTTP/1.1\r\nHost: server\r\n\r\n"

heads=(
	"CL.TE|${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"
	"TE.CL|${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n$smuggled\r\n0\r\n\r\n"
	"two equal Content-Lengths|${post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
	"two differing Content-Lengths|${post}Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc"
	"Content-Length list|${post}Content-Length: 3, 3\r\n\r\nabc"
	"signed Content-Length|${post}Content-Length: +3\r\n\r\nabc"
	"negative Content-Length|${post}Content-Length: -3\r\n\r\nabc"
	"hexadecimal Content-Length|${post}Content-Length: 0x3\r\n\r\nabc"
	"empty Content-Length|${post}Content-Length:\r\n\r\n"
	"Content-Length with a blank inside|${post}Content-Length: 1 0\r\n\r\n0123456789"
	"Content-Length beyond 64 bits|${post}Content-Length: 99999999999999999999999\r\n\r\n"
	"Transfer-Encoding gzip, chunked|${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
	"Transfer-Encoding chunked, identity|${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
	"Transfer-Encoding xchunked|${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
	"Transfer-Encoding twice|${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	"Transfer-Encoding with vertical tab|${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
	"Transfer-Encoding in HTTP/1.0|POST /echo HTTP/1.0\r\nHost: server\r\n$auth\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	"bare LF after the request line|GET /echo HTTP/1.1\nHost: server\r\n$auth\r\n\r\n"
	"bare LF after a field|GET /echo HTTP/1.1\r\nHost: server\n$auth\r\n\r\n"
	"bare LF for the empty line|${start}\n"
	"bare CR in a field|${start}X-A: a\rb\r\n\r\n"
	"CR CR LF|${start}X-A: a\r\r\n\r\n"
	"folded field|${start}X-A: a\r\n b\r\n\r\n"
	"folded field with a tab|${start}X-A: a\r\n\tTransfer-Encoding: chunked\r\n\r\n"
	"blank before the first field|GET /echo HTTP/1.1\r\n Host: server\r\n$auth\r\n\r\n"
	"blank before the colon|${post}Content-Length : 3\r\n\r\nabc"
	"tab before the colon|${post}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"
	"no colon|${start}X-A\r\n\r\n"
	"empty field name|${start}: a\r\n\r\n"
	"NUL in a field value|${start}X-A: a\x00b\r\n\r\n"
	"NUL in a field name|${start}X-\x00A: b\r\n\r\n"
	"control byte in a field value|${start}X-A: a\x01b\r\n\r\n"
	"DEL in a field value|${start}X-A: a\x7fb\r\n\r\n"
	"byte over 127 in a field name|${start}X-\xe4: b\r\n\r\n"
	"two Hosts|${start}Host: other\r\n\r\n"
	"no Host|GET /echo HTTP/1.1\r\n$auth\r\nX-Filler: 0123456789\r\n\r\n"
	"two Authorizations|${start}$auth\r\n\r\n"
	"HTTP/2.0|GET /echo HTTP/2.0\r\nHost: server\r\n$auth\r\n\r\n"
	"HTTP/1.10|GET /echo HTTP/1.10\r\nHost: server\r\n$auth\r\n\r\n"
	"HTTP/01.1|GET /echo HTTP/01.1\r\nHost: server\r\n$auth\r\n\r\n"
	"http in lower case|GET /echo http/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"no version|GET /echo\r\nHost: server\r\n$auth\r\n\r\n"
	"two blanks|GET  /echo HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"blank in the target|GET /echo /x HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"tab for a blank|GET\t/echo HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"NUL in the target|GET /echo\x00 HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"byte over 127 in the target|GET /ech\xe4 HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"fragment in the target|GET /echo#x HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"no method| /echo HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"empty line first|\r\nGET /echo HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n"
	"TLS ClientHello|\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	"HTTP/2 preface|PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

# A head that is in order before a body that is not.
bodies=(
	"chunk size that is no number|${post}Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n"
	"chunk size with a sign|${post}Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"
	"chunk size beyond 64 bits|${post}Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"
	"chunk without its CRLF|${post}Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n"
	"chunk size ended by a bare LF|${post}Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n"
)

# refused WHAT SEND HEAD...: each head, given to the command SEND, is answered 400 and the end. All at once, each on a
# connection of its own.
refused() {
	local what=$1 send=$2 head i answers
	shift 2
	mapfile -t answers < <(
		for ((i = 1; i <= $#; i++)); do
			printf '%s\n' "use $i" "connect $server_ip 8080" "$send ${!i#*|}"
		done >"$work/requests"
		for ((i = 1; i <= $#; i++)); do
			printf '%s\n' "use $i" read eof
		done >>"$work/requests"
		script <"$work/requests"
	)
	i=0
	for head in "$@"; do
		# Bytes that come after the answer may turn the end into a reset.
		matches "${answers[i]-} ${answers[i + 1]-}" '^400 [0-9]+ (eof|reset)$' "${head%%|*}$what: 400 and the end"
		i=$((i + 2))
	done
}

accessed_reset
refused "" send "${heads[@]}"
refused ", in pieces" "pieces 13" "${heads[@]}"
accessed_is 0 "nothing of all that reached the service"

# In one segment with its head, under a cached verdict, the kernel sees the body before it lets anything pass.
is "$(http -H "$auth" /echo)" 200 "the same token with a good head"
accessed_reset
refused "" send "${bodies[@]}"
accessed_is 0 "nothing of that reached the service"
# In pieces the head has long been served: then the connection ends there, and what follows is no request.
for body in "${bodies[@]}"; do
	matches "$(script <<-END | joined
		connect $server_ip 8080
		pieces 13 ${body#*|}$smuggled
		read
		read
	END
	)" '^(200 [0-9]+ |400 [0-9]+ |closed )(closed|cut|400 [0-9]+)$' "${body%%|*}, in pieces: the end"
done
is "$(accessed_with smuggled)" 0 "what stands behind a malformed body is no request"

accessed_reset
matches "$(script <<-END | joined
	connect $server_ip 8080
	send $start\r\n
	status
	send ${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG
	status
	eof
END
)" '^200 400 (eof|reset)$' "the same on a kept connection"
accessed_is 1 "where the service saw the first request only"
is "$(http -H "$auth" /echo)" 200 "after all that a good request is served"
tap_done
