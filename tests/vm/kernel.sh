#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Gets one of Debian's cloud kernels and makes it ready for tests/vm/guest.sh: kernel.sh 6.1|6.12 DIR
#
# DIR then holds vmlinux and initrd. It is made anew when Debian's meta-package names another release.
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$1 dir=$2

die() {
	echo "vmtest: kernel $version: $*" >&2
	exit 1
}

# What the meta-package depends on, e.g. linux-image-6.1.0-56-cloud-amd64: the ABI in that name moves on.
package() {
	local meta=linux-image-$version-cloud-amd64
	[ "$version" != 6.1 ] || meta=linux-image-cloud-amd64
	apt-cache show --no-all-versions "$meta" 2>/dev/null | sed -nE 's/^Depends: (linux-image-[^ ]+).*/\1/p'
}

# A list of packages that is missing, or older than what the archive still has, is renewed.
download() {
	name=$(package)
	if [ -z "$name" ] || ! fetch 2>/dev/null; then
		apt-get -q -q update
		name=$(package)
		[ -n "$name" ] || die "apt knows no cloud kernel of that version"
		fetch
	fi
}

fetch() {
	(cd "$new" && apt-get -q -q -o APT::Sandbox::User=root download "$name")
}

# field OFFSET SIZE: a little-endian number in the head of the bzImage (Documentation/arch/x86/boot.rst)
field() {
	od -An -tu"$2" -j"$(($1))" -N"$2" "$image" | tr -d ' '
}

# The ELF image inside a bzImage. qemu boots that directly; the emulated machine would take long to unpack it.
unpack_image() {
	local image=$1 start length unpack
	start=$((($(field 0x1f1 1) + 1) * 512 + $(field 0x248 4)))
	length=$(field 0x24c 4)
	case $(od -An -tx1 -j"$start" -N4 "$image" | tr -d ' ') in
	28b52ffd) unpack=zstd ;;
	02214c18) unpack=lz4 ;;
	fd377a58) unpack=xz ;;
	*) die "$image is packed in a way that is not known here" ;;
	esac
	# The last 4 bytes are the size and no part of what is packed.
	{ tail -c "+$((start + 1))" "$image" || true; } | head -c "$((length - 4))" | "$unpack" -dcq >"$2"
	[ "$(head -c 4 "$2")" = $'\x7fELF' ] || die "$image: no ELF image inside"
}

# The part of the initramfs that is the same for every guest: its first process, and the modules; guest.sh adds the files. Not
# compressed, for the emulated machine is slower than the copying.
pack_initramfs() {
	local modules=$1 root=$new/initramfs
	mkdir -p "$root"/{bin,proc,sys,dev,root/usr/lib/modules}
	cp "$(command -v busybox)" "$root/bin/busybox"
	install -m 755 "$here/init" "$root/init"
	mv "$new/$modules" "$root/root/usr/lib/modules"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$new/initrd"
	rm -rf "$root" "$new/lib"
}

prepare() {
	local release=${name#linux-image-} modules=lib/modules/${name#linux-image-}
	dpkg -x "$new"/*.deb "$new/package"
	unpack_image "$new/package/boot/vmlinuz-$release" "$new/vmlinux"
	mkdir -p "$new/lib/modules"
	mv "$new/package/$modules" "$new/lib/modules"
	rm -rf "$new"/*.deb "$new/package"
	# busybox loads them, and cannot unpack them.
	find "$new/$modules" -name '*.ko.xz' -exec xz -d {} +
	busybox depmod -b "$new" "$release"
	pack_initramfs "$modules"
}

# Which package, and made by which recipe.
recipe() {
	echo "$name $(cat "$here/kernel.sh" "$here/init" | cksum)"
}

name=$(package)
if [ -n "$name" ] && [ "$(cat "$dir/recipe" 2>/dev/null)" = "$(recipe)" ]; then
	exit 0
fi
new=$dir.new
rm -rf "$new"
mkdir -p "$new"
download
echo "vmtest: kernel $version: $name"
prepare
recipe >"$new/recipe"
rm -rf "$dir"
mv "$new" "$dir"
