-- Posts prepared bodies, one per line of a file, one after the other from a given place on; at the end one line of JSON.
-- wrk … -s wrk.lua URL -- BODIES PATH AUTHORIZATION FIRST

local requests = {}
local place = 0

function init(args)
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = args[3] }
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", args[2], headers, body)
  end
  place = tonumber(args[4])
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local pairs_seen = {}
  for place = 1, #latency do
    local value, count = latency(place)
    pairs_seen[place] = string.format("[%d,%d]", value, count)
  end
  io.write(string.format('{"requests":%d,"duration_us":%d,"errors":%d,"latencies":[%s]}\n',
    summary.requests, summary.duration, failed, table.concat(pairs_seen, ",")))
end
