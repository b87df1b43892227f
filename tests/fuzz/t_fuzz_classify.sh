#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short, repeatable libFuzzer run over the readers of first payloads, starting from one of each kind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

hex() {
	printf '%b' "$(tr -d ' \t\n' <<<"$2" | sed 's/../\\x&/g')" >"$work/corpus/$1"
}
hex hello "16030100 4e 0100004a 0303 $(printf '41%.0s' {1..32}) 00 00021301 0100 001f \
	0000 0010 000e 00 000b 6578616d706c652e636f6d 002b 0007 06 3a3a 0304 0303"
hex mqtt '100c 0004 4d515454 0402003c0000'
hex dns '1234 0100 0001 0000 0000 0000 01610000010001'
hex postgresql '00000008 04d2162f'
hex settings '00000c 04 00 00000000 000300000064'
printf 'GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\r\n' >"$work/corpus/get"
printf 'POST /s/M HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\n\r\n' >"$work/corpus/post"
printf '*1\r\n$4\r\nPING\r\n' >"$work/corpus/redis"
printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' >"$work/corpus/preface"

fuzz fuzz_classify 10 "a promise of the readers" 10000 -max_len=2100
