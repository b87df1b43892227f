#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a guest has of this machine's files: files.sh LIST ROOT prints their names, below ROOT and without a slash in front.
#
# LIST is the packages.txt of an installed suite. The files are those of its packages, of what every installation has, and of all
# that these depend on, but for documentation; /etc; and the links that `alternatives` made. A suite that needs more fails in there.
set -euo pipefail
export LC_ALL=C
list=$(realpath "$1") root=$2

# One a line. Of alternatives (a | b) all that are installed; a name that several provide stands for each of them.
packages() {
	dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t${Provides}\n' |
		awk -F '\t' -v listed="$(grep -v '^#' "$list" | tr '\n' ' ')" '
			function name(text) {
				sub(/^ */, "", text)
				sub(/[ :(].*/, "", text)
				return text
			}
			function want(package, i) {
				if (package in depends && !(package in wanted)) {
					wanted[package]
					queue[n++] = package
				}
				for (i = 1; !(package in depends) && i <= provided[package]; i++)
					want(provider[package, i])
			}
			$1 == "installed" {
				depends[$2] = $4
				count = split($5, names, ",")
				for (i = 1; i <= count; i++)
					provider[name(names[i]), ++provided[name(names[i])]] = $2
				if ($3 == "yes")
					essential[$2]
			}
			END {
				for (package in essential)
					want(package)
				count = split(listed, names, " ")
				for (i = 1; i <= count; i++) {
					if (!(names[i] in depends)) {
						print "files.sh: not installed: " names[i] >"/dev/stderr"
						exit failed = 1
					}
					want(names[i])
				}
				for (at = 0; at < n; at++) {
					print queue[at]
					count = split(depends[queue[at]], names, /[,|]/)
					for (i = 1; i <= count; i++)
						want(name(names[i]))
				}
			}'
}

wanted=$(packages)
cd "$root"
{
	# Directories that are links (/bin, /lib) and where they lead, before what lies in them.
	echo ./usr
	find . -maxdepth 1 -type l -printf './%l\n%p\n'
	xargs dpkg -L <<<"$wanted" | sed -nE 's!^(/[^.].*)!.\1!p' | grep -vE '^\./usr/share/(doc|man|info|locale|lintian)/'
	find ./etc
	find ./usr -lname '/etc/alternatives/*'
} | awk '!seen[$0]++' | while IFS= read -r file; do
	[ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\n' "${file#./}"
done
