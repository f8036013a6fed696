-- Sends one kind of request and prints the summary as one line of JSON.
-- Arguments after "--": method, access token or "", and the body of a request that has one.
function init(args)
    wrk.method = args[1] or "GET"
    if args[2] and args[2] ~= "" then
        wrk.headers["Authorization"] = "Bearer " .. args[2]
    end
    if args[3] then
        wrk.body = args[3]
        wrk.headers["Content-Type"] = "application/json"
    end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        'summary {"requests":%d,"duration_s":%f,"p50_ms":%f,"p99_ms":%f,"errors":%d}\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        e.connect + e.read + e.write + e.status + e.timeout))
end
