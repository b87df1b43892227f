#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short, repeatable libFuzzer run over tokens and files of keys, starting from the tracked corpus.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

fuzz fuzz_jwt 4 "a promise about tokens and keys" 1000 -max_len=4096 -dict=tests/fuzz/jwt.dict tests/fuzz/corpus-jwt
