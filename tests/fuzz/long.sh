#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make fuzz`: FUZZ_SECONDS of libFuzzer on all processors with a corpus that is kept between runs, a quarter of that for tokens
# and keys, an eighth for PROXY headers, a tenth for first payloads, then node's parser with fresh seeds for as long as a tenth of
# it, and request streams against guarded services with fresh seeds for as long again, and once more through gateways.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
seconds=${FUZZ_SECONDS:-600}
corpus=$build/fuzz-corpus
mkdir -p "$corpus" "$corpus-jwt" "$corpus-proxy" "$corpus-classify"

"$build/tests/fuzz/fuzz_http1" -fork="$(nproc)" -max_total_time="$seconds" -max_len=32768 -timeout=10 \
	-dict=tests/fuzz/http1.dict -artifact_prefix="$build/" "$corpus" tests/fuzz/corpus
"$build/tests/fuzz/fuzz_jwt" -fork="$(nproc)" -max_total_time=$((seconds / 4)) -max_len=8192 -timeout=10 \
	-dict=tests/fuzz/jwt.dict -artifact_prefix="$build/" "$corpus-jwt" tests/fuzz/corpus-jwt
"$build/tests/fuzz/fuzz_proxy" -fork="$(nproc)" -max_total_time=$((seconds / 8)) -max_len=1024 -timeout=10 \
	-artifact_prefix="$build/" "$corpus-proxy" tests/fuzz/corpus-proxy
"$build/tests/fuzz/fuzz_classify" -fork="$(nproc)" -max_total_time=$((seconds / 10)) -max_len=2100 -timeout=10 \
	-artifact_prefix="$build/" "$corpus-classify"
end=$((SECONDS + seconds / 10))
while [ "$SECONDS" -lt "$end" ]; do
	node tests/fuzz/differential.mjs "$build/tests/fuzz/http1_cli" tests/fuzz/corpus 100000 "$RANDOM$RANDOM"
done
end=$((SECONDS + seconds / 10))
while [ "$SECONDS" -lt "$end" ]; do
	SMUGGLE_SEED=$RANDOM$RANDOM SMUGGLE_STREAMS=${SMUGGLE_STREAMS:-20000} SMUGGLE_LIMIT=3600 SMUGGLE_ARGS=${SMUGGLE_ARGS:--o} \
		tests/e2e/t_smuggling.sh
done
end=$((SECONDS + seconds / 10))
while [ "$SECONDS" -lt "$end" ]; do
	SMUGGLE_SEED=$RANDOM$RANDOM SMUGGLE_STREAMS=${SMUGGLE_STREAMS:-20000} SMUGGLE_LIMIT=3600 SMUGGLE_ARGS=${SMUGGLE_ARGS:--o} \
		tests/e2e/t_gateway_smuggling.sh
done
