-- The leader's dispatch: from capture and the lanes to the queues of processors.

local AGEING_MS = 10000 -- so much waiting is worth one level of priority
local OLDEST_EVERY = 16 -- one pass in so many begins with the place whose head has waited longest
local CROWDED_MS, CROWDED_MAX = 5000, 64 -- how long after its frames are gone a lane is reported, and how many are
local crowded_until = {} -- by prefix and capability

-- A frame that names several capabilities becomes one entry for each. False when a lane that may be needed is no lane.
local function split(prefix, ledgers, frame)
  local capabilities = {}
  for capability in string.gmatch(frame.capability, '[^,]+') do
    local kind = redis.call('TYPE', level_key(stream_key(prefix, 'lane', capability), frame.priority)).ok
    if kind ~= 'none' and kind ~= 'stream' then
      return nil
    end
    capabilities[#capabilities + 1] = capability
  end
  local key, entries = parts_key(prefix, frame.camera, frame.sequence), {}
  for at, capability in ipairs(capabilities) do
    redis.call('HSET', key, capability, 'waiting')
    local part = { fields = { unpack(frame.fields) } }
    for name, value in pairs(frame) do
      part[name] = part[name] or value
    end
    part.capability = capability
    rehead(part)
    entries[at] = part
  end
  count(ledger_of(ledgers, frame.camera), SURPLUS, #capabilities - 1)
  return entries
end

-- When the frame that is next at a place was published, in milliseconds; nil where there is none, or no stream.
local function head_ms(key)
  local entry = redis.pcall('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  if not entry then
    return nil
  end
  return published_ms(entry)
end

-- Where frames wait, in the order in which they should leave. `lanes`: capabilities whose lane can be drained.
local function places(prefix, lanes)
  local found, now = {}, nil
  local capture, capture_levels = prefix .. ':capture', levels_of(prefix .. ':capture')
  if #lanes == 0 and #capture_levels == 1 then
    return { { base = capture, level = '0' } }
  end
  now = now_ms()
  local turn = redis.call('HINCRBY', prefix .. ':rotation', ':turn', 1)
  local function add(base, level, capability, order)
    local since = head_ms(level_key(base, level))
    if since then
      local whole = math.floor(tonumber(level)) -- of a lane that is "5.5" too: before its "5", not before other lanes
      found[#found + 1] = {
        base = base, level = level, capability = capability, since = since, order = order,
        rank = whole + math.floor((now - since) / AGEING_MS),
        name = base .. text(whole) .. (whole == tonumber(level) and '~' or '!'),
      }
    end
  end
  for at, capability in ipairs(lanes) do
    local base = stream_key(prefix, 'lane', capability)
    for _, level in ipairs(levels_of(base)) do
      add(base, level, capability, (at + turn) % #lanes) -- equals take turns in beginning
    end
  end
  for _, level in ipairs(capture_levels) do
    add(capture, level, nil, #lanes)
  end
  table.sort(found, function(a, b)
    if a.rank ~= b.rank then
      return a.rank > b.rank
    end
    if a.order ~= b.order then
      return a.order < b.order -- lanes first: their frames are older
    end
    return a.name < b.name
  end)
  if turn % OLDEST_EVERY == 0 and #found > 1 then
    local oldest = 1
    for at, place in ipairs(found) do
      if place.since < found[oldest].since then
        oldest = at
      end
    end
    table.insert(found, 1, table.remove(found, oldest))
  end
  return found
end

-- One pass over the places. `report` collects what was done.
local function pass(prefix, router, ledgers, limit, report)
  local waiting, drainable = {}, {} -- capability to the highest level that waits in its lane
  local names = redis.call('SMEMBERS', prefix .. ':lanes')
  table.sort(names)
  for _, capability in ipairs(names) do
    waiting[capability] = tonumber(levels_of(stream_key(prefix, 'lane', capability))[1])
    if free_capacity(router, capability) > 0 then
      drainable[#drainable + 1] = capability
    end
  end
  local lanes_left, left = limit - math.floor(limit / 4), limit -- the rest is for capture, whose capabilities may be others

  local function routed(processor, frame)
    local cameras = processor.cameras
    if not cameras then
      cameras = {}
      processor.cameras = cameras
    end
    local row = cameras[frame.camera]
    if not row then
      row = { processor.id, frame.camera, 0 }
      cameras[frame.camera] = row
      report.routed[#report.routed + 1] = row
    end
    row[3] = row[3] + 1
    report.moved = report.moved + 1
    local story = report.story
    local at = #story
    story[at + 1], story[at + 2], story[at + 3] = frame.camera, frame.number, frame.capability
    story[at + 4], story[at + 5], story[at + 6] = frame.attempts, processor.id, processor.outstanding - 1
  end

  -- To a queue, or to the lane of its capability; false when neither can hold it.
  local function place(frame)
    local ahead = waiting[frame.capability]
    local processor = not (ahead and ahead >= tonumber(frame.priority)) and route(router, frame)
    if processor then
      routed(processor, frame)
      return true
    end
    if not park(prefix, frame) then
      return false
    end
    waiting[frame.capability] = math.max(ahead or 0, tonumber(frame.priority))
    report.parked[frame.capability] = (report.parked[frame.capability] or 0) + 1
    return true
  end

  local function from_capture(fields)
    local frame = parse(prefix, fields, true)
    if not frame then
      report.malformed = report.malformed + 1
      return set_aside(prefix, fields, 'malformed')
    end
    if frame.parts == '1' then
      return place(frame)
    end
    local parts = split(prefix, ledgers, frame)
    for _, part in ipairs(parts or {}) do
      place(part)
    end
    return parts ~= nil
  end

  local function from_lane(fields, capability)
    local frame = parse(prefix, fields)
    if not frame then
      report.malformed = report.malformed + 1
      return set_aside(prefix, fields, 'malformed')
    end
    if frame.capability ~= capability then
      return place(frame) -- somebody put it here by hand: it must not hold up those that belong here
    end
    local processor = route(router, frame)
    if processor then
      routed(processor, frame)
    end
    return processor ~= nil
  end

  for _, at in ipairs(places(prefix, drainable)) do
    local key, gone = level_key(at.base, at.level), {}
    local budget = at.capability and math.min(lanes_left, free_capacity(router, at.capability)) or left
    local entries = budget > 0 and redis.call('XRANGE', key, '-', '+', 'COUNT', math.min(budget, left)) or {}
    local fine, failed = pcall(function()
      for _, entry in ipairs(entries) do
        local moved
        if at.capability then
          moved = from_lane(entry[2], at.capability)
        else
          moved = from_capture(entry[2])
        end
        if moved then
          gone[#gone + 1] = entry[1]
        elseif at.capability then
          break
        end
      end
    end)
    if #gone > 0 then
      many('XDEL', key, {}, gone)
    end
    left = left - #gone
    if at.capability then
      lanes_left = lanes_left - #gone
      report.drained = report.drained + #gone
      if tidy(at.base, at.level, true) and waiting[at.capability] == tonumber(at.level) then
        local levels = levels_of(at.base)
        local rest = levels[1] ~= '0' or redis.call('EXISTS', at.base) == 1
        waiting[at.capability] = rest and tonumber(levels[1]) or nil
        if not rest then
          redis.call('SREM', prefix .. ':lanes', at.capability)
        end
      end
    else
      report.read = report.read + #gone
      if #entries > 0 and at.level == '0' then -- the group shows how far its consumer is
        redis.pcall('XGROUP', 'SETID', key, CAPTURE_GROUP, entries[#entries][1])
      end
      tidy(at.base, at.level, false)
    end
    if not fine then
      error(failed, 0)
    end
  end
  report.waiting, report.full = waiting, left <= 0
end

-- While all processors are full, frames stay in capture, as parking them would only cost a second move. But those that no
-- processor of the table could ever take go to their lanes, where they are seen. Each entry is looked at once a table: with
-- another one the first look is not the last word, and what is older must not be parked after what is younger.
local function sift(prefix, router, limit, report, anew)
  local capture, rotation = prefix .. ':capture', prefix .. ':rotation'
  for _, level in ipairs(levels_of(capture)) do
    local field, gone = ':sifted:' .. level, {}
    local seen = not anew and redis.call('HGET', rotation, field) or ''
    local name, from = string.match(seen, '^(%x+) (.+)$')
    if name ~= router.known.name then
      from = nil
    end
    local entries = redis.call('XRANGE', level_key(capture, level), from and '(' .. from or '-', '+', 'COUNT', limit)
    for _, entry in ipairs(entries) do
      local frame = parse(prefix, entry[2], true)
      if frame and frame.parts == '1' and not router.known.capable[frame.capability] and park(prefix, frame) then
        gone[#gone + 1] = entry[1]
        report.parked[frame.capability] = (report.parked[frame.capability] or 0) + 1
      end
    end
    if #gone > 0 then
      many('XDEL', level_key(capture, level), {}, gone)
      report.read = report.read + #gone
      tidy(capture, level, false)
    end
    if #entries > 0 then
      redis.call('HSET', rotation, field, router.known.name .. ' ' .. entries[#entries][1])
      report.full = report.full or #entries == limit
    end
  end
end

-- The newest id that each of capture's streams ever had: whoever waits there waits for later ones.
local function newest_ids(capture)
  local found = {}
  for at, level in ipairs(levels_of(capture)) do
    local info = redis.pcall('XINFO', 'STREAM', level_key(capture, level))
    found[at] = { level, '0-0' }
    for name = 1, #info, 2 do
      if info[name] == 'last-generated-id' then
        found[at][2] = info[name + 1]
      end
    end
  end
  return found
end

-- Capabilities that are offered and whose lanes hold frames or did lately, as {capability, frames in the lane, frames in
-- the queues of its processors, their capacity}: for backpressure, which watches also how a crowd goes. What is kept for
-- that goes into reports only.
local function crowded_of(prefix, router, lanes)
  local lately, rows = crowded_until[prefix], {}
  if #lanes == 0 and not lately then
    return rows
  end
  local now = now_ms()
  lately = lately or {}
  for _, capability in ipairs(lanes) do
    lately[capability] = now + CROWDED_MS
  end
  for capability, ends in pairs(lately) do
    local capable = router.known.capable[capability]
    if ends < now or not capable then
      lately[capability] = nil
    elseif #rows < CROWDED_MAX then
      local outstanding, capacity = 0, 0
      for _, number in ipairs(capable) do
        local row = router.rows[number]
        outstanding = outstanding + (row.outstanding == HUGE and row.capacity or row.outstanding)
        capacity = capacity + row.capacity
      end
      rows[#rows + 1] = { capability, length_of(stream_key(prefix, 'lane', capability)), outstanding, capacity }
    end
  end
  crowded_until[prefix] = next(lately) and lately or nil
  return rows
end

-- Keeps what is sampled, and forgets what is exported.
local function remember(prefix, node, sampled, exported)
  local ms, number = string.match(exported, '^(%d+)%-(%d+)$')
  if ms and exported ~= '0-0' then
    redis.call('XTRIM', prefix .. ':sampled', 'MINID', ms .. '-' .. text(tonumber(number) + 1))
  end
  return #sampled > 0 and keep_sampled(prefix, node, sampled) or ''
end

-- ARGV: term, index, node, limit, claim ("1": also count the queues anew), routing table (msgpack), trace (not '': the
-- leader makes spans of the frames reported as sampled, and has exported those up to this id of the stream of them), and
-- for how many milliseconds `publish` may route by the table by itself (none: it may not; see direct.lua).
-- Returns a msgpack array, see RawDispatch.
local function dispatch(keys, argv)
  local prefix, node, limit = keys[1], argv[3], tonumber(argv[4])
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  local refusal, started, lent = check_fence(prefix, tonumber(argv[1]), tonumber(argv[2]), node)
  if refusal then
    return refusal
  end
  if argv[5] == '1' then
    disown_depths(prefix)
  end
  local router, ledgers = new_router(prefix, argv[6]), new_ledgers(prefix)
  if argv[5] == '1' then
    recount(router)
    for _, hash in ipairs({ ':depths', ':ledger', ':rotation', ':affinity' }) do
      as_table(prefix .. hash)
    end
    forget_homes(router)
    router = new_router(prefix, argv[6])
    -- Entries that an older library read and never acknowledged are entries like any other; the list of them is not kept.
    local pending = redis.pcall('XPENDING', prefix .. ':capture', CAPTURE_GROUP)
    if not pending.err and pending[1] > 0 then
      redis.call('XGROUP', 'DESTROY', prefix .. ':capture', CAPTURE_GROUP)
      redis.call('XGROUP', 'CREATE', prefix .. ':capture', CAPTURE_GROUP, '0')
    end
  end
  router.sampled, router.traced = {}, argv[7] and argv[7] ~= ''
  local report = {
    moved = 0, read = 0, drained = 0, malformed = 0, routed = {}, parked = {}, story = {},
    waiting = {}, full = false,
  }
  local fine, failed = true, nil
  if router.free > 0 or #router.rows == 0 then
    fine, failed = pcall(pass, prefix, router, ledgers, limit, report)
    close_router(router)
    close_ledgers(ledgers)
  elseif limit > 0 then
    sift(prefix, router, limit, report, argv[5] == '1')
  end
  if report.moved > 0 then
    stamp(prefix, started, report.moved)
    tell_routed(router, tonumber(argv[1]), tonumber(argv[2]), node, report.story)
  end
  local sampled_id = router.traced and remember(prefix, node, router.sampled, argv[7]) or ''
  remember_queues(router)
  lend(prefix, router.known, argv[6], fine and tonumber(argv[8] or '0') or 0, router.traced, lent)
  if not fine then
    return type(failed) == 'table' and failed or redis.error_reply('ERR ' .. tostring(failed))
  end

  local capture = prefix .. ':capture'
  local in_capture, in_lanes, unserved, parked, depths = length_of(capture), 0, {}, {}, {}
  local more = report.full and in_capture > 0
  local lanes = redis.call('SMEMBERS', prefix .. ':lanes')
  for _, capability in ipairs(lanes) do
    local length = length_of(stream_key(prefix, 'lane', capability))
    in_lanes = in_lanes + length
    if not router.known.capable[capability] then
      unserved[#unserved + 1] = { capability, length }
    end
    more = more or free_capacity(router, capability) > 0
  end
  for capability, number in pairs(report.parked) do
    parked[#parked + 1] = { capability, number }
  end
  local routed = {}
  for at, row in ipairs(report.routed) do
    routed[at] = cmsgpack.pack(row)
  end
  local number, directed = report_direct(prefix, routed, lent)
  for _, processor in ipairs(router.rows) do
    if argv[5] == '1' or processor.added or directed[processor.id] then
      depths[#depths + 1] = { processor.id, processor.outstanding == HUGE and 0 or processor.outstanding }
    end
  end
  local woken = redis.call('XREVRANGE', prefix .. ':wake', '+', '-', 'COUNT', 1)
  return array_head(17) .. cmsgpack.pack(report.read, report.drained)
    .. array_head(#report.routed + number) .. table.concat(routed)
    .. cmsgpack.pack(parked, depths, in_lanes, more, newest_ids(capture), #woken > 0 and woken[1][1] or '0-0',
      report.malformed, in_capture, router.outstanding, router.capacity, unserved, router.sampled,
      crowded_of(prefix, router, lanes), sampled_id)
end

-- The slow path, for routers outside: `peek` shows what waits, `place` does what was decided.

-- ARGV: term, index, node, limit and, if lanes that the processors have no room for are to be left out, the routing table.
-- Returns {place, entry id, head, ...}, flat; the place without the prefix. The head is '' where there is nothing to decide:
-- what is no frame, and what has to go to its lane, behind frames of its capability that are not shown.
local function peek(keys, argv)
  local prefix, limit, out = keys[1], tonumber(argv[4]), {}
  local refused = refuse(prefix, argv, argv[3])
  if refused then
    return refused
  end
  local names, lanes, hidden = redis.call('SMEMBERS', prefix .. ':lanes'), {}, {}
  local router = argv[5] and new_router(prefix, argv[5])
  table.sort(names)
  for _, capability in ipairs(names) do
    if not router or free_capacity(router, capability) > 0 then
      lanes[#lanes + 1] = capability
    end
  end
  local lanes_left = limit - math.floor(limit / 4) -- the rest is for capture, as in `pass`
  for _, at in ipairs(places(prefix, lanes)) do
    -- Who decides may leave all that it is shown of a lane where it is: half of what is left is for those behind it.
    local key, budget = level_key(at.base, at.level), limit
    if at.capability then
      budget = math.min(lanes_left, math.ceil(limit / 2))
    end
    local entries = budget > 0 and redis.call('XRANGE', key, '-', '+', 'COUNT', budget) or {}
    for _, entry in ipairs(entries) do
      local frame = parse(prefix, entry[2], not at.capability)
      local behind = frame and not at.capability and hidden[frame.capability]
      out[#out + 1] = string.sub(key, #prefix + 2)
      out[#out + 1] = entry[1]
      out[#out + 1] = frame and not (behind and behind >= tonumber(frame.priority)) and entry[2][HEAD] or ''
    end
    limit = limit - #entries
    if at.capability then
      lanes_left = lanes_left - #entries
      if redis.call('XLEN', key) > #entries then
        hidden[at.capability] = math.max(hidden[at.capability] or 0, tonumber(at.level))
      end
    end
  end
  return out
end

-- ARGV: term, index, node, routing table, then per decision: place, entry id, processor ('': to its lane).
-- Returns an outcome per decision: "placed", "parked", "gone", "full", "malformed" or "unknown" (not in the table).
local function place(keys, argv)
  local prefix = keys[1]
  if #argv % 3 ~= 1 then
    return redis.error_reply('ERR wrong number of arguments')
  end
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  local refusal, started = check_fence(prefix, tonumber(argv[1]), tonumber(argv[2]), argv[3])
  if refusal then
    return refusal
  end
  local router, ledgers, by_id, moved, outcomes = new_router(prefix, argv[4]), new_ledgers(prefix), {}, 0, {}
  local story = {}
  for _, row in ipairs(router.rows) do
    by_id[row.id] = row
  end

  local function one(name, id, processor)
    local base, level = string.match(name, '^(lane:[^:]+):p([%d.]+)$')
    if not base then
      base, level = string.match(name, '^(capture):p(%d+)$')
    end
    base, level = prefix .. ':' .. (base or name), level or '0'
    local key = level_key(base, level)
    local reply = redis.pcall('XRANGE', key, id, id)
    local entry = not reply.err and reply[1]
    if not entry then
      return 'gone'
    end
    local frame, outcome = parse(prefix, entry[2], base == prefix .. ':capture'), nil
    local row = by_id[processor]
    if not frame then
      outcome = set_aside(prefix, entry[2], 'malformed') and 'malformed'
    elseif string.find(frame.capability, ',', 1, true) then
      for _, part in ipairs(split(prefix, ledgers, frame) or {}) do
        outcome = park(prefix, part) and 'parked' -- each part is decided about by itself
      end
    elseif processor == '' then
      if string.find(name, '^lane:') then
        return 'parked'
      end
      outcome = park(prefix, frame) and 'parked'
    elseif not row then
      return 'unknown'
    elseif row.outstanding >= row.capacity then
      return 'full'
    elseif enqueue(router, row, frame) then
      outcome, moved = 'placed', moved + 1
      local at = #story
      story[at + 1], story[at + 2], story[at + 3] = frame.camera, tonumber(frame.sequence), frame.capability
      story[at + 4], story[at + 5], story[at + 6] = frame.attempts, row.id, row.outstanding - 1
    end
    if not outcome then
      return 'gone'
    end
    redis.call('XDEL', key, id)
    if tidy(base, level, base ~= prefix .. ':capture') and base ~= prefix .. ':capture'
      and redis.call('EXISTS', base) == 0 and redis.call('EXISTS', base .. ':levels') == 0 then
      redis.call('SREM', prefix .. ':lanes', string.sub(base, #prefix + 7))
    end
    return outcome
  end

  for at = 5, #argv, 3 do
    local fine, outcome = pcall(one, argv[at], argv[at + 1], argv[at + 2])
    outcomes[#outcomes + 1] = fine and outcome or 'gone'
  end
  close_router(router)
  close_ledgers(ledgers)
  for _, processor in ipairs(router.touched) do
    redis.call('SADD', prefix .. ':queues', processor.id)
    processor.queued = true
  end
  if moved > 0 then
    stamp(prefix, started, moved)
    redis.call('XADD', prefix .. ':story', 'MAXLEN', '~', STORY_KEPT, '*', 'dispatch', cmsgpack.pack({
      tonumber(argv[1]), tonumber(argv[2]), argv[3], 'outside', {}, story,
    }))
  end
  return outcomes
end
