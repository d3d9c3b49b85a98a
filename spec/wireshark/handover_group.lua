-- Wireshark dissector of Group Services (spec/group.md 2), on the native frame. It is loaded behind handover.lua:
--
--   tshark -X lua_script:spec/wireshark/handover.lua -X lua_script:spec/wireshark/handover_group.lua \
--     -o handover.ports:7440 -r capture.pcap -O handover
--
-- In the personal plugin folder the names of the two files keep them in this order.
--
-- A field's filter is `handover.group.`, the name of its layout, and its own: `handover.group.token.index`,
-- `handover.group.ballot.vote`. What may be missing has one that ends in `_present`, a list in `_count`, a size in `_size`.

-- 2.1 to 2.10
local PROTOCOL_KINDS = {
  [1] = "JOIN", [2] = "FAILURE_LEAVE", [3] = "CAST_OUT", [4] = "LEAVE", [5] = "EXPEL", [6] = "STATE_VALUE_CHANGE",
  [7] = "PROVIDER_MESSAGE", [8] = "ATTRIBUTE_CHANGE", [9] = "SOURCE_STATE_REFLECTION",
}
local PHASES = { [1] = "ONE", [2] = "N" }
local VOTES = { [1] = "APPROVE", [2] = "CONTINUE", [3] = "REJECT" }
local MERGE = { [1] = "DISSOLVE" }
local WISHES = { [1] = "LEAVE", [2] = "EXPEL", [3] = "STATE", [4] = "MESSAGE", [5] = "ATTRIBUTES" }
local REASONS = {
  [1] = "VOLUNTARY", [2] = "PROVIDER_FAILURE", [3] = "HOST_FAILURE", [4] = "EXPELLED", [5] = "SOURCE_PROVIDER_LEAVE",
  [6] = "SAID_GOODBYE",
}
local DISSOLVE = { [1] = "EMPTY", [2] = "MERGED", [3] = "NO_QUORUM", [4] = "FENCED", [5] = "STOPPED" }
local CODES = {
  [1] = "NOT_OK", [2] = "EXISTS", [3] = "NO_INIT", [4] = "NAME_TOO_LONG", [5] = "NO_MEMORY", [6] = "BAD_MEMBER_TOKEN",
  [7] = "BAD_PARAMETER", [8] = "UNKNOWN_GROUP", [9] = "INVALID_GROUP", [10] = "NO_SOURCE_GROUP_PROVIDER",
  [11] = "BAD_GROUP_ATTRIBUTES", [12] = "DUPLICATE_INSTANCE_NUMBER", [13] = "COLLIDE", [14] = "BACKLEVEL_PROVIDERS",
  [15] = "INVALID_SOURCE_GROUP", [16] = "VOTE_NOT_EXPECTED", [17] = "UNKNOWN_PROVIDER",
  [18] = "PROVIDER_APPEARS_TWICE", [19] = "INVALID_DEACTIVATE_PHASE", [20] = "STALE_VIEW", [21] = "UNAUTHORIZED",
}
local KINDS = {
  [0x01] = "ENTER", [0x02] = "JOIN", [0x03] = "SUBSCRIBE", [0x04] = "UNSUBSCRIBE", [0x05] = "PROPOSE",
  [0x06] = "VOTE", [0x07] = "DEACTIVATED", [0x08] = "GOODBYE", [0x09] = "QUIT", [0x0a] = "PONG",
  [0x0b] = "ACKNOWLEDGE", [0x0c] = "RESYNCHRONISE", [0x0d] = "REPORT",
  [0x81] = "WELCOME", [0x82] = "ACCEPTED", [0x83] = "DELAYED_ERROR", [0x84] = "PHASE", [0x85] = "APPROVED",
  [0x86] = "REJECTED", [0x87] = "ANNOUNCEMENT", [0x88] = "NOTICE", [0x89] = "PING", [0x8a] = "DISSOLVED",
  [0x8b] = "REDIRECT", [0x8c] = "VIEW",
  [0xc0] = "REPLICATE", [0xc1] = "REPLICATED", [0xc2] = "QUERY", [0xc3] = "GRANT", [0xc4] = "REIGN",
  [0xc5] = "FENCED", [0xc6] = "PROCLAIM",
}
local BATCH = { "joins", "leaves", "deactivate_on_failure" }
local SUMMARY = {
  "explicit_approve", "default_approve", "explicit_reject", "default_reject", "time_limit_exceeded",
  "provider_failed", "too_many_phases",
}
local ANNOUNCEMENT = {
  "time_limit_exceeded", "no_response", "response", "deactivate_unsuccessful", "deactivate_time_limit_exceeded",
  "group_dissolved", "domain_died",
}
local SUBSCRIPTION = { "state", "delta_joins", "delta_leaves", "membership" }

local fields = {}

local function make(kind, filter, title, ...)
  local field = ProtoField[kind]("handover.group." .. filter, title, ...)
  fields[#fields + 1] = field
  return field
end

local UNSIGNED = { [1] = "uint8", [2] = "uint16", [4] = "uint32", [8] = "uint64" }

-- What follows describes fields. Each of these functions gives the field's name and another function, which makes what
-- Wireshark needs under the filter of a layout and gives the reader of a body; that gives what it has read.

-- A number; with its names, if it has any.
local function number(name, size, title, values)
  return name, function(filter)
    local field = make(UNSIGNED[size], filter .. "." .. name, title, base.DEC, values)
    return function(body) return (body:number(field, size)) end
  end
end

local function signed(name, title)
  return name, function(filter)
    local field = make("int16", filter .. "." .. name, title)
    return function(body)
      local range = body:take(2)
      body.tree:add(field, range)
      return range:int()
    end
  end
end

-- A number whose bits have names, from the lowest on.
local function bits(name, size, title, names)
  return name, function(filter)
    local above = filter .. "." .. name
    local field, each = make(UNSIGNED[size], above, title, base.HEX), {}
    for at, bit in ipairs(names) do
      each[at] = make("bool", above .. "." .. bit, bit, 8 * size, nil, 2 ^ (at - 1))
    end
    return function(body)
      local range = body:take(size)
      local tree = body.tree:add(field, range)
      for _, bit in ipairs(each) do tree:add(bit, range) end
      return range:uint()
    end
  end
end

-- 0 or 1.
local function flag(name, title)
  return name, function(filter)
    local field = make("uint8", filter .. "." .. name, title)
    return function(body)
      local value, item = body:number(field, 1)
      if value > 1 then Handover.malformed(item, "0 or 1 is expected") end
      return value == 1
    end
  end
end

-- Bytes behind their size, of which there may be so few and so many.
local function sized(name, width, least, most, title)
  return name, function(filter)
    local size_field = make(UNSIGNED[width], filter .. "." .. name .. "_size", "Size of the " .. title:lower())
    local field = make("bytes", filter .. "." .. name, title)
    return function(body)
      local size, item = body:number(size_field, width)
      if size < least or size > most then
        Handover.malformed(item, string.format("%d to %d are expected", least, most))
      end
      local range, bytes_item = body:bytes(field, size)
      if not range then return "" end
      local shown = range:raw():gsub("[^\32-\126]", function(c) return string.format("\\x%02x", c:byte()) end)
      bytes_item:append_text(" (" .. shown .. ")")
      return shown
    end
  end
end

local function group_name(name, title) return sized(name, 1, 1, 32, title) end
local function state(name, title) return sized(name, 2, 0, 256, title) end
local function message(name, title) return sized(name, 2, 1, 2048, title) end

-- For people.
local function text(name, title)
  return name, function(filter)
    local size_field = make("uint8", filter .. "." .. name .. "_size", "Size of the " .. title:lower())
    local field = make("string", filter .. "." .. name, title, base.UNICODE)
    return function(body) return body:text(size_field, field) end
  end
end

-- Another layout within this one.
local function record(name, layout, title)
  return name, function(filter)
    local field = make("none", filter .. "." .. name, title)
    return function(body)
      local read
      body:group(field, function(item)
        read = layout.read(body)
        local said = layout.say and layout.say(read)
        if said then item:append_text(": " .. said) end
      end)
      return read
    end
  end
end

-- What may be missing: nil then.
local function optional(name, prepare)
  return name, function(filter)
    local field = make("uint8", filter .. "." .. name .. "_present", "There is: " .. name:gsub("_", " "))
    local read = prepare(filter)
    return function(body)
      local present, item = body:number(field, 1)
      if present > 1 then Handover.malformed(item, "0 or 1 is expected") end
      if present == 1 then return read(body) end
    end
  end
end

-- Any number of another layout. A number that lies makes the body too short.
local function list(name, layout, title)
  return name, function(filter)
    local field = make("uint16", filter .. "." .. name .. "_count", "Number of: " .. name:gsub("_", " "))
    local _, prepare = record(name, layout, title)
    local read = prepare(filter)
    return function(body)
      local all = {}
      for at = 1, body:number(field, 2) do all[at] = read(body) end
      return all
    end
  end
end

-- A layout: its name in filters, its fields in order, each by its name and its function, and what to say of it.
local function layout(filter, described, say)
  local readers = {}
  for at = 1, #described, 2 do
    readers[#readers + 1] = { described[at], described[at + 1](filter) }
  end
  return { say = say, read = function(body)
    local read = {}
    for _, reader in ipairs(readers) do read[reader[1]] = reader[2](body) end
    return read
  end }
end

-- Lua keeps only the last of many results: each description is packed.
local function fields_of(...)
  local described = {}
  for at = 1, select("#", ...) do
    local one = select(at, ...)
    described[#described + 1] = one[1]
    described[#described + 1] = one[2]
  end
  return described
end

local function maybe(name, prepare) return { optional(name, prepare) } end
local function maybe_record(name, of, title)
  local _, prepare = record(name, of, title)
  return { optional(name, prepare) }
end

-- 2.2
local token = layout("token", fields_of({ number("index", 4, "Index") }, { number("generation", 4, "Generation") }),
  function(it) return it.index .. "/" .. it.generation end)
local provider = layout("provider",
  fields_of({ number("node", 4, "Node") }, { signed("instance", "Instance") },
    { number("incarnation", 8, "Incarnation") }),
  function(it) return string.format("%d.%d", it.node, it.instance) end)

-- 2.11
local _, source_group = group_name("source_group", "Source group")
local attributes = layout("attributes", fields_of(
  { number("client_version", 4, "Client version") },
  { group_name("name", "Name") },
  { bits("batch_control", 1, "Batch control", BATCH) },
  { number("phases", 1, "Phases", PHASES) },
  { number("reflection_phases", 1, "Phases of reflections", PHASES) },
  { number("default_vote", 1, "Default vote", VOTES) },
  { number("merge_control", 1, "Merge control", MERGE) },
  { number("time_limit", 2, "Time limit in s") },
  { number("reflection_time_limit", 2, "Time limit of reflections in s") },
  maybe("source_group", source_group)
), function(it) return it.name end)

-- 2.7
local leave = layout("leave", fields_of(
  { record("provider", provider, "Provider") },
  { number("reason", 1, "Reason", REASONS) },
  { number("code", 4, "Code") }
), function(it) return provider.say(it.provider) .. " " .. (REASONS[it.reason] or it.reason) end)
local expulsion = layout("expulsion", fields_of(
  { list("targets", provider, "Target") },
  { number("deactivate_phase", 4, "Deactivate in phase") },
  { sized("flag", 4, 0, 0xffffffff, "Flag") }
), function(it) return #it.targets .. " targets" end)
local _, proposed_state = state("state", "State value")
local _, reflected = state("source_state", "State value of the source group")
local _, told = message("message", "Message")
local proposal = layout("proposal", fields_of(
  maybe_record("proposer", provider, "Proposer"),
  { list("joining", provider, "Joins") },
  { list("leaving", leave, "Leaves") },
  maybe_record("expulsion", expulsion, "Expulsion"),
  maybe("state", proposed_state),
  maybe("source_state", reflected),
  maybe("message", told),
  maybe_record("attributes", attributes, "Attributes")
))
local voting = layout("voting",
  fields_of({ number("phases", 1, "Phases", PHASES) }, { number("time_limit", 2, "Time limit in s") }))

-- What is wished for: its number, and what that announces.
local function wish()
  return "wish", function(filter)
    local field = make("uint8", filter .. ".wish", "Wish", base.DEC, WISHES)
    local rest = make("bytes", "wish.unknown", "What it is")
    local function reader(_, prepare) return prepare("wish") end
    local by_number = {
      reader(number("code", 4, "Code")),
      reader(record("expulsion", expulsion, "Expulsion")),
      reader(state("state", "State value")),
      reader(message("message", "Message")),
      reader(record("attributes", attributes, "Attributes")),
    }
    return function(body)
      local which, item = body:number(field, 1)
      local read = by_number[which]
      if read then
        read(body)
      else
        Handover.unsupported(item, "A proposal that is not known")
        body:bytes(rest, body:left())
      end
      return which
    end
  end
end

-- 2.3
local _, new_default = number("default_vote", 1, "New default vote", VOTES)
local ballot = layout("ballot", fields_of(
  { number("vote", 1, "Vote", VOTES) },
  maybe("default_vote", new_default),
  maybe("state", proposed_state),
  maybe("message", told)
), function(it) return VOTES[it.vote] or tostring(it.vote) end)
local open = layout("open", fields_of(
  { number("protocol", 8, "Protocol") },
  { number("kind", 1, "Kind", PROTOCOL_KINDS) },
  { number("phase", 4, "Phase") },
  { number("time_limit", 2, "Time limit in s") },
  { number("default_vote", 1, "Default vote", VOTES) },
  { bits("summary", 2, "Summary", SUMMARY) },
  { record("proposal", proposal, "Proposal") },
  maybe_record("vote", ballot, "Vote")
), function(it) return (PROTOCOL_KINDS[it.kind] or it.kind) .. " " .. tostring(it.protocol) .. ", phase " .. it.phase end)
local outcome = layout("outcome", fields_of(
  { number("sequence", 8, "Sequence") },
  { number("protocol", 8, "Protocol") },
  { number("kind", 1, "Kind", PROTOCOL_KINDS) },
  { number("phases", 4, "Number of phases") },
  { bits("summary", 2, "Summary", SUMMARY) },
  { number("view", 8, "View") },
  { number("digest", 8, "Digest of the members") },
  { record("proposal", proposal, "Proposal") }
), function(it) return (PROTOCOL_KINDS[it.kind] or it.kind) .. " " .. tostring(it.protocol) end)
local past = layout("past", fields_of({ flag("approved", "Approved") }, { record("ended", outcome, "Outcome") }),
  function(it) return (it.approved and "approved " or "rejected ") .. outcome.say(it.ended) end)
local snapshot = layout("snapshot", fields_of(
  { number("group", 8, "Group") },
  { number("sequence", 8, "Sequence") },
  { number("view", 8, "View") },
  { record("attributes", attributes, "Attributes") },
  { state("state", "State value") },
  { list("members", provider, "Member") },
  { number("last", 8, "Last protocol") }
), function(it) return it.attributes.name .. ", " .. #it.members .. " members" end)
local entry = layout("entry", fields_of(
  { number("index", 8, "Index") },
  { record("past", past, "Outcome") },
  { record("snapshot", snapshot, "Group") }
))
local group_record = layout("group_record",
  fields_of({ record("snapshot", snapshot, "Group") }, { list("recent", past, "Outcome") }))

-- Kinds of messages, and what is in them.
local function of_token() return { record("token", token, "Token") } end
local function of_group() return { number("group", 8, "Group") } end
local function of_epoch() return { number("epoch", 8, "Epoch") } end
local function say_token(it) return token.say(it.token) end
local function say_epoch(it) return "epoch " .. tostring(it.epoch) end

local signal = layout("signal", fields_of(of_token()), say_token)
local standing = layout("standing", fields_of(
  of_token(), maybe_record("provider", provider, "Provider"),
  { bits("subscription", 1, "Subscription", SUBSCRIPTION) }, { record("snapshot", snapshot, "Group") },
  { list("recent", past, "Outcome") }, maybe_record("open", open, "Open protocol")
), function(it) return token.say(it.token) .. " " .. snapshot.say(it.snapshot) end)
local ping = layout("ping", fields_of({ number("nonce", 8, "Nonce") }))
local ended = layout("ended", fields_of(
  of_token(), of_group(), { record("outcome", outcome, "Outcome") }, maybe_record("snapshot", snapshot, "Group")
), function(it) return outcome.say(it.outcome) end)
local _, expected_view = number("view", 8, "View")
local _, notice_members = list("members", provider, "Member")
local _, notice_state = state("state", "State value")

local layouts = {
  [0x01] = layout("enter", fields_of(
    { number("node", 4, "Node") }, { number("incarnation", 8, "Incarnation") }, of_epoch(),
    { number("ping_interval_ms", 4, "Ping interval in ms") }, { number("pong_limit_ms", 4, "Limit of a pong in ms") },
    { number("reports", 4, "Number of reports") }, { sized("credentials", 4, 0, 0xffffffff, "Credentials") }
  ), function(it) return string.format("node %d, %d reports", it.node, it.reports) end),
  [0x02] = layout("join", fields_of(
    { number("request", 4, "Request") }, { signed("instance", "Instance") },
    { record("attributes", attributes, "Attributes") }
  ), function(it) return it.attributes.name end),
  [0x03] = layout("subscribe", fields_of(
    { number("request", 4, "Request") }, { group_name("group", "Group") },
    { bits("subscription", 1, "Subscription", SUBSCRIPTION) }
  ), function(it) return it.group end),
  [0x04] = signal,
  [0x05] = layout("propose", fields_of(
    { number("request", 4, "Request") }, of_token(), { record("voting", voting, "Voting") },
    maybe("view", expected_view), { wish() }
  ), function(it) return token.say(it.token) .. " " .. (WISHES[it.wish] or it.wish) end),
  [0x06] = layout("vote", fields_of(
    of_token(), { number("protocol", 8, "Protocol") }, { number("phase", 4, "Phase") },
    { record("ballot", ballot, "Ballot") }
  ), function(it)
    local where = tostring(it.protocol) .. ", phase " .. it.phase
    return token.say(it.token) .. " " .. ballot.say(it.ballot) .. " in " .. where
  end),
  [0x07] = layout("deactivated", fields_of(
    of_token(), { number("protocol", 8, "Protocol") }, { flag("successful", "Successful") }
  ), say_token),
  [0x08] = signal,
  [0x09] = layout("plain", {}),
  [0x0a] = ping,
  [0x0b] = layout("acknowledge", fields_of(of_token(), { number("sequence", 8, "Sequence") }),
    function(it) return token.say(it.token) .. " up to " .. tostring(it.sequence) end),
  [0x0c] = signal,
  [0x0d] = layout("report", fields_of(
    { number("remaining", 4, "Remaining") }, maybe_record("standing", standing, "Standing")
  ), function(it) return it.standing and standing.say(it.standing) or "nothing" end),
  [0x81] = layout("welcome", fields_of({ number("domain", 8, "Domain") }, of_epoch()), say_epoch),
  [0x82] = layout("accepted", fields_of({ number("request", 4, "Request") }, of_token(), of_group()), say_token),
  [0x83] = layout("delayed_error", fields_of(
    { number("request", 4, "Request") }, maybe_record("token", token, "Token"), { number("kind", 1, "Of", KINDS) },
    { number("code", 2, "Code", CODES) }, { text("text", "Text") }
  ), function(it) return (KINDS[it.kind] or it.kind) .. ": " .. (CODES[it.code] or it.code) end),
  [0x84] = layout("phase", fields_of(
    of_token(), of_group(), { number("sequence", 8, "Sequence") }, { record("open", open, "Open protocol") }
  ), function(it) return token.say(it.token) .. " " .. open.say(it.open) end),
  [0x85] = ended,
  [0x86] = ended,
  [0x87] = layout("announcement", fields_of(
    of_token(), of_group(), { number("sequence", 8, "Sequence") }, { bits("flags", 2, "Flags", ANNOUNCEMENT) },
    { list("providers", provider, "Provider") }
  ), say_token),
  [0x88] = layout("notice", fields_of(
    of_token(), of_group(), { number("sequence", 8, "Sequence") }, { number("view", 8, "View") },
    maybe("state", notice_state), maybe("members", notice_members), { list("joined", provider, "Joined") },
    { list("left", leave, "Left") }
  ), say_token),
  [0x89] = ping,
  [0x8a] = layout("dissolved", fields_of(
    maybe_record("token", token, "Token"), { number("reason", 1, "Reason", DISSOLVE) }
  ), function(it) return DISSOLVE[it.reason] or tostring(it.reason) end),
  [0x8b] = layout("redirect", fields_of(of_epoch(), { text("address", "Address") }), say_epoch),
  [0x8c] = layout("view", fields_of(
    of_token(), { record("snapshot", snapshot, "Group") }, maybe_record("open", open, "Open protocol")
  ), function(it) return token.say(it.token) .. " " .. snapshot.say(it.snapshot) end),
  [0xc0] = layout("replicate", fields_of(of_epoch(), { record("entry", entry, "Entry") }), say_epoch),
  [0xc1] = layout("replicated", fields_of(of_epoch(), { number("index", 8, "Index") }, { number("beat", 8, "Beat") }),
    say_epoch),
  [0xc2] = layout("query", fields_of(of_epoch()), say_epoch),
  [0xc3] = layout("grant", fields_of(
    of_epoch(), { number("remaining", 4, "Remaining") }, maybe_record("record", group_record, "Record")
  ), say_epoch),
  [0xc4] = layout("reign", fields_of(of_epoch(), { number("beat", 8, "Beat") }, { text("address", "Address") }), say_epoch),
  [0xc5] = layout("fenced", fields_of(of_epoch()), say_epoch),
  [0xc6] = layout("proclaim", fields_of(
    { number("domain", 8, "Domain") }, of_epoch(), { number("nodes", 4, "Nodes") },
    { number("lowest_node", 4, "Lowest node") }
  ), say_epoch),
}

local kinds = {}
for kind, of in pairs(layouts) do
  kinds[kind] = { name = KINDS[kind], dissect = function(body)
    local read = of.read(body)
    return of.say and of.say(read)
  end }
end

Handover.register(2, "GROUP", fields, kinds)
