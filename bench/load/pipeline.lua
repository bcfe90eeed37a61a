-- wrk: GET of the URL's path, DEPTH requests in one write; wrk counts each answer.
--   wrk ... -s pipeline.lua URL -- DEPTH
local batch

function init(args)
  batch = string.rep(wrk.format("GET"), tonumber(args[1] or 16))
end

function request()
  return batch
end
