#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short, repeatable libFuzzer run over the head and body readers, starting from the tracked corpus.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

fuzz fuzz_http1 25 "a promise of the parser" 10000 -max_len=8192 -dict=tests/fuzz/http1.dict tests/fuzz/corpus
