# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# How the cases ask the service: single requests, scripts of exact bytes, load. lib.sh sources it.

# ---- single requests ----

# http [-H FIELD]... PATH: the status of a GET on a connection of its own, or what came instead of an answer. The body is in
# $work/body. From the address $from, to $host and $port, within $patience ms of silence, where they are set.
http() {
	local fields='User-Agent: mpbpf-tests\r\nAccept: */*\r\n'
	while [ "$1" = -H ]; do
		fields+="$2\r\n"
		shift 2
	done
	: >"$work/body"
	script <<-END
		timeout ${patience:-5000}
		connect ${host:-$server_ip} ${port:-8080} ${from:-}
		send GET $1 HTTP/1.1\r\nHost: server\r\n$fields\r\n
		status
		save $work/body
	END
}

# http_is STATUS HTTP_ARGS: for wait_for
http_is() {
	[ "$(http "${@:2}")" = "$1" ]
}

# curled CURL_ARGS URL_PATH: the same by a real client; the head is in $work/head
curled() {
	local host=${host:-$server_ip}
	[[ $host != *:* ]] || host="[$host]"
	in_client curl -s -o "$work/body" -D "$work/head" -w '%{http_code}' --path-as-is --max-time $((10 * slow)) \
		"${@:1:$#-1}" "http://$host:${port:-8080}${*: -1}"
}

bearer() {
	printf 'Authorization: Bearer %s' "$1"
}

# ---- byte by byte, and many ----

# script: runs a script of tests/e2e/httpc.c from standard input in the client's namespace
script() {
	in_client "$tools/httpc"
}

# session NAME LINE...: gives lines to a script that runs beside the case and starts with the first; its answers go to
# $work/NAME. session_end NAME waits until it has done them all.
declare -A session_input session_pid

session() {
	local name=$1 fd
	shift
	if [ -z "${session_pid[$name]-}" ]; then
		mkfifo "$work/$name.in"
		: >"$work/$name"
		script <"$work/$name.in" >>"$work/$name" 2>&1 &
		session_pid[$name]=$!
		exec {fd}<>"$work/$name.in"
		session_input[$name]=$fd
	fi
	printf '%s\n' "$@" >&"${session_input[$name]}"
}

# session_read NAME LINE...: gives lines to a script that has been started, and prints the answer that comes next
session_read() {
	local answers before
	mapfile -t answers <"$work/$1"
	before=${#answers[@]}
	session "$@"
	wait_for 6 session_answered "$1" $((before + 1))
	mapfile -t answers <"$work/$1"
	echo "${answers[before]-none}"
}

session_answered() {
	local answers
	mapfile -t answers <"$work/$1"
	[ "${#answers[@]}" -ge "$2" ]
}

session_end() {
	session "$1" exit
	wait "${session_pid[$1]}"
	session_pid[$1]=
	rm "$work/$1.in"
}

# load_start NAME HTTPLOAD_ARGS: requests without end beside the case; load_end NAME ends them. Their sum is in $work/NAME.
declare -A load_pid

load_start() {
	"$tools/httpload" load "${@:2}" -u >"$work/$1" &
	load_pid[$1]=$!
}

load_end() {
	kill -TERM "${load_pid[$1]}"
	wait "${load_pid[$1]}"
}

# joined: the lines of standard input in one, parted by blanks
joined() {
	local lines
	mapfile -t lines
	echo "${lines[*]}"
}

# tally: how often each line of standard input came, e.g. "3 200 1 403", in the order in which they came first
tally() {
	local line text= lines=()
	local -A count=()
	while read -r line; do
		[ -n "${count[$line]-}" ] || lines+=("$line")
		count[$line]=$((${count[$line]:-0} + 1))
	done
	for line in "${lines[@]}"; do
		text+="${text:+ }${count[$line]} $line"
	done
	echo "$text"
}
