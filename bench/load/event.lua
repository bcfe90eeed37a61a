-- wrk: POST /event with the bodies of the one million request challenge: 75,000 users,
-- values 0 to 999. All requests are made beforehand: wrk is to cost little.
--   wrk ... -s event.lua URL
local USERS, VALUES = 75000, 1000
local requests, at = {}, 0

function init(args)
  local headers = { ["Content-Type"] = "application/json" }
  for k = 0, USERS - 1 do
    local body = string.format('{"userId":"user_%d","value":%d}', k, k % VALUES)
    requests[k] = wrk.format("POST", "/event", headers, body)
  end
end

function request()
  at = at + 1
  if at == USERS then at = 0 end
  return requests[at]
end
