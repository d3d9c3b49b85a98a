-- Wireshark dissector of the native frame (spec/frame.md): header, hello, close, extensions.
--
--   tshark -X lua_script:spec/wireshark/handover.lua -o handover.ports:7440 -r capture.pcap -O handover
--
-- or copy it to the personal plugin folder (Help, About Wireshark, Folders), and set the ports in its preferences. There
-- is no heuristic: a stream is shown only if its port is set, or by Decode As. The protocols on the frame have files of
-- their own, which are loaded behind this one: handover_deferral.lua, handover_group.lua.
--
-- The protocols on the frame register themselves, here or in a file that is loaded behind this one:
--
--   local epoch = ProtoField.uint64("handover.group.epoch", "Epoch")
--   Handover.register(2, "GROUP", { epoch }, {
--     [1] = { name = "JOIN", dissect = function(body) body:number(epoch, 8) end },
--   })
--
-- `dissect` adds the fields that it knows. What is behind them is shown as extensions.

local handover = Proto("handover", "handover native frame")

local HEADER = 8
local VERSION = 1
local LINK = 0
local LEAST_BODY = 1024
local LONGEST_IDENTITY = 64

-- 1.2
local PROTOCOLS = { [0] = "LINK", [1] = "DEFERRAL", [2] = "GROUP", [3] = "SESSION" }
-- 4.2
local REASONS = {
  [0] = "DONE", [1] = "GOING_AWAY", [2] = "NOTHING_IN_COMMON", [3] = "MALFORMED", [4] = "VIOLATION",
  [5] = "UNKNOWN", [6] = "TIMED_OUT", [7] = "LIMIT", [8] = "FORBIDDEN", [9] = "INTERNAL",
}

local f = {
  length = ProtoField.uint32("handover.length", "Length of the body"),
  version = ProtoField.uint8("handover.version", "Version of the frame"),
  protocol = ProtoField.uint8("handover.protocol", "Protocol"),
  kind = ProtoField.uint8("handover.kind", "Kind"),
  flags = ProtoField.uint8("handover.flags", "Flags", base.HEX),
  critical = ProtoField.bool("handover.flags.critical", "Critical", 8, nil, 0x01),
  body = ProtoField.bytes("handover.body", "Body"),

  max_body = ProtoField.uint32("handover.hello.max_body", "Largest body"),
  boot = ProtoField.uint32("handover.hello.boot", "Boot"),
  identity_size = ProtoField.uint8("handover.hello.identity_size", "Size of the identity"),
  identity = ProtoField.bytes("handover.hello.identity", "Identity"),
  agent_size = ProtoField.uint8("handover.hello.agent_size", "Size of the agent"),
  agent = ProtoField.string("handover.hello.agent", "Agent", base.UNICODE),
  count = ProtoField.uint8("handover.hello.count", "Number of offers"),
  offer = ProtoField.none("handover.hello.offer", "Offer"),
  offer_protocol = ProtoField.uint8("handover.hello.offer.protocol", "Protocol"),
  min_version = ProtoField.uint16("handover.hello.offer.min_version", "Lowest version"),
  max_version = ProtoField.uint16("handover.hello.offer.max_version", "Highest version"),
  capabilities = ProtoField.uint64("handover.hello.offer.capabilities", "Capabilities", base.HEX),

  reason = ProtoField.uint16("handover.close.reason", "Reason", base.DEC, REASONS),
  text_size = ProtoField.uint8("handover.close.text_size", "Size of the text"),
  text = ProtoField.string("handover.close.text", "Text", base.UNICODE),

  extension = ProtoField.none("handover.extension", "Extension"),
  extension_type = ProtoField.uint16("handover.extension.type", "Type", base.HEX),
  extension_critical = ProtoField.bool("handover.extension.critical", "Critical", 16, nil, 0x8000),
  extension_size = ProtoField.uint16("handover.extension.size", "Size"),
  extension_value = ProtoField.bytes("handover.extension.value", "Value"),
}
handover.fields = f

local malformed = ProtoExpert.new("handover.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
local unsupported = ProtoExpert.new("handover.unsupported", "Not known, and has to be", expert.group.UNDECODED,
  expert.severity.WARN)
local beyond = ProtoExpert.new("handover.beyond", "Beyond the limit", expert.group.PROTOCOL, expert.severity.ERROR)
handover.experts = { malformed, unsupported, beyond }

handover.prefs.ports = Pref.range("TCP ports", "", "Ports on which the native frame is spoken", 65535)
handover.prefs.frame = Pref.uint("Largest body", 262144, "In bytes; what announces more is not read (1.4)")
handover.prefs.hello = Pref.uint("Largest body of the link's own", 8192, "The same for protocol 0")

-- What is registered: by number, the name of a protocol and its kinds.
local registered = {}

-- What is wrong with a text (1.5), if anything is.
local function fault(text)
  local at, size = 1, #text
  while at <= size do
    local first = text:byte(at)
    local more, least
    if first < 0x80 then
      more, least = 0, 0
    elseif first >= 0xc2 and first < 0xe0 then
      more, least, first = 1, 0x80, first - 0xc0
    elseif first >= 0xe0 and first < 0xf0 then
      more, least, first = 2, 0x800, first - 0xe0
    elseif first >= 0xf0 and first < 0xf5 then
      more, least, first = 3, 0x10000, first - 0xf0
    else
      return "no UTF-8"
    end
    local code = first
    for behind = at + 1, at + more do
      local byte = text:byte(behind)
      if byte == nil or byte < 0x80 or byte >= 0xc0 then return "no UTF-8" end
      code = code * 64 + byte - 0x80
    end
    if code < least or code > 0x10ffff or (code >= 0xd800 and code < 0xe000) then return "no UTF-8" end
    if code < 0x20 or (code >= 0x7f and code < 0xa0) then return "a control character" end
    at = at + more + 1
  end
end

-- A body that is read from the front, and the tree that its fields go to. Reading beyond its end raises `Body.SHORT`.
local Body = { SHORT = {} }
Body.__index = Body

function Body.new(range, tree)
  return setmetatable({ range = range, tree = tree, at = 0, size = range and range:len() or 0 }, Body)
end

function Body:left()
  return self.size - self.at
end

-- The next `size` bytes, without a field. Not to be asked for none.
function Body:take(size)
  if self:left() < size then error(Body.SHORT, 0) end
  local taken = self.range(self.at, size)
  self.at = self.at + size
  return taken
end

-- An unsigned number of 1 to 4 bytes, or of 8: it, and its item.
function Body:number(field, size)
  local taken = self:take(size)
  local item = self.tree:add(field, taken)
  if size == 8 then return taken:uint64(), item end
  return taken:uint(), item
end

-- So many bytes; none are not shown.
function Body:bytes(field, size)
  if size == 0 then return nil end
  local taken = self:take(size)
  return taken, self.tree:add(field, taken)
end

-- A text and its size (1.5).
function Body:text(size_field, field)
  return self:plain(field, (self:number(size_field, 1)))
end

-- So many bytes of UTF-8 without control characters; none are not shown.
function Body:plain(field, size)
  if size == 0 then return "" end
  local taken = self:take(size)
  local item = self.tree:add_packet_field(field, taken, ENC_UTF_8)
  local why = fault(taken:raw())
  if why then item:add_proto_expert_info(malformed, "A text with " .. why) end
  return taken:string(ENC_UTF_8)
end

-- A subtree for what `read` adds.
function Body:group(field, read)
  local from, above = self.at, self.tree
  if self:left() == 0 then error(Body.SHORT, 0) end
  local item = above:add(field, self.range(from, 1))
  self.tree = item
  local fine, why = pcall(read, item)
  self.tree = above
  item:set_len(self.at - from)
  if not fine then error(why, 0) end
end

-- Everything that is left (2).
function Body:extensions()
  while self:left() > 0 do
    self:group(f.extension, function(item)
      local range = self:take(2)
      local ty = range:uint()
      self.tree:add(f.extension_type, range)
      local bit = self.tree:add(f.extension_critical, range)
      local size = self:number(f.extension_size, 2)
      self:bytes(f.extension_value, size)
      item:append_text(string.format(": 0x%04x, %d bytes", ty, size))
      -- None is defined.
      if ty >= 0x8000 then bit:add_proto_expert_info(unsupported, "A critical extension that is not known") end
    end)
  end
end

local function name_of(protocol)
  local known = registered[protocol]
  return known and known.name or PROTOCOLS[protocol] or tostring(protocol)
end

-- 3.1
local function hello(body)
  local max_body, item = body:number(f.max_body, 4)
  if max_body < LEAST_BODY then item:add_proto_expert_info(malformed, "At least 1024") end
  body:number(f.boot, 4)
  local size, size_item = body:number(f.identity_size, 1)
  if size > LONGEST_IDENTITY then size_item:add_proto_expert_info(malformed, "At most 64") end
  body:bytes(f.identity, size)
  body:text(f.agent_size, f.agent)
  local count = body:number(f.count, 1)
  local offered = {}
  for _ = 1, count do
    body:group(f.offer, function(offer)
      local protocol, protocol_item = body:number(f.offer_protocol, 1)
      protocol_item:append_text(" (" .. name_of(protocol) .. ")")
      local min, min_item = body:number(f.min_version, 2)
      local max = body:number(f.max_version, 2)
      body:number(f.capabilities, 8)
      offer:append_text(string.format(": %s, %d to %d", name_of(protocol), min, max))
      if protocol == LINK then protocol_item:add_proto_expert_info(malformed, "The link itself is not offered") end
      if offered[protocol] then protocol_item:add_proto_expert_info(malformed, "Offered twice") end
      if min > max then min_item:add_proto_expert_info(malformed, "Higher than the highest") end
      offered[protocol] = true
    end)
  end
end

-- 4.1
local function close(body)
  local reason = body:number(f.reason, 2)
  body:text(f.text_size, f.text)
  return REASONS[reason] or tostring(reason)
end

-- One frame, whole. What stands for it in a line.
local function dissect_frame(range, root)
  local length = range(0, 4):uint()
  local protocol, kind, flags = range(5, 1):uint(), range(6, 1):uint(), range(7, 1):uint()
  local known = registered[protocol] and registered[protocol].kinds[kind]
  local title = known and known.name or (name_of(protocol) .. " " .. kind)

  local tree = root:add(handover, range)
  tree:append_text(", " .. title)
  tree:add(f.length, range(0, 4))
  tree:add(f.version, range(4, 1))
  tree:add(f.protocol, range(5, 1)):append_text(" (" .. name_of(protocol) .. ")")
  local kind_item = tree:add(f.kind, range(6, 1))
  if known then kind_item:append_text(" (" .. known.name .. ")") end
  local flags_tree = tree:add(f.flags, range(7, 1))
  flags_tree:add(f.critical, range(7, 1))

  local rest = length > 0 and range(HEADER, length) or nil
  if not known then
    if rest then tree:add(f.body, rest) end
    if registered[protocol] and flags % 2 == 1 then
      kind_item:add_proto_expert_info(unsupported, "A critical kind that is not known")
    end
    return title
  end
  local body = Body.new(rest, tree)
  local fine, said = pcall(function()
    local said = known.dissect(body)
    body:extensions()
    return said
  end)
  if not fine then
    if said ~= Body.SHORT then error(said, 0) end
    tree:add_proto_expert_info(malformed, "The body is too short")
    return title .. " [malformed]"
  end
  return said and (title .. " " .. said) or title
end

-- A header behind which nothing can be found.
local function dissect_end(range, root, expert_info, why)
  local tree = root:add(handover, range)
  tree:append_text(", " .. why)
  tree:add(f.length, range(0, 4))
  tree:add(f.version, range(4, 1))
  tree:add(f.protocol, range(5, 1))
  tree:add(f.kind, range(6, 1))
  tree:add(f.flags, range(7, 1)):add(f.critical, range(7, 1))
  tree:add_proto_expert_info(expert_info, why)
end

function handover.dissector(tvb, pinfo, root)
  if tvb:captured_len() ~= tvb:reported_len() then return 0 end
  pinfo.cols.protocol = "handover"
  local titles, at = {}, 0
  while at < tvb:len() do
    local left = tvb:len() - at
    if left < HEADER then
      pinfo.desegment_offset = at
      pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
      break
    end
    local length, version, protocol = tvb(at, 4):uint(), tvb(at + 4, 1):uint(), tvb(at + 5, 1):uint()
    local limit = protocol == LINK and handover.prefs.hello or handover.prefs.frame
    if version ~= VERSION then
      dissect_end(tvb(at), root, unsupported, "another version of the frame")
      at = tvb:len()
    elseif length > limit then
      dissect_end(tvb(at), root, beyond, "a body beyond the limit")
      at = tvb:len()
    elseif left < HEADER + length then
      pinfo.desegment_offset = at
      pinfo.desegment_len = HEADER + length - left
      break
    else
      titles[#titles + 1] = dissect_frame(tvb(at, HEADER + length), root)
      at = at + HEADER + length
    end
  end
  if #titles > 0 then
    pinfo.cols.info:set(table.concat(titles, ", "))
    pinfo.cols.info:fence()
  end
  return tvb:len()
end

-- Ports, as they are set.
local tcp = DissectorTable.get("tcp.port")
local ports = ""
function handover.prefs_changed()
  if ports ~= handover.prefs.ports then
    if ports ~= "" then tcp:remove(ports, handover) end
    ports = handover.prefs.ports
    if ports ~= "" then tcp:add(ports, handover) end
  end
end
tcp:add_for_decode_as(handover)

-- For the protocols on the frame. Every script has globals of its own, but for this table.
local Handover = {}
_G.Handover = Handover

-- A protocol: its number and name, its fields (their filters begin with `handover.`), and its kinds by number, each with
-- its `name` and a function `dissect` that reads a `Body`. What that returns is shown behind the name.
function Handover.register(number, name, fields, kinds)
  handover.fields = fields
  registered[number] = { name = name, kinds = kinds }
end

-- For what its own rules do not allow: an expert info at this item.
function Handover.malformed(item, why)
  item:add_proto_expert_info(malformed, why)
end

-- For what it does not know and has to.
function Handover.unsupported(item, why)
  item:add_proto_expert_info(unsupported, why)
end

Handover.register(LINK, "LINK", {}, {
  [1] = { name = "HELLO", dissect = hello },
  [2] = { name = "CLOSE", dissect = close },
})
