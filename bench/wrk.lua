-- Sends the request in the file named by the first argument, with a fresh number wherever it holds the mark, and
-- prints one line of JSON at the end. Its twin for machines without wrk is client.py.

local mark = ("@"):rep(16)
local pieces = {}
local count = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local template = file:read("*a")
  file:close()
  local from = 1
  while true do
    local first, last = template:find(mark, from, true)
    pieces[#pieces + 1] = template:sub(from, (first or 0) - 1)
    if not first then break end
    from = last + 1
  end
end

function request()
  if #pieces == 1 then return pieces[1] end
  count = count + 1
  return table.concat(pieces, ("%016x"):format(count))
end

function done(summary)
  local e = summary.errors
  print(('{"requests": %d, "errors": %d}'):format(
    summary.requests, e.connect + e.read + e.write + e.status + e.timeout))
end
