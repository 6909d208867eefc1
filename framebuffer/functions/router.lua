-- Which processor gets a frame.

-- Candidates of a capability are a binary heap: least outstanding / capacity first, then the one that waited longest
-- for a turn. A processor may be in several heaps, so an entry's load may be stale; loads only grow during a call,
-- so it is enough to bring the top up to date before it is believed.
local function precedes(a, b)
  if a.load ~= b.load then
    return a.load < b.load
  end
  return a.turn < b.turn
end

local function sift_down(heap, at)
  local entry, size = heap[at], #heap
  while true do
    local child = at * 2
    if child > size then
      break
    end
    if child < size and precedes(heap[child + 1], heap[child]) then
      child = child + 1
    end
    if not precedes(heap[child], entry) then
      break
    end
    heap[at] = heap[child]
    at = child
  end
  heap[at] = entry
end

-- The table that came last, unpacked. It is found again by its very bytes, so nothing can be stale.
local known_blob, known_table

-- {strategy, rows}; a row is {processor, capabilities, capacity}. Also the tables that a call works with are made once: each
-- call sets anew what it uses of them.
local function table_of(blob)
  if blob ~= known_blob then
    local unpacked = cmsgpack.unpack(blob)
    local names, capable, live = {}, {}, {}
    for at, row in ipairs(unpacked[2]) do
      names[at] = row[1]
      live[at] = { id = row[1], capacity = tonumber(row[3]) or 0 }
      for _, capability in ipairs(row[2]) do
        capable[capability] = capable[capability] or {}
        table.insert(capable[capability], at)
      end
    end
    known_table = { strategy = unpacked[1], names = names, capable = capable, live = live, entries = {}, touched = {} }
    known_table.name = redis.sha1hex(blob)
    known_blob = blob
  end
  return known_table
end

local function router_of(prefix, known)
  local router = {
    prefix = prefix, strategy = known.strategy, known = known, rows = known.live, heaps = {}, touched = {},
    free = 0, outstanding = 0, capacity = 0,
  }
  for _, row in ipairs(known.touched) do
    row.added, row.cameras = nil, nil
  end
  known.touched = router.touched
  if known.prefix ~= prefix then
    known.prefix = prefix
    for _, row in ipairs(known.live) do
      row.key = nil
    end
  end
  for from = 1, #known.names, UNPACK_MAX do
    local depths = redis.call('HMGET', prefix .. ':depths',
      unpack(known.names, from, math.min(from + UNPACK_MAX - 1, #known.names)))
    for offset, depth in ipairs(depths) do
      local row, outstanding = router.rows[from + offset - 1], tonumber(depth or 0)
      row.outstanding, row.queued = outstanding, depth
      router.outstanding = router.outstanding + outstanding
      router.capacity = router.capacity + row.capacity
      if row.capacity > outstanding then
        router.free = router.free + row.capacity - outstanding
      end
    end
  end
  return router
end

local function new_router(prefix, blob)
  return router_of(prefix, table_of(blob))
end

local function load_of(router, processor)
  if router.strategy == 'round_robin' or processor.capacity <= 0 then
    return 0
  end
  return processor.outstanding / processor.capacity
end

local function heap_of(router, capability)
  local heap = router.heaps[capability]
  if heap then
    return heap
  end
  local capable = router.known.capable[capability] or {}
  heap = { turns = #capable, rotation = 0, picks = 0, candidates = {} }
  if #capable > 0 then
    heap.rotation = tonumber(redis.call('HGET', router.prefix .. ':rotation', capability) or '0')
    local entries = router.known.entries[capability]
    if not entries then
      entries = {}
      router.known.entries[capability] = entries
    end
    -- In the order of their turns: where loads are equal, this is a heap already.
    for at = 1, #capable do
      local entry = entries[at]
      if not entry then
        entry = {}
        entries[at] = entry
      end
      local processor = router.rows[capable[(heap.rotation + at - 1) % #capable + 1]]
      entry.processor, entry.load, entry.turn = processor, load_of(router, processor), at - 1
      heap[at] = entry
    end
    for at = math.floor(#heap / 2), 1, -1 do
      sift_down(heap, at)
    end
    for at = 1, math.min(#heap, 16) do
      local one = heap[at].processor
      heap.candidates[at] = { one.id, one.outstanding, one.capacity }
    end
  end
  router.heaps[capability] = heap
  return heap
end

-- The top of the heap with its load up to date; full processors leave the heap. Nil when nobody can take a frame.
local function top(router, heap)
  while #heap > 0 do
    local entry = heap[1]
    local processor = entry.processor
    if processor.outstanding >= processor.capacity then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    else
      local load = load_of(router, processor)
      if load == entry.load then
        return entry
      end
      entry.load = load
    end
    if #heap > 0 then
      sift_down(heap, 1)
    end
  end
  return nil
end

-- Last digits of a trace's flags that say "sampled", as bytes: 1 3 5 7 9 b d f.
local ODD = {
  [49] = true, [51] = true, [53] = true, [55] = true, [57] = true, [98] = true, [100] = true, [102] = true,
}

-- The head of a frame whose trace is recorded (its flags are odd), if it is to be reported; else nil. Where the leader
-- makes spans of what is reported, the frame goes on below its span `dispatch_to_processor`, whose id
-- framebuffer/tracing_dispatch.py makes likewise (dispatch_span_id): so the processor's span has a parent without asking.
local SAMPLED_MAX = 64
local function sampled_head(router, frame)
  if not ODD[string.byte(frame.trace, -1)] or not router.sampled or #router.sampled >= SAMPLED_MAX then
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
  local trace, head = frame.trace, sampled_head(router, frame)
  if not processor.key then
    processor.key = stream_key(router.prefix, 'ready', processor.id)
  end
  if not append(processor.key, level, frame.fields) then
    if head then
      frame.trace, frame.fields[HEAD] = trace, head
    end
    router.free = router.free - math.max(0, processor.capacity - processor.outstanding)
    processor.outstanding = math.huge -- its key is not a stream: it takes nothing
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
  return true
end

-- The processor that the frame's camera went to before, while it is in the table, can do the work and has room.
local function sticky(router, heap, frame)
  local name = frame.capability .. ' ' .. frame.camera
  router.homes = router.homes or {}
  local home = router.homes[name]
  if home == nil then
    home = redis.call('HGET', router.prefix .. ':affinity', name) or ''
    router.homes[name] = home
  end
  if heap.by_id == nil then
    heap.by_id = {}
    for _, number in ipairs(router.known.capable[frame.capability] or {}) do
      heap.by_id[router.rows[number].id] = router.rows[number]
    end
  end
  local processor = heap.by_id[home]
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
  local heap = heap_of(router, frame.capability)
  local settled = false
  if router.strategy == 'affinity' then
    local processor, known = sticky(router, heap, frame)
    if processor then
      return processor
    end
    settled = known -- its own is full: this frame goes elsewhere, the camera stays where it is
  end
  while true do
    local entry = top(router, heap)
    if not entry then
      return nil
    end
    local processor = entry.processor
    if enqueue(router, processor, frame) then
      entry.load = load_of(router, processor)
      heap.turns = heap.turns + 1
      entry.turn = heap.turns
      sift_down(heap, 1)
      heap.picks = heap.picks + 1
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

-- Writes back what changed: rotations, and how many frames each queue holds. Call it also after a failure.
local function close_router(router)
  for capability, heap in pairs(router.heaps) do
    if heap.picks > 0 then
      redis.call('HSET', router.prefix .. ':rotation', capability, text((heap.rotation + heap.picks) % 2147483648))
    end
  end
  local depths = {}
  for _, processor in ipairs(router.touched) do
    if processor.outstanding == math.huge then
      redis.call('HINCRBY', router.prefix .. ':depths', processor.id, processor.added)
    else
      depths[#depths + 1] = processor.id
      depths[#depths + 1] = text(processor.outstanding)
    end
  end
  many('HSET', router.prefix .. ':depths', {}, depths)
  for _, processor in ipairs(router.touched) do
    if not processor.queued then
      as_table(router.prefix .. ':depths')
      return
    end
  end
end

-- Counts the queues of the table's processors anew: entries may have been added or deleted behind the library's back.
local function recount(router)
  for _, row in ipairs(router.rows) do
    local length = length_of(stream_key(router.prefix, 'ready', row.id))
    if length ~= row.outstanding then
      redis.call('HSET', router.prefix .. ':depths', row.id, length)
      redis.call('SADD', router.prefix .. ':queues', row.id) -- `dispatch` adds only those whose depth is not known
    end
  end
end
