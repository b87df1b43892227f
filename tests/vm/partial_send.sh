#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Does the self-test find the partial-send corruption? No kernel that has it is to be had any more, so the fix is taken out
# of a stock 6.1: partial_send.sh DIR, where DIR is what `make vmtest` left in $BUILD/vm
#
# The fix (commit 3b4f14b79428, "bpf, sockmap: fix duplicated data transmission", in 6.1.142) makes sk_psock_backlog() go
# on where it was cut. One conditional jump does that; in a copy of the kernel's image it is overwritten by no-operations.
# TAP: `mpbpf check` names the commit, `mpbpf load` refuses listeners, L3/L4 protection loads.
set -uo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
vm=$(realpath "${1:?the folder that \`make vmtest\` left, build/vm}")
work=$(mktemp -d "$vm/partial-send-XXXXXX")
# shellcheck disable=SC2034
log=$work/log tap_count=0 tap_failed=0
trap 'rm -rf "$work"' EXIT
# shellcheck source-path=SCRIPTDIR source=../e2e/tap.sh
. "$here/../e2e/tap.sh"

# guest KERNEL NAME COMMAND: its results are in $work/NAME
guest() {
	mkdir "$work/$2"
	"$here/guest.sh" "$1" "$vm/suite" "$work/$2" 300 bash -c "$3" || bail "the guest failed: $(tail -n 5 "$work/$2/log")"
}

# remove_fix ADDRESS IMAGE: `mov -0x8(%rbp),%eax; test %eax,%eax; jne`: state->len of psock->work_state, behind psock->work.
# It must be there just once in the first 512 bytes of sk_psock_backlog().
remove_fix() {
	perl -e '
		my ($address, $file) = (hex $ARGV[0], $ARGV[1]);
		open my $f, "+<:raw", $file or die "$file: $!\n";
		my $image = do { local $/; <$f> };
		my ($phoff, $phnum) = (unpack("Q<", substr $image, 32), unpack("S<", substr $image, 56));
		for my $i (0 .. $phnum - 1) {
			my ($type, $flags, $off, $va, $pa, $size) = unpack "L<2Q<4", substr $image, $phoff + 56 * $i;
			next unless $type == 1 && $va <= $address && $address < $va + $size;
			my $at = $off + $address - $va;
			my @found = substr($image, $at, 512) =~ /\x8b\x45\xf8\x85\xc0(\x0f\x85..\0\0)/gs or last;
			die "state->len is looked at ", scalar @found, " times\n" if @found > 1;
			$at += index(substr($image, $at, 512), "\x8b\x45\xf8\x85\xc0\x0f\x85") + 5;
			seek $f, $at, 0;
			print $f "\x66\x0f\x1f\x44\0\0" or die "$file: $!\n";
			close $f or die "$file: $!\n";
			exit 0;
		}
		die "no jump over state->len found at $ARGV[0]\n"' "$1" "$2"
}

guest "$vm/6.1" stock 'grep " sk_psock_backlog$" /proc/kallsyms >/run/results/symbol'
read -r address _ <"$work/stock/symbol"
mkdir "$work/kernel"
cp "$vm/6.1/vmlinux" "$vm/6.1/initrd" "$work/kernel"
remove_fix "$address" "$work/kernel/vmlinux" || bail "this build of 6.1 is another: the script wants to be looked at"

# shellcheck disable=SC2016
guest "$work/kernel" faulty '
	cd /run/results
	mpbpf=/run/suite/build/mpbpf
	listener="\"listeners\": [{\"name\": \"web\", \"port\": 8080}], \"auth\": {\"jwt_secret\": \"0123456789abcdef0123456789abcdef\"}"
	echo "{\"version\": \"1\", $listener}" >config
	ip link add veth0 type veth peer name veth1
	$mpbpf check >check 2>&1
	echo $? >check.status
	$mpbpf load --iface veth0 --config config --no-agent >guard 2>&1
	echo $? >guard.status
	$mpbpf load --iface veth0 --no-agent >protection 2>&1
	echo $? >protection.status
	$mpbpf unload
	true'
cd "$work/faulty" || bail "the guest left nothing"
is "$(cat check.status)" 1 "mpbpf check: status 1"
matches "$(grep '^FAIL partial_send' check)" '3b4f14b79428' "partial_send names the commit that is missing"
is "$(grep -c '^ok   xdp_' check)" 4 "the rows of XDP stay ok"
is "$(cat guard.status)" 1 "mpbpf load refuses a listener"
matches "$(cat guard)" 'listeners cannot be guarded on this kernel.*3b4f14b79428' "and says why"
is "$(cat protection.status)" 0 "L3/L4 protection loads"
echo "1..$tap_count"
[ "$tap_failed" -eq 0 ]
