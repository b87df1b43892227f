# SPDX-License-Identifier: MIT
# The table of `make vmtest`: a line for each test, a column for each run, the sums in the end.
#
#   awk -f table.awk -v runs='host 6.1' -v heads='host_6.18 6.1' VM/wanted VM/results/{host,6.1}/{results,machine}
#
# Lines of the input, tab separated: name, state, points passed, failed, skipped, seconds. Exit status 1 if anything failed.

BEGIN {
	FS = "\t"
	n_runs = split(runs, run, " ")
	split(heads, head, " ")
}

FILENAME ~ /wanted$/ {
	add_row($1)
	next
}

{
	n = split(FILENAME, part, "/")
	if (part[n] == "machine" || !($1 in rows))
		add_row($1)
	take(part[n - 1], $1)
}

END {
	width = 8
	for (i = 1; i <= n_rows; i++)
		if (length(row[i]) > width)
			width = length(row[i])
	print_heads()
	for (i = 1; i <= n_rows; i++)
		print_row(row[i])
	exit print_sums()
}

function add_row(name) {
	if (!(name in rows)) {
		rows[name] = 1
		row[++n_rows] = name
	}
}

# A test that failed without a point that says so counts as one that failed, and so does a test that is missing.
function take(r, name,    failed, skipped) {
	failed = $4
	skipped = $5
	if ($2 == "not ok") {
		if (!failed)
			failed = 1
		cell[r, name] = "FAIL " $4 " of " ($3 + $4 + $5)
	} else if ($2 == "SKIP") {
		cell[r, name] = "skip " $5
	} else {
		cell[r, name] = "ok " $3 (skipped ? " skip " skipped : "")
	}
	seconds[r, name] = $6
	sum(r, $3, failed, skipped, $6)
}

function sum(r, passed, failed, skipped, time) {
	sum_passed[r] += passed
	sum_failed[r] += failed
	sum_skipped[r] += skipped
	sum_time[r] += time
}

function print_heads(    c) {
	printf "%-" width "s", "test"
	for (c = 1; c <= n_runs; c++) {
		gsub("_", " ", head[c])
		printf "  %-14s %6s", head[c], "s"
	}
	print ""
}

function print_row(name,    c, key) {
	printf "%-" width "s", name
	for (c = 1; c <= n_runs; c++) {
		key = run[c] SUBSEP name
		if (!(key in cell)) {
			cell[key] = is_machine(name) ? "-" : "MISSING"
			sum(run[c], 0, is_machine(name) ? 0 : 1, 0, 0)
		}
		printf "  %-14s %6s", cell[key], is_machine(name) ? "" : seconds[key]
	}
	print ""
}

function is_machine(name) {
	return name ~ /^\(/
}

function print_sums(    c, r, passed, failed, skipped) {
	print ""
	for (c = 1; c <= n_runs; c++) {
		r = run[c]
		printf "%-" width "s  %d passed, %d failed, %d skipped, %d s\n", head[c], sum_passed[r], sum_failed[r], sum_skipped[r], sum_time[r]
		passed += sum_passed[r]
		failed += sum_failed[r]
		skipped += sum_skipped[r]
	}
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	return failed > 0 || !passed
}
