-- SPDX-License-Identifier: MIT
-- Test service: the body as Apache reads it goes to the log, and the answer is the request's X-Id.

function body(r)
	coroutine.yield()
	while bucket ~= nil do
		r.notes['body'] = (r.notes['body'] or '') .. bucket
		coroutine.yield(bucket)
	end
end

function handle(r)
	r.content_type = 'text/plain'
	r:write(r.headers_in['X-Id'] or '-')
	return apache2.OK
end
