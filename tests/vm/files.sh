#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a guest has of this machine's files: files.sh LIST ROOT prints their names, below ROOT and without a slash in front.
#
# LIST is the packages.txt of an installed suite. The files are those of its packages, of what every installation has, and of all
# that these depend on, but for documentation; /etc; and the links that `alternatives` made. A suite that needs more fails in there.
set -euo pipefail
export LC_ALL=C
list=$(realpath -e "$1") root=$2

# One a line. Of alternatives (a | b) all that are installed; a name that several provide stands for each of them.
packages() {
	local format='${db:Status-Status}\t${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t${Provides}\t'
	dpkg-query -W -f "$format"'${binary:Package}\t${Architecture}\n' |
		awk -F '\t' -v listed="$(grep -v '^#' "$list" | tr '\n' ' ')" -v native="$(dpkg --print-architecture)" '
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
			$1 == "installed" && ($7 == native || $7 == "all") {
				depends[$2] = $4
				full[$2] = $6
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
						exit 1
					}
					want(names[i])
				}
				for (at = 0; at < n; at++) {
					print full[queue[at]]
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
	find . -maxdepth 1 -type l -xtype d -printf './%l\n%p\n'
	xargs dpkg -L <<<"$wanted" | sed -nE 's!^(/[^.].*)!.\1!p' | grep -vE '^\./usr/share/(doc|man|info|locale|lintian)/|^\./usr/include/'
	find ./etc
	find ./usr -lname '/etc/alternatives/*'
} | awk '!seen[$0]++' | while IFS= read -r file; do
	[ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\n' "${file#./}"
done
