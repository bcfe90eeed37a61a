-- wrk: POST the same body to the path of the URL, again and again.
--   wrk ... -s post.lua URL -- TYPE BODY
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = args[1]
  wrk.body = args[2]
end
