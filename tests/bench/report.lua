-- SPDX-License-Identifier: MIT
-- wrk: one line to read the results from: requests, microseconds, p50, p99 (microseconds), failures of any kind.
function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format("report %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
		latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
