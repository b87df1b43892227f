#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One kernel's part of `make vmtest`, on the host and in each guest: suite.sh SUITE RESULTS [ARGUMENT OF THE RUNNER]...
#
# SUITE is an installed test folder. RESULTS gets check.json, kernel (two lines: release and version) and what run_kselftest.sh -o
# writes; the exit status is that of the runner.
suite=$1 results=$2
shift 2

uname -rv | sed 's/ /\n/' >"$results/kernel"
# Its exit status is not looked at: what it says is held against docs/kernels.md, and tests/e2e/t_check.sh is among the tests.
"$suite/build/mpbpf" check --json >"$results/check.json" 2>"$results/check.log"
# A shell's background processes ignore SIGINT, and those of nohup SIGHUP; tests send both.
exec env --default-signal "$suite/run_kselftest.sh" -o "$results" "$@"
