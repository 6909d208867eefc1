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

local function new_router(prefix, table_blob)
  local rows = cmsgpack.unpack(table_blob)[2]
  local router = { prefix = prefix, rows = {}, capable = {}, heaps = {} }
  for at, row in ipairs(rows) do
    local processor = { id = row[1], capacity = tonumber(row[3]) or 0, key = stream_key(prefix, 'ready', row[1]) }
    local length = redis.pcall('XLEN', processor.key)
    processor.outstanding = type(length) == 'number' and length or math.huge
    router.rows[at] = processor
    for _, capability in ipairs(row[2]) do
      local capable = router.capable[capability]
      if not capable then
        capable = {}
        router.capable[capability] = capable
      end
      capable[#capable + 1] = processor
    end
  end
  return router
end

local function load_of(processor)
  if processor.capacity <= 0 then
    return math.huge
  end
  return processor.outstanding / processor.capacity
end

local function heap_of(router, capability)
  local heap = router.heaps[capability]
  if heap then
    return heap
  end
  local capable = router.capable[capability] or {}
  heap = { turns = #capable, rotation = 0, picks = 0 }
  if #capable > 0 then
    heap.rotation = tonumber(redis.call('HGET', router.prefix .. ':rotation', capability) or '0')
    for at, processor in ipairs(capable) do
      heap[at] = {
        processor = processor,
        load = load_of(processor),
        turn = (at - 1 - heap.rotation) % #capable,
      }
    end
    for at = math.floor(#heap / 2), 1, -1 do
      sift_down(heap, at)
    end
  end
  router.heaps[capability] = heap
  return heap
end

-- The top of the heap with its load up to date; full processors leave the heap. Nil when nobody can take a frame.
local function top(heap)
  while #heap > 0 do
    local entry = heap[1]
    local processor = entry.processor
    if processor.outstanding >= processor.capacity then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    else
      local load = load_of(processor)
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

-- Appends the frame to the queue of the best processor; nil when none can take it.
local function route(router, fields)
  local heap = heap_of(router, fields[CAPABILITY])
  while true do
    local entry = top(heap)
    if not entry then
      return nil
    end
    local processor = entry.processor
    if append(processor.key, fields) then
      processor.outstanding = processor.outstanding + 1
      entry.load = load_of(processor)
      heap.turns = heap.turns + 1
      entry.turn = heap.turns
      sift_down(heap, 1)
      heap.picks = heap.picks + 1
      return processor
    end
    processor.outstanding = math.huge -- its key is not a stream: it takes nothing
  end
end

local function free_capacity(router, capability)
  local free = 0
  for _, processor in ipairs(router.capable[capability] or {}) do
    free = free + math.max(0, processor.capacity - processor.outstanding)
  end
  return free
end

local function save_rotation(router)
  for capability, heap in pairs(router.heaps) do
    if heap.picks > 0 then
      redis.call('HSET', router.prefix .. ':rotation', capability, text((heap.rotation + heap.picks) % 2147483648))
    end
  end
end
