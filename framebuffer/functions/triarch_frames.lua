#!lua name=triarch_frames_v1
-- revision: 1
--
-- The frame streams' work inside the server: one call a batch on every hop. Runs on Redis >= 7.0 and Valkey >= 7.2.
--
-- KEYS[1] is the prefix; every key is built from it (framebuffer/keys.py builds the same). A frame is in exactly one of
-- capture, a lane or a queue until it is final (settled, dead or dropped).
--
-- Atomic is not rollback: an error in the middle keeps the earlier writes. So arguments are checked before the first
-- write of a frame, what may fail for reasons of the key's type goes through pcall, and a frame moves by
-- XADD -> XACK -> XDEL: the worst case is a frame that is still pending, never one that is gone.

local CAPTURE_GROUP = 'frame-buffer'
local LEADERS_KEPT = 1000
local WAKE_KEPT = 16
local JUMP_MAX = 1048576 -- a sequence further ahead than this is a mistake, not a gap
local SEQUENCE_MAX = 9007199254740991 -- 2^53 - 1: beyond, Lua's numbers are not exact
local CAPABILITY_BYTES_MAX = 64
local ANY_NODE = '-' -- a caller that knows its epoch but does not say its name

-- Positions of the values in a stream entry; XADD writes the fields in this order, always.
local FRAME_ID, CAMERA, SEQUENCE, CAPABILITY, PRIORITY = 2, 4, 6, 8, 10
local ATTEMPTS, TRACEPARENT, EVENT, PAYLOAD, REF = 12, 14, 16, 18, 20

-- Lua prints 1e15 as "1e+15": numbers that are stored or returned as text go through this.
local function text(number)
  return string.format('%.0f', number)
end

local function stream_key(prefix, kind, name)
  return prefix .. ':' .. kind .. ':' .. name
end

-- Adds an entry; nil when the key holds something that is not a stream.
local function append(key, fields)
  local id = redis.pcall('XADD', key, '*', unpack(fields))
  if type(id) == 'table' then
    return nil
  end
  return id
end

local function read_group(key, group, consumer, count, from)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, from)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then
      return nil, reply
    end
    -- At id 0, never $: what was added before the group existed is work too.
    redis.call('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM')
    reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, from)
  end
  if not reply then
    return {}
  end
  return reply[1][2]
end

local function park(prefix, capability, fields)
  if not append(stream_key(prefix, 'lane', capability), fields) then
    return false
  end
  redis.call('SADD', prefix .. ':lanes', capability)
  return true
end

local function wake(prefix)
  redis.call('XADD', prefix .. ':wake', 'MAXLEN', WAKE_KEPT, '*', 'x', '')
end

----------------------------------------------------------------------------------------------------------- the ledger

-- A camera's ledger, read once a call. `counts` and `touched` are written back by close_camera.
local function open_camera(prefix, camera, cache)
  local ledger = cache[camera]
  if not ledger then
    local key = stream_key(prefix, 'ledger', camera)
    local row = redis.call('HMGET', key, 'session', 'segment', 'highest', 'complete', 'floor')
    ledger = {
      key = key,
      known = row[1] and true or false,
      session = row[1] or '',
      size = tonumber(row[2]) or 65536,
      highest = tonumber(row[3]) or -1,
      complete = tonumber(row[4]) or 0,
      floor = tonumber(row[5]) or -1,
      counts = {},
      touched = {},
    }
    cache[camera] = ledger
  end
  return ledger
end

local function count(ledger, name, by)
  ledger.counts[name] = (ledger.counts[name] or 0) + (by or 1)
end

local function place(ledger, sequence)
  local segment = math.floor(sequence / ledger.size)
  return segment, sequence - segment * ledger.size
end

local function bitmap(ledger, kind, segment)
  return ledger.key .. ':' .. kind .. ':' .. text(segment)
end

-- Completely final segments have no bitmaps any more: all below the watermark, and those of the set above it.
local function is_complete(ledger, segment)
  if segment < ledger.complete then
    return true
  end
  return redis.call('SISMEMBER', ledger.key .. ':complete', text(segment)) == 1
end

local function is_final(ledger, sequence)
  local segment, bit = place(ledger, sequence)
  if redis.call('GETBIT', bitmap(ledger, 'final', segment), bit) == 1 then
    return true
  end
  return is_complete(ledger, segment)
end

local function set_final(ledger, sequence, outcome)
  local segment, bit = place(ledger, sequence)
  redis.call('SETBIT', bitmap(ledger, 'final', segment), bit, 1)
  ledger.touched[segment] = true
  count(ledger, outcome)
end

local function retire(ledger, segment)
  if (segment + 1) * ledger.size - 1 > ledger.highest then
    return
  end
  local published, final = bitmap(ledger, 'published', segment), bitmap(ledger, 'final', segment)
  if redis.call('BITCOUNT', final) < ledger.size or redis.call('BITCOUNT', published) < ledger.size then
    return
  end
  redis.call('DEL', published, final)
  if segment ~= ledger.complete then
    redis.call('SADD', ledger.key .. ':complete', text(segment))
    return
  end
  ledger.complete = segment + 1
  while redis.call('SREM', ledger.key .. ':complete', text(ledger.complete)) == 1 do
    ledger.complete = ledger.complete + 1
  end
  redis.call('HSET', ledger.key, 'complete', text(ledger.complete))
end

local function close_cameras(cache)
  for _, ledger in pairs(cache) do
    for name, by in pairs(ledger.counts) do
      redis.call('HINCRBY', ledger.key, name, by)
    end
    for segment in pairs(ledger.touched) do
      retire(ledger, segment)
    end
  end
end

---------------------------------------------------------------------------------------------------- open and publish

-- ARGV: camera, session token, segment size, sequence to resume at (-1: none). Returns {previous token, next sequence}.
local function open(keys, argv)
  local prefix, camera, token = keys[1], argv[1], argv[2]
  local resume = tonumber(argv[4]) or -1
  local key = stream_key(prefix, 'ledger', camera)
  local row = redis.call('HMGET', key, 'session', 'previous', 'highest')
  local previous = row[1] or ''
  if previous == token then
    previous = row[2] or '' -- the reply to the first call was lost
  else
    redis.call('HSET', key, 'session', token, 'previous', previous)
  end
  redis.call('HSETNX', key, 'segment', argv[3])
  if resume >= 0 then
    redis.call('HSET', key, 'floor', text(resume))
  end
  redis.call('SADD', prefix .. ':cameras', camera)
  return { previous, text((tonumber(row[3]) or -1) + 1) }
end

-- ARGV: camera, session token, largest inline payload, then per frame: frame_id, sequence, capability, priority,
-- traceparent, event, payload. Returns a status per frame: "ok", "duplicate" or "refused:<reason>".
local function publish(keys, argv)
  local prefix, camera, inline_max = keys[1], argv[1], tonumber(argv[3])
  local cache = {}
  local ledger = open_camera(prefix, camera, cache)
  if not ledger.known or ledger.session ~= argv[2] then
    return redis.error_reply('SUPERSEDED ' .. ledger.session)
  end
  local capture = prefix .. ':capture'
  local limit = math.max(ledger.highest, ledger.floor) + JUMP_MAX
  local before = ledger.highest
  local statuses = {}
  for at = 4, #argv, 7 do
    local sequence, capability, priority = tonumber(argv[at + 1]), argv[at + 2], tonumber(argv[at + 3])
    local status
    if argv[at] == '' then
      status = 'refused:frame_id'
    elseif not sequence or sequence < 0 or sequence > SEQUENCE_MAX or sequence % 1 ~= 0 then
      status = 'refused:sequence'
    elseif sequence > limit then
      status = 'refused:sequence_jump'
    elseif capability == '' or #capability > CAPABILITY_BYTES_MAX then
      status = 'refused:capability'
    elseif not priority or priority < 0 or priority > 10 or priority % 1 ~= 0 then
      status = 'refused:priority'
    else
      local segment, bit = place(ledger, sequence)
      local published = bitmap(ledger, 'published', segment)
      if is_complete(ledger, segment) or redis.call('SETBIT', published, bit, 1) == 1 then
        -- Counting it is a write: a WAIT behind it on this connection covers the first publish as well.
        count(ledger, 'duplicate_publishes')
        status = 'duplicate'
      else
        local number, payload, ref = text(sequence), argv[at + 6], ''
        if #payload > inline_max then
          ref = prefix .. ':payload:' .. camera .. ':' .. number
          redis.call('SET', ref, payload)
          payload = ''
        end
        local id = append(capture, {
          'frame_id', argv[at], 'camera_id', camera, 'sequence', number, 'capability', capability,
          'priority', text(priority), 'attempts', '0', 'traceparent', argv[at + 4], 'event', argv[at + 5],
          'payload', payload, 'ref', ref,
        })
        if id then
          count(ledger, 'published')
          ledger.highest = math.max(ledger.highest, sequence)
          status = 'ok'
        else
          redis.call('SETBIT', published, bit, 0)
          if ref ~= '' then
            redis.call('DEL', ref)
          end
          status = 'refused:capture'
        end
      end
    end
    statuses[#statuses + 1] = status
  end
  if ledger.highest > before then
    redis.call('HSET', ledger.key, 'highest', text(ledger.highest))
  end
  close_cameras(cache)
  return statuses
end

------------------------------------------------------------------------------------------------------------ the fence

-- Refuses an older epoch, installs a newer one (the closed record goes to the list of leaders). Returns an error reply,
-- or nil and whether this epoch has routed a frame already.
local function check_fence(prefix, term, index, node)
  local key = prefix .. ':fence'
  local row = redis.call('HMGET', key, 'term', 'index', 'node', 'first_us', 'last_us', 'frames')
  if row[1] then
    local have_term, have_index = tonumber(row[1]), tonumber(row[2])
    if have_term > term or (have_term == term and have_index > index) then
      return redis.error_reply('FENCED ' .. row[1] .. '.' .. row[2] .. ' ' .. row[3])
    end
    if have_term == term and have_index == index then
      if row[3] == ANY_NODE then
        redis.call('HSET', key, 'node', node)
      elseif node ~= ANY_NODE and row[3] ~= node then
        return redis.error_reply('FENCED ' .. row[1] .. '.' .. row[2] .. ' ' .. row[3])
      end
      return nil, row[4] ~= '0'
    end
    -- Written by hand: cjson would round the microseconds.
    redis.call('LPUSH', prefix .. ':leaders', string.format(
      '{"term":%s,"index":%s,"node":%s,"first_us":%s,"last_us":%s,"frames":%s}',
      row[1], row[2], cjson.encode(row[3]), row[4], row[5], row[6]))
    redis.call('LTRIM', prefix .. ':leaders', 0, LEADERS_KEPT - 1)
  end
  redis.call('HSET', key, 'term', text(term), 'index', text(index), 'node', node,
    'first_us', '0', 'last_us', '0', 'frames', '0')
  return nil, false
end

local function stamp(prefix, started, frames)
  local key, now = prefix .. ':fence', redis.call('TIME')
  local micros = text(tonumber(now[1]) * 1000000 + tonumber(now[2]))
  if started then
    redis.call('HSET', key, 'last_us', micros)
  else
    redis.call('HSET', key, 'first_us', micros, 'last_us', micros)
  end
  redis.call('HINCRBY', key, 'frames', frames)
end

-- ARGV: term, index, node.
local function fence(keys, argv)
  local refused = check_fence(keys[1], tonumber(argv[1]), tonumber(argv[2]), argv[3])
  if refused then
    return refused
  end
  read_group(keys[1] .. ':capture', CAPTURE_GROUP, argv[3], 1, '0') -- creates the group when it is missing
  return redis.status_reply('OK')
end

---------------------------------------------------------------------------------------------------------- the router

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

-- The lanes, starting one further each time, so that no lane eats the whole budget for ever.
local function lanes_in_turn(prefix)
  local names = redis.call('SMEMBERS', prefix .. ':lanes')
  if #names < 2 then
    return names
  end
  table.sort(names)
  local start = redis.call('HINCRBY', prefix .. ':rotation', ':lanes', 1) % #names
  local turned = {}
  for at = 1, #names do
    turned[at] = names[(start + at - 1) % #names + 1]
  end
  return turned
end

-- ARGV: term, index, node, limit, claim ("1": also take over what another leader left pending), routing table (msgpack).
-- Returns a msgpack array, see DispatchReport.
local function dispatch(keys, argv)
  local prefix, node, limit = keys[1], argv[3], tonumber(argv[4])
  local refused, started = check_fence(prefix, tonumber(argv[1]), tonumber(argv[2]), node)
  if refused then
    return refused
  end
  local router = new_router(prefix, argv[6])
  local capture = prefix .. ':capture'
  local moved, drained, read = 0, 0, 0
  local routed, routed_at, parked, parked_at, waiting = {}, {}, {}, {}, {}

  local function note_routed(processor, fields)
    local name = processor.id .. '\0' .. fields[CAMERA]
    local row = routed_at[name]
    if not row then
      row = { processor.id, fields[CAMERA], 0 }
      routed_at[name] = row
      routed[#routed + 1] = row
      redis.call('SADD', prefix .. ':queues', processor.id)
    end
    row[3] = row[3] + 1
    moved = moved + 1
  end

  -- Lanes first: their frames are older. A quarter of the limit is kept for capture, whose capabilities may be others.
  local budget = limit - math.floor(limit / 4)
  for _, capability in ipairs(lanes_in_turn(prefix)) do
    waiting[capability] = true
    local lane = stream_key(prefix, 'lane', capability)
    local take = math.min(budget, free_capacity(router, capability))
    if take > 0 then
      for _, entry in ipairs(redis.call('XRANGE', lane, '-', '+', 'COUNT', take)) do
        local processor = route(router, entry[2])
        if not processor then
          break
        end
        redis.call('XDEL', lane, entry[1])
        note_routed(processor, entry[2])
        drained = drained + 1
        budget = budget - 1
      end
      if redis.call('XLEN', lane) == 0 then
        redis.call('DEL', lane)
        redis.call('SREM', prefix .. ':lanes', capability)
        waiting[capability] = nil
      end
    end
  end

  local function move(entries)
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      local capability = fields[CAPABILITY]
      local processor = not waiting[capability] and route(router, fields)
      local kept = true
      if processor then
        note_routed(processor, fields)
      elseif park(prefix, capability, fields) then
        waiting[capability] = true
        local row = parked_at[capability]
        if not row then
          row = { capability, 0 }
          parked_at[capability] = row
          parked[#parked + 1] = row
        end
        row[2] = row[2] + 1
      else
        kept = false -- stays pending, for the next claim
      end
      if kept then
        redis.call('XACK', capture, CAPTURE_GROUP, entry[1])
        redis.call('XDEL', capture, entry[1])
      end
    end
    read = read + #entries
  end

  local left = limit - drained
  if argv[5] == '1' then
    local claimed = redis.pcall('XAUTOCLAIM', capture, CAPTURE_GROUP, node, 0, '0-0', 'COUNT', left)
    if not claimed.err then
      move(claimed[2])
    end
  end
  local full = read >= left
  if not full then
    local want = left - read
    local entries, failed = read_group(capture, CAPTURE_GROUP, node, want, '>')
    if failed then
      return failed
    end
    move(entries)
    full = #entries >= want
  end

  save_rotation(router)
  if moved > 0 then
    stamp(prefix, started, moved)
  end

  local depths, last_capture, last_wake, in_lanes = {}, '0-0', '0-0', 0
  for at, processor in ipairs(router.rows) do
    depths[at] = { processor.id, processor.outstanding == math.huge and 0 or processor.outstanding }
  end
  local more = full and redis.call('XLEN', capture) > 0
  for capability in pairs(waiting) do
    in_lanes = in_lanes + redis.call('XLEN', stream_key(prefix, 'lane', capability))
    more = more or free_capacity(router, capability) > 0
  end
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', capture)) do
    if group[2] == CAPTURE_GROUP then
      last_capture = group[8]
    end
  end
  local woken = redis.call('XREVRANGE', prefix .. ':wake', '+', '-', 'COUNT', 1)
  if #woken > 0 then
    last_wake = woken[1][1]
  end
  return cmsgpack.pack({ read, drained, routed, parked, depths, in_lanes, more, last_capture, last_wake })
end

-- ARGV: term, index, node, processor, limit. Frames of its queue, taken ones included, go back to their lanes.
-- Returns {moved, left}.
local function give_back(keys, argv)
  local prefix, processor = keys[1], argv[4]
  local refused = check_fence(prefix, tonumber(argv[1]), tonumber(argv[2]), argv[3])
  if refused then
    return refused
  end
  local key, moved = stream_key(prefix, 'ready', processor), 0
  for _, entry in ipairs(redis.call('XRANGE', key, '-', '+', 'COUNT', argv[5])) do
    if park(prefix, entry[2][CAPABILITY], entry[2]) then
      redis.pcall('XACK', key, processor .. '-group', entry[1])
      redis.call('XDEL', key, entry[1])
      moved = moved + 1
    end
  end
  local left = redis.call('XLEN', key)
  if left == 0 then
    redis.call('DEL', key)
    redis.call('SREM', prefix .. ':queues', processor)
  end
  if moved > 0 then
    wake(prefix)
  end
  return { moved, left }
end

------------------------------------------------------------------------------------------------- take and settle

-- ARGV: processor, consumer, count, from (">" for new ones, an id for own pending ones after it), idle milliseconds after
-- which pending frames of its other consumers are claimed (-1: never). Returns per frame {entry id, 10 values, missing}.
local function take(keys, argv)
  local prefix, processor, consumer, wanted = keys[1], argv[1], argv[2], tonumber(argv[3])
  local key, group = stream_key(prefix, 'ready', processor), argv[1] .. '-group'
  local frames = {}

  local function hand_out(entries)
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      if not fields then
        redis.call('XACK', key, group, entry[1]) -- pending, but its entry is gone: nothing to hand out
      else
        local payload, missing = fields[PAYLOAD], 0
        if fields[REF] ~= '' then
          local stored = redis.pcall('GET', fields[REF])
          if type(stored) == 'string' then
            payload = stored
          else
            missing = 1
          end
        end
        frames[#frames + 1] = {
          entry[1], fields[FRAME_ID], fields[CAMERA], fields[SEQUENCE], fields[CAPABILITY], fields[PRIORITY],
          fields[ATTEMPTS], fields[TRACEPARENT], fields[EVENT], payload, missing,
        }
      end
    end
  end

  local idle = tonumber(argv[5])
  if idle >= 0 then
    local claimed = redis.pcall('XAUTOCLAIM', key, group, consumer, idle, '0-0', 'COUNT', wanted)
    if not claimed.err then
      hand_out(claimed[2])
    end
  end
  if #frames < wanted then
    local entries, failed = read_group(key, group, consumer, wanted - #frames, argv[4])
    if failed then
      return failed
    end
    hand_out(entries)
  end
  return frames
end

local function bury(prefix, processor, fields, attempts, reason)
  fields[ATTEMPTS] = text(attempts)
  local entry = { unpack(fields) }
  entry[#entry + 1] = 'processor_id'
  entry[#entry + 1] = processor
  entry[#entry + 1] = 'reason'
  entry[#entry + 1] = reason
  return append(prefix .. ':dead', entry)
end

-- ARGV: processor, consumer, attempts allowed, results kept, then per settlement: entry id, status, result, reason,
-- traceparent. Returns an outcome per settlement: "settled", "not-owner", "duplicate", "retry" or "dead".
local function settle(keys, argv)
  local prefix, processor, consumer = keys[1], argv[1], argv[2]
  local attempts_max, results_kept = tonumber(argv[3]), argv[4]
  local key, group = stream_key(prefix, 'ready', processor), argv[1] .. '-group'
  local results = prefix .. ':results'
  local cache, outcomes = {}, {}

  local function one(id, status, result, reason, traceparent)
    -- A malformed id, a queue that is gone and a frame that others hold all answer the same: it is not yours.
    local pending = redis.pcall('XPENDING', key, group, id, id, 1, consumer)
    if pending.err or #pending == 0 then
      return 'not-owner'
    end
    local entry = redis.call('XRANGE', key, id, id)[1]
    if not entry then
      redis.call('XACK', key, group, id)
      return 'not-owner'
    end
    local fields = entry[2]
    local sequence = tonumber(fields[SEQUENCE])
    local ledger = open_camera(prefix, fields[CAMERA], cache)
    local outcome
    if is_final(ledger, sequence) then
      count(ledger, 'duplicate_settles')
      outcome = 'duplicate'
    elseif status == 'ok' then
      if traceparent == '' then
        traceparent = fields[TRACEPARENT]
      end
      redis.call('XADD', results, 'MAXLEN', '~', results_kept, '*', 'frame_id', fields[FRAME_ID],
        'camera_id', fields[CAMERA], 'sequence', fields[SEQUENCE], 'processor_id', processor,
        'traceparent', traceparent, 'result', result)
      outcome = 'settled'
    else
      local attempts = tonumber(fields[ATTEMPTS]) + 1
      if status == 'dead' or attempts >= attempts_max then
        if not bury(prefix, processor, fields, attempts, reason) then
          return 'not-owner'
        end
        outcome = 'dead'
      else
        fields[ATTEMPTS] = text(attempts)
        if not park(prefix, fields[CAPABILITY], fields) then
          return 'not-owner'
        end
        outcome = 'retry'
      end
    end
    redis.call('XACK', key, group, id)
    redis.call('XDEL', key, id)
    if outcome == 'settled' or outcome == 'dead' then
      set_final(ledger, sequence, outcome)
    end
    if outcome == 'settled' and fields[REF] ~= '' then
      redis.call('UNLINK', fields[REF])
    end
    return outcome
  end

  for at = 5, #argv, 5 do
    outcomes[#outcomes + 1] = one(argv[at], argv[at + 1], argv[at + 2], argv[at + 3], argv[at + 4])
  end
  close_cameras(cache)
  if redis.call('EXISTS', prefix .. ':lanes') == 1 then
    wake(prefix) -- capacity became free, or a frame came back, while frames wait
  end
  return outcomes
end

------------------------------------------------------------------------------------------------ looking, not touching

local function numbers(row)
  local out = {}
  for at = 1, #row do
    out[at] = tonumber(row[at] or '0') or 0
  end
  return out
end

-- ARGV: how many closed leaders. Returns a msgpack array, see FrameStreams.stats.
local function stats(keys, argv)
  local prefix = keys[1]
  local lanes, ready, cameras, capture_pending = {}, {}, {}, 0
  for at, capability in ipairs(redis.call('SMEMBERS', prefix .. ':lanes')) do
    lanes[at] = { capability, redis.call('XLEN', stream_key(prefix, 'lane', capability)) }
  end
  for at, processor in ipairs(redis.call('SMEMBERS', prefix .. ':queues')) do
    local key, pending = stream_key(prefix, 'ready', processor), 0
    local summary = redis.pcall('XPENDING', key, processor .. '-group')
    if not summary.err then
      pending = summary[1]
    end
    ready[at] = { processor, redis.call('XLEN', key), pending }
  end
  for at, camera in ipairs(redis.call('SMEMBERS', prefix .. ':cameras')) do
    local key = stream_key(prefix, 'ledger', camera)
    cameras[at] = {
      camera,
      redis.call('HGET', key, 'session') or '',
      tonumber(redis.call('HGET', key, 'highest') or '-1'),
      numbers(redis.call('HMGET', key, 'published', 'settled', 'dead', 'dropped', 'duplicate_publishes',
        'duplicate_settles')),
    }
  end
  local capture = prefix .. ':capture'
  local summary = redis.pcall('XPENDING', capture, CAPTURE_GROUP)
  if not summary.err then
    capture_pending = summary[1]
  end
  local results_added, info = 0, redis.pcall('XINFO', 'STREAM', prefix .. ':results')
  for at = 1, #info, 2 do
    if info[at] == 'entries-added' then
      results_added = info[at + 1]
    end
  end
  local row = redis.call('HMGET', prefix .. ':fence', 'term', 'index', 'first_us', 'last_us', 'frames')
  return cmsgpack.pack({
    redis.call('XLEN', capture), capture_pending, lanes, ready,
    redis.call('XLEN', prefix .. ':results'), results_added, redis.call('XLEN', prefix .. ':dead'), cameras,
    row[1] and redis.call('HGET', prefix .. ':fence', 'node') or '', numbers(row),
    redis.call('LRANGE', prefix .. ':leaders', 0, tonumber(argv[1]) - 1),
  })
end

-- ARGV: camera. Returns {segment size, watermark, highest, published bits, final bits, live segments...}: what the
-- bitmaps say, to be held against the counters returned with them.
local function ledger(keys, argv)
  local camera = open_camera(keys[1], argv[1], {})
  local counters = numbers(redis.call('HMGET', camera.key, 'published', 'settled', 'dead', 'dropped'))
  local complete = camera.complete + redis.call('SCARD', camera.key .. ':complete')
  local published, final = complete * camera.size, complete * camera.size
  local live = {}
  for segment = camera.complete, math.floor(camera.highest / camera.size) do
    if not is_complete(camera, segment) then
      published = published + redis.call('BITCOUNT', bitmap(camera, 'published', segment))
      final = final + redis.call('BITCOUNT', bitmap(camera, 'final', segment))
      live[#live + 1] = segment
    end
  end
  return cmsgpack.pack({ camera.size, camera.complete, camera.highest, counters, published, final, live })
end

-- ARGV: camera, segment. Returns {complete, published bitmap, final bitmap} of one instant.
local function bits(keys, argv)
  local camera, segment = open_camera(keys[1], argv[1], {}), tonumber(argv[2])
  if is_complete(camera, segment) then
    return { 1, '', '' }
  end
  return {
    0,
    redis.call('GET', bitmap(camera, 'published', segment)) or '',
    redis.call('GET', bitmap(camera, 'final', segment)) or '',
  }
end

-- ARGV: stream (without the prefix), start ("-" or "(" and an id), count. Returns {id, camera, sequence, ...}, flat:
-- the frames of a page without their bytes.
local function scan(keys, argv)
  local out = {}
  for _, entry in ipairs(redis.call('XRANGE', keys[1] .. ':' .. argv[1], argv[2], '+', 'COUNT', argv[3])) do
    out[#out + 1] = entry[1]
    out[#out + 1] = entry[2][CAMERA]
    out[#out + 1] = entry[2][SEQUENCE]
  end
  return out
end

redis.register_function('triarch_v1_open', open)
redis.register_function('triarch_v1_publish', publish)
redis.register_function('triarch_v1_fence', fence)
redis.register_function('triarch_v1_dispatch', dispatch)
redis.register_function('triarch_v1_return', give_back)
redis.register_function('triarch_v1_take', take)
redis.register_function('triarch_v1_settle', settle)
redis.register_function { function_name = 'triarch_v1_stats', callback = stats, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_ledger', callback = ledger, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_bits', callback = bits, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_scan', callback = scan, flags = { 'no-writes' } }
