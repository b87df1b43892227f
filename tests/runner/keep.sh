#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How prove starts each test of `make check`: keep.sh TEST. What the test says is kept in KEPT, for run_kselftest.sh -k.
#
# KEPT/NAME.tap: its standard output; KEPT/NAME.kept, written last: exit status and seconds.
set -u

began=$SECONDS
name=${1##*/}
rm -f -- "$KEPT/$name.kept"
"$1" </dev/null | tee -- "$KEPT/$name.tap"
status=${PIPESTATUS[0]}
echo "$status $((SECONDS - began))" >"$KEPT/$name.kept"
exit "$status"
