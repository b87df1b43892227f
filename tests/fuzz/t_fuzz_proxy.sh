#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short, repeatable libFuzzer run over PROXY protocol headers, starting from the tracked corpus.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"

fuzz fuzz_proxy 4 "a promise about PROXY headers" 1000 -max_len=700 tests/fuzz/corpus-proxy
