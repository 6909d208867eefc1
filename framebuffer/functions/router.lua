-- Which processor gets a frame.

-- What a call works with: the table, and how loaded its processors are (loads.lua).
local function router_of(prefix, known)
  for _, row in ipairs(known.touched) do
    row.added, row.cameras = nil, nil
  end
  read_depths(prefix, known)
  known.touched = {}
  return {
    prefix = prefix, strategy = known.strategy, known = known, rows = known.rows, touched = known.touched, choices = {},
    version = known.version, free = known.free, outstanding = known.outstanding, capacity = known.capacity,
  }
end

local function new_router(prefix, blob)
  return router_of(prefix, table_of(prefix, blob))
end

-- Of a capability: its tree, whose turn it is where loads are equal, and who might have been chosen, for the story: the best
-- one and those behind it.
local CANDIDATES_MAX = 16
local function choice_of(router, capability)
  local choice = router.choices[capability]
  if choice then
    return choice
  end
  local known = router.known
  local tree, turn, candidates = tree_of(known, capability), 0, {}
  if tree.number > 0 then
    turn = known.turns[capability]
      or tonumber(redis.call('HGET', router.prefix .. ':rotation', capability) or '0') % tree.number
    local best = least_loaded(tree, turn) or turn
    for at = 1, math.min(tree.number, CANDIDATES_MAX) do
      local one = tree.rows[(best + at - 1) % tree.number + 1]
      candidates[at] = { one.id, one.outstanding, one.capacity }
    end
  end
  choice = { capability = capability, turn = turn, candidates = candidates, picked = false }
  router.choices[capability] = choice
  return choice
end

-- Last digits of a trace's flags that say "sampled", as bytes: 1 3 5 7 9 b d f.
local ODD = {
  [49] = true, [51] = true, [53] = true, [55] = true, [57] = true, [98] = true, [100] = true, [102] = true,
}

-- The head of a frame whose trace is recorded (its flags are odd), if it is to be reported (into `router.sampled`); else nil.
-- Where the leader makes spans of what is reported, the frame goes on below its span `dispatch_to_processor`, whose id
-- framebuffer/tracing_dispatch.py makes likewise (dispatch_span_id): so the processor's span has a parent without asking.
local SAMPLED_MAX = 64
local function sampled_head(router, frame)
  if not ODD[string.byte(frame.trace, -1)] or #router.sampled >= SAMPLED_MAX then
    return nil
  end
  local head = frame.fields[HEAD]
  local trace_id, span_id, flags = string.match(frame.trace, '^00%-([0-9a-f]+)%-([0-9a-f]+)%-([0-9a-f]+)$')
  if router.traced and span_id and #trace_id == 32 and #span_id == 16 and #flags == 2 and string.find(span_id, '[^0]') then
    span_id = string.sub(redis.sha1hex(frame.trace .. ' ' .. frame.capability), 1, 16)
    frame.trace = '00-' .. trace_id .. '-' .. span_id .. '-' .. flags
    rehead(frame)
  end
  return head
end

-- Appends the frame to the processor's queue; false when it cannot hold it.
local function enqueue(router, processor, frame)
  local level = frame.attempts > 0 and 's' or frame.priority
  local trace, head = frame.trace, router.sampled and sampled_head(router, frame)
  local known = router.known
  known.version = nil -- until `close_router` has written
  if not append(processor.key, level, frame.fields) then
    if head then
      frame.trace, frame.fields[HEAD] = trace, head
    end
    router.free, router.broken = router.free - math.max(0, processor.capacity - processor.outstanding), true
    processor.outstanding = HUGE -- its key is not a stream: it takes nothing
    reload(known, processor)
    return false
  end
  if not processor.added then
    processor.added = 0
    router.touched[#router.touched + 1] = processor
  end
  if head then
    router.sampled[#router.sampled + 1] = { head, processor.id, processor.outstanding, processor.capacity }
  end
  processor.added = processor.added + 1
  processor.outstanding = processor.outstanding + 1
  router.outstanding = router.outstanding + 1
  router.free = router.free - 1
  reload(known, processor)
  return true
end

-- The processor that the frame's camera went to before, while it is in the table, can do the work and has room.
local function sticky(router, frame)
  local name = frame.capability .. ' ' .. frame.camera
  router.homes = router.homes or {}
  local home = router.homes[name]
  if home == nil then
    home = redis.call('HGET', router.prefix .. ':affinity', name) or ''
    router.homes[name] = home
  end
  local processor = router.known.by_id[home]
  if processor and not processor.can[frame.capability] then
    processor = nil
  end
  if processor and processor.outstanding < processor.capacity and enqueue(router, processor, frame) then
    return processor
  end
  return nil, processor ~= nil
end

-- Forgets homes at processors that are not in the table any more, a portion a call; all of them under another strategy.
local HOMES_A_CALL = 500
local homes_cursor = '0'
local function forget_homes(router)
  local key = router.prefix .. ':affinity'
  if router.strategy ~= 'affinity' then
    redis.call('UNLINK', key)
    return
  end
  if #router.known.names == 0 then
    return -- a new leader does not know them yet
  end
  local there, gone = {}, {}
  for _, name in ipairs(router.known.names) do
    there[name] = true
  end
  local page = redis.call('HSCAN', key, homes_cursor, 'COUNT', HOMES_A_CALL)
  homes_cursor = page[1]
  for at = 1, #page[2], 2 do
    if not there[page[2][at + 1]] then
      gone[#gone + 1] = page[2][at]
    end
  end
  if #gone > 0 then
    many('HDEL', key, {}, gone)
  end
end

-- Appends the frame to the queue of the best processor; nil when none can take it.
local function route(router, frame)
  local capability, settled = frame.capability, false
  local choice = router.choices[capability] or choice_of(router, capability)
  if router.strategy == 'affinity' then
    local processor, known = sticky(router, frame)
    if processor then
      return processor
    end
    settled = known -- its own is full: this frame goes elsewhere, the camera stays where it is
  end
  local tree = router.known.trees_of[capability] or tree_of(router.known, capability)
  while true do
    local at = least_loaded(tree, choice.turn)
    if not at then
      return nil
    end
    local processor = tree.rows[at + 1]
    if enqueue(router, processor, frame) then
      choice.turn, choice.picked = (at + 1) % tree.number, true
      if router.strategy == 'affinity' and not settled then
        local name = frame.capability .. ' ' .. frame.camera
        router.homes[name] = processor.id
        redis.call('HSET', router.prefix .. ':affinity', name, processor.id)
      end
      return processor
    end
  end
end

local function free_capacity(router, capability)
  local free = 0
  for _, number in ipairs(router.known.capable[capability] or {}) do
    free = free + math.max(0, router.rows[number].capacity - router.rows[number].outstanding)
  end
  return free
end

-- Writes back what changed: how many frames each queue holds, and whose turn it is. Call it also after a failure.
local function close_router(router)
  if #router.touched == 0 then
    return -- and if a queue could take nothing, all is read anew by the next call
  end
  local prefix, known, depths, turns, new, number = router.prefix, router.known, {}, {}, false, 0
  for _, processor in ipairs(router.touched) do
    new = new or not processor.queued
    if processor.outstanding == HUGE then
      redis.call('HINCRBY', prefix .. ':depths', processor.id, processor.added)
    else
      depths[number + 1], depths[number + 2] = processor.id, processor.outstanding
      number = number + 2
    end
  end
  many('HSET', prefix .. ':depths', {}, depths)
  for capability, choice in pairs(router.choices) do
    if choice.picked then
      turns[#turns + 1] = capability
      turns[#turns + 1] = text(choice.turn)
      known.turns[capability] = choice.turn
    end
  end
  local version = router.version and not router.broken and router.version + 1 or unused_version()
  turns[#turns + 1] = VERSION_FIELD
  turns[#turns + 1] = text(version)
  many('HSET', prefix .. ':rotation', {}, turns)
  if not router.broken then
    known.free, known.outstanding = router.free, router.outstanding
    known.version, known.version_text = version, turns[#turns]
  end
  if new then
    as_table(prefix .. ':depths')
  end
end

-- Counts the queues of the table's processors anew: entries may have been added or deleted behind the library's back.
local function recount(router)
  for _, row in ipairs(router.rows) do
    local length = length_of(row.key)
    if length ~= row.outstanding then
      redis.call('HSET', router.prefix .. ':depths', row.id, length)
      redis.call('SADD', router.prefix .. ':queues', row.id) -- `dispatch` adds only those whose depth is not known
    end
  end
  router.known.version = nil
end
