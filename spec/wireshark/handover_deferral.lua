-- Wireshark dissector of redirect and deferral (spec/deferral.md 2), on the native frame. It is loaded behind
-- handover.lua:
--
--   tshark -X lua_script:spec/wireshark/handover.lua -X lua_script:spec/wireshark/handover_deferral.lua \
--     -o handover.ports:7440 -r capture.pcap -O handover
--
-- In the personal plugin folder the names of the two files keep them in this order.

local LONGEST_RECEIPT = 64
local LONGEST_URI = 1024
local LONGEST_COMMAND = 256
local MOST_ALTERNATES = 32
local NONE = 0xffffffff

-- 2.7
local KINDS = { [1] = "BUSY", [2] = "NO_SERVICE", [3] = "CONTINUE", [4] = "PREFER_OTHER" }
local CONTINUE = 3
-- 2.9
local CODES = {
  [1] = "DEADLINE", [2] = "OVERLOADED", [3] = "BAD_REQUEST", [4] = "UNAUTHORIZED", [5] = "DUPLICATE",
  [6] = "FORGOTTEN",
}
-- 2.8: ports that are not written.
local PORTS = { http = 80, https = 443 }

local function name(suffix) return "handover.deferral." .. suffix end

local f = {
  id = ProtoField.bytes(name("id"), "Request"),
  epoch = ProtoField.uint16(name("epoch"), "Epoch"),
  receipt_size = ProtoField.uint8(name("receipt_size"), "Size of the receipt"),
  receipt = ProtoField.bytes(name("receipt"), "Receipt"),
  command_size = ProtoField.uint16(name("command_size"), "Size of the command"),
  command = ProtoField.string(name("command"), "Command", base.UNICODE),
  arguments_count = ProtoField.uint16(name("arguments_count"), "Number of arguments"),
  argument_size = ProtoField.uint32(name("argument_size"), "Size of the argument"),
  argument = ProtoField.bytes(name("argument"), "Argument"),

  flags = ProtoField.uint16(name("request.flags"), "Flags", base.HEX),
  priority = ProtoField.bool(name("request.flags.priority"), "Priority", 16, nil, 0x0001),
  read_only = ProtoField.bool(name("request.flags.read_only"), "Read-only", 16, nil, 0x0002),
  idempotent = ProtoField.bool(name("request.flags.idempotent"), "Idempotent", 16, nil, 0x0004),
  again = ProtoField.bool(name("request.flags.again"), "Again", 16, nil, 0x0008),
  deadline = ProtoField.uint32(name("request.deadline"), "Deadline in ms"),
  credentials_size = ProtoField.uint16(name("request.credentials_size"), "Size of the credentials"),
  credentials = ProtoField.bytes(name("request.credentials"), "Credentials"),
  referrer_size = ProtoField.uint16(name("request.referrer_size"), "Size of the referrer"),
  referrer = ProtoField.string(name("request.referrer"), "Referrer"),

  position = ProtoField.uint32(name("queued.position"), "Position"),
  estimate = ProtoField.uint32(name("queued.estimate"), "Estimate in ms"),

  data_size = ProtoField.uint32(name("data.size"), "Size of the data"),
  data = ProtoField.bytes(name("data.bytes"), "Data"),

  status = ProtoField.int32(name("end.status"), "Status"),
  text_size = ProtoField.uint8(name("end.text_size"), "Size of the text"),
  text = ProtoField.string(name("end.text"), "Text", base.UNICODE),

  kind = ProtoField.uint8(name("defer.kind"), "Kind", base.DEC, KINDS),
  server = ProtoField.bytes(name("defer.server"), "Server"),
  reason_size = ProtoField.uint8(name("defer.reason_size"), "Size of the reason"),
  reason = ProtoField.string(name("defer.reason"), "Reason", base.UNICODE),
  queue_length = ProtoField.uint32(name("defer.queue_length"), "Length of the line"),
  defer_estimate = ProtoField.uint32(name("defer.estimate"), "Estimate in ms"),
  retry_after = ProtoField.uint32(name("defer.retry_after"), "Not before, in ms"),
  next_flags = ProtoField.uint16(name("defer.next_flags"), "Flags of what comes next", base.HEX),
  alternates_count = ProtoField.uint8(name("defer.alternates_count"), "Number of alternates"),
  alternate = ProtoField.none(name("alternate"), "Alternate"),
  abilities = ProtoField.uint8(name("alternate.abilities"), "Abilities", base.HEX),
  read = ProtoField.bool(name("alternate.abilities.read"), "Read", 8, nil, 0x01),
  write = ProtoField.bool(name("alternate.abilities.write"), "Write", 8, nil, 0x02),
  alternate_server = ProtoField.bytes(name("alternate.server"), "Server"),
  uri_size = ProtoField.uint16(name("alternate.uri_size"), "Size of the URI"),
  uri = ProtoField.string(name("alternate.uri"), "URI"),

  code = ProtoField.uint16(name("refused.code"), "Code", base.DEC, CODES),
  refused_text_size = ProtoField.uint8(name("refused.text_size"), "Size of the text"),
  refused_text = ProtoField.string(name("refused.text"), "Text", base.UNICODE),
}

-- A number as it is written, up to this one.
local function is_decimal(text, most)
  return text:find("^%d%d?%d?%d?%d?$") ~= nil and (text == "0" or text:sub(1, 1) ~= "0") and tonumber(text) <= most
end

local function is_ipv4(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a ~= nil and is_decimal(a, 255) and is_decimal(b, 255) and is_decimal(c, 255) and is_decimal(d, 255)
end

-- Groups of hexadecimal digits between colons; nil if they are none.
local function groups(text)
  local list = {}
  if text == "" then return list end
  for word in (text .. ":"):gmatch("(.-):") do
    if not word:find("^%x%x?%x?%x?$") then return nil end
    list[#list + 1] = tonumber(word, 16)
  end
  return list
end

local function words(list, first, last)
  local written = {}
  for at = first, last do written[#written + 1] = string.format("%x", list[at]) end
  return table.concat(written, ":")
end

-- The normal form of eight groups.
local function written(list)
  local mapped = list[6] == 0xffff
  for at = 1, 5 do mapped = mapped and list[at] == 0 end
  if mapped then
    local high, low = list[7], list[8]
    return string.format("::ffff:%d.%d.%d.%d", math.floor(high / 256), high % 256, math.floor(low / 256), low % 256)
  end
  local start, size, at = 0, 1, 1
  while at <= 8 do
    local behind = at
    while behind <= 8 and list[behind] == 0 do behind = behind + 1 end
    if behind - at > size then start, size = at, behind - at end
    at = math.max(behind, at + 1)
  end
  if start == 0 then return words(list, 1, 8) end
  return words(list, 1, start - 1) .. "::" .. words(list, start + size, 8)
end

local function is_ipv6(text)
  local whole = text
  local v4 = text:match("%d+%.%d+%.%d+%.%d+$")
  if v4 then
    if not is_ipv4(v4) then return false end
    local a, b, c, d = v4:match("(%d+)%.(%d+)%.(%d+)%.(%d+)")
    text = text:sub(1, #text - #v4) .. string.format("%x:%x", a * 256 + b, c * 256 + d)
  end
  local list
  local from, to = text:find("::", 1, true)
  if from then
    local front, back = groups(text:sub(1, from - 1)), groups(text:sub(to + 1))
    if not front or not back or #front + #back > 7 then return false end
    list = {}
    for at = 1, 8 do list[at] = front[at] or back[at - 8 + #back] or 0 end
  else
    list = groups(text)
    if not list or #list ~= 8 then return false end
  end
  return written(list) == whole
end

local function is_name(host)
  if #host > 253 then return false end
  local last
  for label in (host .. "."):gmatch("(.-)%.") do
    if #label > 63 or not label:find("^[%l%d_%-]+$") then return false end
    last = label
  end
  return not last:find("^%d+$") and not last:find("^0x%x*$")
end

-- Whether a text names a server in the spelling that is the wire's (2.8).
local function is_canonical(text)
  if text:find("[^\33-\126]") or text:find("[?#\\]") then return false end
  local scheme, rest = text:match("^(%l[%l%d+.%-]*)://(.*)$")
  if not scheme then return false end
  local authority, path = rest:match("^([^/]*)(.*)$")
  local host, port = authority:match("^(%b[])(.*)$")
  if host then
    if not is_ipv6(host:sub(2, -2)) then return false end
  else
    host, port = authority:match("^([^:]*)(.*)$")
    if not is_ipv4(host) and not is_name(host) then return false end
  end
  if path:sub(-1) == "/" then return false end
  if port == "" then return PORTS[scheme] ~= nil end
  local digits = port:match("^:(%d+)$")
  return digits ~= nil and digits ~= "0" and is_decimal(digits, 65535) and PORTS[scheme] ~= tonumber(digits)
end

-- Which request.
local function key(body)
  local id = body:bytes(f.id, 16)
  local epoch = body:number(f.epoch, 2)
  return string.format("%s/%d", tostring(id(0, 4):bytes()):lower(), epoch)
end

local function optional(body, field)
  local number, item = body:number(field, 4)
  if number == NONE then item:append_text(" (none)") end
end

local function receipt(body)
  local size, item = body:number(f.receipt_size, 1)
  if size > LONGEST_RECEIPT then Handover.malformed(item, "At most 64") end
  body:bytes(f.receipt, size)
end

local function uri(body, size_field, field, may_be_none)
  local size, item = body:number(size_field, 2)
  if size > LONGEST_URI then Handover.malformed(item, "At most 1024") end
  if size == 0 then
    if not may_be_none then Handover.malformed(item, "The canonical URI of a server is expected") end
    return ""
  end
  local range, uri_item = body:bytes(field, size)
  local text = range:raw()
  if is_canonical(text) then return text end
  Handover.malformed(uri_item, "The canonical URI of a server is expected")
  return ""
end

local function command(body)
  local size, item = body:number(f.command_size, 2)
  if size == 0 or size > LONGEST_COMMAND then Handover.malformed(item, "1 to 256") end
  local text = body:plain(f.command, size)
  for _ = 1, body:number(f.arguments_count, 2) do
    body:bytes(f.argument, (body:number(f.argument_size, 4)))
  end
  return text
end

local function flags(body, field)
  local bits = body:take(2)
  local tree = body.tree:add(field, bits)
  for _, bit in ipairs({ f.priority, f.read_only, f.idempotent, f.again }) do tree:add(bit, bits) end
  return bits:uint()
end

-- 2.2
local function request(body)
  local said = key(body)
  local bits = flags(body, f.flags)
  body:number(f.deadline, 4)
  if bits % 2 == 1 then said = said .. " with priority" end
  receipt(body)
  body:bytes(f.credentials, (body:number(f.credentials_size, 2)))
  uri(body, f.referrer_size, f.referrer, true)
  return said .. " " .. command(body)
end

-- 2.7
local function alternate(body)
  body:group(f.alternate, function(item)
    local abilities = body:take(1)
    local tree = body.tree:add(f.abilities, abilities)
    tree:add(f.read, abilities)
    tree:add(f.write, abilities)
    body:bytes(f.alternate_server, 16)
    item:append_text(": " .. uri(body, f.uri_size, f.uri, false))
  end)
end

local function defer(body)
  local said = key(body)
  local kind, item = body:number(f.kind, 1)
  if not KINDS[kind] then Handover.unsupported(item, "A kind of deferral that is not known") end
  body:bytes(f.server, 16)
  body:text(f.reason_size, f.reason)
  optional(body, f.queue_length)
  optional(body, f.defer_estimate)
  optional(body, f.retry_after)
  receipt(body)
  local count, count_item = body:number(f.alternates_count, 1)
  if count > MOST_ALTERNATES then Handover.malformed(count_item, "At most 32") end
  for _ = 1, count do alternate(body) end
  said = string.format("%s %s, %d alternates", said, KINDS[kind] or tostring(kind), count)
  if kind == CONTINUE then
    flags(body, f.next_flags)
    said = said .. ", " .. command(body)
  end
  return said
end

Handover.register(1, "DEFERRAL", f, {
  [0x01] = { name = "REQUEST", dissect = request },
  [0x02] = { name = "CANCEL", dissect = key },
  [0x81] = { name = "QUEUED", dissect = function(body)
    local said = key(body)
    local position = body:number(f.position, 4)
    optional(body, f.estimate)
    return said .. " behind " .. position
  end },
  [0x82] = { name = "EXECUTING", dissect = key },
  [0x83] = { name = "DATA", dissect = function(body)
    local said = key(body)
    local size = body:number(f.data_size, 4)
    body:bytes(f.data, size)
    return string.format("%s, %d bytes", said, size)
  end },
  [0x84] = { name = "END", dissect = function(body)
    local said = key(body)
    local status = body:take(4)
    body.tree:add(f.status, status)
    body:text(f.text_size, f.text)
    return said .. " " .. status:int()
  end },
  [0x85] = { name = "DEFER", dissect = defer },
  [0x86] = { name = "CANCELLED", dissect = key },
  [0x87] = { name = "REFUSED", dissect = function(body)
    local said = key(body)
    local code = body:number(f.code, 2)
    body:text(f.refused_text_size, f.refused_text)
    return said .. " " .. (CODES[code] or tostring(code))
  end },
})
