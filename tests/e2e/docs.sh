# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
# What the documentation is held against, by documents.sh and t_docs.sh. From the top of the tree.

docs=(README.md CONTRIBUTING.md docs/ARCHITECTURE.md docs/kernel-notes.md docs/config.md docs/security.md)
architecture=docs/ARCHITECTURE.md

# none DESCRIPTION < FILE: the lines, which should be none, name what is wrong
none() {
	is "$(sort -u | paste -sd ' ')" "" "$1"
}

# lacking FILE [PREFIX [SUFFIX]]: the lines of standard input that FILE does not contain between PREFIX and SUFFIX
lacking() {
	local line text
	text=$(<"$1")
	while read -r line; do
		[[ $text == *"${2-}$line${3-}"* ]] || echo "$line"
	done
}

# options: the names of the long options in a text, without the dashes
options() {
	grep -oE -e '--[a-z][a-z-]*' | sed 's/^--//'
}

# blocks KIND FILE...: what stands in the blocks of that kind
blocks() {
	local kind=$1
	shift
	sed -n "/^\`\`\`$kind\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$@"
}

# maps: the names of all maps
maps() {
	sed -n 's/^} \([a-z0-9_]*\) __weak SEC(".maps");/\1/p' bpf/include/maps*.h
}
