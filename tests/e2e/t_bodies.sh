#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Request bodies arrive whole: Content-Length and chunked, small and large, and a denied one never arrives.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
declare -A sizes=([small]=5000 [large]=$(scaled 10000000 2000000))
part=$(scaled 1000000 100000)
pattern_files "$work/small=${sizes[small]}" "$work/large=${sizes[large]}"

# stored NAME FILE WHAT
stored() {
	check "$3: stored byte for byte" wait_for 3 cmp "$work/$2" "$work/web/dav/$1"
}

put() {
	echo "PUT /dav/$1 HTTP/1.1\r\nHost: server\r\n$(bearer "$2")\r\n$3\r\n\r\n"
}

for size in small large; do
	for host in $server_ip $server_ip6; do
		what="$size body to $host"
		t=$(token "$what")
		get="GET /1 HTTP/1.1\r\nHost: server\r\n$(bearer "$t")\r\n\r\n"
		is "$(script <<-END
			connect $host 8080
			join
			send $(put "cl-$size" "$t" "Content-Length: ${sizes[$size]}")
			file $work/$size
			flush
			read
			send $(put "cached-$size" "$t" "Content-Length: ${sizes[$size]}")
			file $work/$size
			read
			send $(put "chunked-$size" "$t" "Transfer-Encoding: chunked")
			chunked $work/$size 3333
			read
			send $get
			read
		END
		)" $'201 0\n201 0\n201 0\n200 1' "$what: new token, cached token, chunked, then a GET"
		stored "cl-$size" "$size" "$what, new token"
		stored "cached-$size" "$size" "$what, cached token"
		stored "chunked-$size" "$size" "$what, chunked"
		rm -f "$work"/web/dav/*
	done
	is "$(script <<-END
		connect $server_ip 8080
		join
		send $(put "first-$size" "$(token "chunked $size")" "Transfer-Encoding: chunked")
		chunked $work/$size 60000
		flush
		read
		send $get
		read
	END
	)" $'201 0\n200 1' "chunked $size body with a new token"
	stored "first-$size" "$size" "chunked $size body with a new token"
done

# Many at a time, each with a token of its own: the helper has them all in hand at once.
tokens_read 16 part
for i in {1..16}; do
	pattern_files "$work/part$i=$((part + i * part / 13))"
	script <<-END >"$work/answer$i" &
		timeout 20000
		connect $server_ip 8080
		send $(put "part$i" "${tokens[i]}" "Transfer-Encoding: chunked")
		chunked $work/part$i $((500 + i * 4001))
		read
		send GET /100 HTTP/1.1\r\nHost: server\r\n$(bearer "${tokens[i]}")\r\n\r\n
		read
	END
	uploads[i]=$!
done
wait "${uploads[@]}"
is "$(cat "$work"/answer* | tally)" "16 201 0 16 200 100" "16 uploads at a time: answered"
differ=
for i in {1..16}; do
	cmp -s "$work/part$i" "$work/web/dav/part$i" || differ="$differ $i"
done
is "$differ" "" "16 uploads at a time: each stored byte for byte"

for t in "$t" "$(token expect)"; do
	is "$(script <<-END
		connect $server_ip 8080
		send $(put expect "$t" "Expect: 100-continue\r\nContent-Length: 5000")
		read
		file $work/small
		read
		send $get
		read
	END
	)" $'100 0\n201 0\n200 1' "Expect: 100-continue: the service says go on"
	stored expect small "Expect: 100-continue"
	rm -f "$work/web/dav/expect"
done

for t in "$t" "$(token head)"; do
	is "$(script <<-END
		connect $server_ip 8080
		send HEAD /1000 HTTP/1.1\r\nHost: server\r\n$(bearer "$t")\r\n\r\n
		read head
		field Content-Length
		send $get
		read
		send HEAD /1000 HTTP/1.1\r\nHost: server\r\nX-Filler: 0123456789012345678901234567890123456789\r\n\r\n
		read head
		send $get
		read
	END
	)" $'200 0\n1000\n200 1\n401 0\n200 1' "HEAD, allowed and denied: no body, and the next answer is in its place"
done

accessed_reset
is "$(script <<-END
	connect $server_ip 8080
	send PUT /dav/denied HTTP/1.1\r\nHost: server\r\nX-Filler: 0123456789012345678901234567890\r\nContent-Length: 5000\r\n\r\n
	read
	file $work/small
	send $get
	read
END
)" $'401 0\n200 1' "a denied request's body is thrown away, the next request is judged"
accessed_is 1 "the service saw the second only"
check "nothing of the denied body was stored" test ! -e "$work/web/dav/denied"
tap_done
