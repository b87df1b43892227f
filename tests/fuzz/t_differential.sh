#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The shared parser against node's over the same bytes: what ours accepts, node reads as the same requests.
cd "$(dirname "$0")/../.." || exit 1
exec node tests/fuzz/differential.mjs "${BUILD:-build}/tests/fuzz/http1_cli" tests/fuzz/corpus "${INPUTS:-40000}" "${SEED:-1}"
