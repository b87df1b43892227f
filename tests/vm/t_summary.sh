#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make vmtest` calls nothing good that is not: made-up results of a host and a guest, with one thing wrong at a time.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/tap.sh
. "$(dirname "$0")/../e2e/tap.sh"
set -u
export LC_ALL=C
cd "$(dirname "$0")" || exit 1
work=$(mktemp -d /tmp/mpbpf-vm-XXXXXXXX)
log=/dev/null
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' INT TERM HUP
export KERNELS_DOC=$work/kernels.md
vm=$work/vm host=$work/vm/results/host guest=$work/vm/results/6.1

# result DIR NAME STATE PASSED FAILED SKIPPED
result() {
	printf '%s\t%s\t%s\t%s\t%s\t7\n' "${@:2}" >>"$1/results"
	printf 'ok 1 - a\nnot ok 2 - the point of %s\n' "$2" >"$1/$2.tap"
}

# One run of two tests on both, without a fault.
good_run() {
	local dir
	rm -rf "$vm"
	mkdir -p "$host" "$guest" "$vm/suite/tests/skips"
	: >"$vm/suite/tests/skips/6.1"
	printf '%s\n' test_one t_two.sh >"$vm/wanted"
	for dir in "$host" "$guest"; do
		result "$dir" test_one ok 10 0 0
		result "$dir" t_two.sh ok 20 0 1
		echo "t_two.sh: a point # SKIP a reason" >"$dir/skips"
		echo 0 >"$dir/status"
		cat >"$dir/check.json" <<-'JSON'
			{"features": [{"name": "one", "ok": true, "required": true, "detail": "1 ms", "instead": ""},
				{"name": "two", "ok": false, "required": false, "detail": "2 ms", "instead": "goes without"}],
			"xdp": true, "guard": true}
		JSON
	done
	printf '6.18.1-x\n#1 SMP\n' >"$host/kernel"
	printf '6.1.0-9-cloud-amd64\n#1 SMP Debian 6.1.99-1 (2026)\n' >"$guest/kernel"
	echo '[    1.000000] all is well' >"$guest/dmesg"
	echo 0 | tee "$guest/booted" >"$guest/taint"
}

summary() {
	./summary.sh "$vm" host 6.1 >"$work/out" 2>&1
	rc=$?
}

# sums LINE STATUS DESCRIPTION
sums() {
	is "$(tail -n 1 "$work/out"), status $rc" "$1, status $2" "$3"
}

# cell COLUMN NAME: what the table says of that test, without the seconds
cell() {
	awk -v column="$1" -v name="$2" -F '  +' '$1 == name { print $(2 * column) }' "$work/out"
}

# wrong DESCRIPTION LINE WORDS: after one thing was broken, the sums are LINE and the reason stands in the output
wrong() {
	summary
	sums "$2" 1 "$1: fails"
	check "$1: it says so" grep -qF -- "$3" "$work/out"
	good_run
}

good_run
./kernels_doc.sh write "$vm/results" >"$KERNELS_DOC"
summary
sums "67 passed, 0 failed, 2 skipped" 0 "all is well"
is "$(cell 1 test_one), $(cell 2 t_two.sh)" "ok 10, ok 20 skip 1" "a cell for each test and run"
is "$(grep -c '^skipped on .*: t_two.sh: a point # SKIP a reason$' "$work/out")" 2 "each skip with its reason"

result "$guest" test_three 'not ok' 3 2 0
echo test_three >>"$vm/wanted"
wrong "a test failed, and is missing on the host" "70 passed, 3 failed, 2 skipped" "not ok 2 - the point of test_three"
sed -i 's/^test_one.*/test_one\tnot ok\t10\t0\t0\t9/' "$guest/results"
wrong "a test failed without a point that did" "67 passed, 1 failed, 2 skipped" "FAIL 0 of 10"
sed -i 's/^test_one.*/test_one\tSKIP\t0\t0\t10\t9/' "$host/results"
summary
sums "57 passed, 0 failed, 12 skipped" 0 "a skip is no pass"
good_run
sed -i '/^test_one/d' "$guest/results"
wrong "a test is missing on a guest" "57 passed, 1 failed, 2 skipped" "MISSING"
rm -rf "$guest"
mkdir "$guest"
echo 125 >"$guest/status"
echo "Kernel panic - not syncing" >"$guest/console"
wrong "the guest died" "33 passed, 6 failed, 1 skipped" "Kernel panic - not syncing"
echo 124 >"$guest/status"
echo "t_two.sh sleeps" >"$guest/stuck"
wrong "its time was over" "66 passed, 1 failed, 2 skipped" "t_two.sh sleeps"
echo "[    9.000000] WARNING: CPU: 0 PID: 1 at net/core/skmsg.c:1" >>"$guest/dmesg"
wrong "the kernel warned" "66 passed, 1 failed, 2 skipped" "at net/core/skmsg.c:1"
: >"$guest/dmesg"
wrong "no kernel log" "66 passed, 1 failed, 2 skipped" "there is none"
echo 512 >"$guest/taint"
wrong "the kernel is tainted" "66 passed, 1 failed, 2 skipped" "was 0 after booting, 512 in the end"
rm "$vm/suite/tests/skips/6.1"
wrong "no list of skips" "66 passed, 1 failed, 2 skipped" "tests/skips/6.1 is missing"
echo "# tests/skips/6.1 allows what was not skipped: t_two.sh: ^a point # SKIP a reason$" >>"$guest/log"
wrong "a skip is allowed in vain" "66 passed, 1 failed, 2 skipped" "tests/skips/6.1 allows what was not skipped: t_two.sh"

sed -i 's/goes without/lets all through/' "$guest/check.json"
wrong "docs/kernels.md is out of date" "66 passed, 1 failed, 2 skipped" "make kernels-doc"
sed -i 's/2 ms/3 ms/' "$guest/check.json"
sed -i 's/6.1.99/6.1.100/' "$guest/kernel"
summary
sums "67 passed, 0 failed, 2 skipped" 0 "docs/kernels.md: figures and patch releases are left out"
good_run
echo "mpbpf: no" >"$guest/check.json"
echo "no root" >"$guest/check.log"
wrong "mpbpf check says nothing" "66 passed, 1 failed, 2 skipped" "no root"
sed -i 's/^6.18/6.20/' "$host/kernel"
summary
sums "67 passed, 0 failed, 2 skipped" 0 "a host whose kernel is not in docs/kernels.md"

tap_done
