-- Routing while publishing.
--
-- The leader lends its table to the server for a second at a time, with each call of `dispatch`. Meanwhile `publish` puts a
-- frame straight into the queue that `dispatch` would choose, where nothing waits that would have to go first: that saves
-- a frame the way through capture. It counts as routed by that leader, under its epoch, and a newer epoch ends it at once.

local LENT_MAX_MS = 10000 -- whoever is lent a table for longer has seen the clock jump
local CROWD_SHARE, CROWD_WAKE_MS = 0.5, 50 -- from this usage on the leader hears of it so often, for backpressure
local directly = {} -- by prefix: {counts, when the leader was woken}; goes into reports and wake-ups only

-- Lets `publish` route by this table for so many milliseconds from now; 0: not any more. `before`: the table until now.
local function lend(prefix, known, blob, ms, traced, before)
  local key = prefix .. ':fence'
  if ms <= 0 or #known.names == 0 then
    if before then
      redis.call('HDEL', key, 'direct_until', 'direct_table', 'direct_traced')
    end
    return
  end
  if before ~= known.name then
    redis.call('SET', prefix .. ':table', blob)
  end
  redis.call('HSET', key, 'direct_until', text(now_ms() + ms), 'direct_table', known.name,
    'direct_traced', traced and '1' or '0')
end

-- A router for `publish`; nil while there is no table to route by, frames wait in capture, or all processors are full.
local function lent_router(prefix, now)
  local row = redis.call('HMGET', prefix .. ':fence', 'direct_until', 'direct_table', 'direct_traced', 'term', 'index',
    'node', 'first_us')
  local left = row[1] and row[2] and tonumber(row[1]) - now
  if not left or left <= 0 or left > LENT_MAX_MS then
    return nil
  end
  local capture = prefix .. ':capture'
  if redis.call('EXISTS', capture .. ':levels') == 1 or redis.pcall('XLEN', capture) ~= 0 then
    return nil
  end
  local known = tables[prefix]
  if not known or known.name ~= row[2] then
    local blob = redis.call('GET', prefix .. ':table')
    known = blob and redis.sha1hex(blob) == row[2] and table_of(prefix, blob)
    if not known then
      redis.call('HDEL', prefix .. ':fence', 'direct_table') -- the next call of `dispatch` writes it again
      return nil
    end
  end
  local router = router_of(prefix, known)
  if router.free <= 0 then
    return nil
  end
  router.term, router.index, router.node, router.started = tonumber(row[4]), tonumber(row[5]), row[6], row[7] ~= '0'
  router.sampled, router.traced = row[3] == '1' and {} or nil, row[3] == '1'
  router.lanes = redis.call('EXISTS', prefix .. ':lanes') == 1 and {} or nil
  router.story, router.now = {}, now
  router.seen = directly[prefix] or { counts = {}, woken = 0 }
  return router
end

-- Puts the frame into a queue; false where it has to go to capture: others of its capability wait, or none has room.
local function route_directly(router, frame)
  local lanes, capability = router.lanes, frame.capability
  if lanes then
    if lanes[capability] == nil then
      lanes[capability] = redis.call('SISMEMBER', router.prefix .. ':lanes', capability) == 1
    end
    if lanes[capability] then
      return false
    end
  end
  local processor = route(router, frame)
  if not processor then
    return false
  end
  local seen = router.seen
  if processor.seen ~= seen then
    processor.seen, processor.counts = seen, {}
    seen.counts[processor.id] = processor.counts
  end
  local counts = processor.counts
  counts[frame.camera] = (counts[frame.camera] or 0) + 1
  local story = router.story
  local at = #story
  story[at + 1], story[at + 2], story[at + 3] = frame.camera, frame.number, capability
  story[at + 4], story[at + 5], story[at + 6] = frame.attempts, processor.id, processor.outstanding - 1
  return true
end

-- What a call that routed tells for `frames trace`.
local function tell_routed(router, term, index, node, story)
  local candidates = {}
  for capability, choice in pairs(router.choices) do
    candidates[#candidates + 1] = capability
    candidates[#candidates + 1] = choice.candidates
  end
  redis.call('XADD', router.prefix .. ':story', 'MAXLEN', '~', STORY_KEPT, '*', 'dispatch', cmsgpack.pack({
    term, index, node, router.strategy, candidates, story,
  }))
end

-- Remembers the queues that a call put something into.
local function remember_queues(router)
  for _, processor in ipairs(router.touched) do
    if not processor.queued then
      redis.call('SADD', router.prefix .. ':queues', processor.id)
      processor.queued = true
    end
  end
end

-- Keeps what is sampled until the leader's spans of it are exported: if the leader dies first, the next one makes them.
local SAMPLED_KEPT = 1000
local function keep_sampled(prefix, node, sampled)
  local routes = cmsgpack.pack({ node, sampled })
  return redis.call('XADD', prefix .. ':sampled', 'MAXLEN', '~', SAMPLED_KEPT, '*', 'routes', routes)
end

-- Writes back what the call has routed directly. Call it also after a failure.
local function close_lent(router)
  local prefix, moved = router.prefix, #router.story / 6
  close_router(router)
  if moved == 0 then
    return
  end
  stamp(prefix, router.started, moved)
  tell_routed(router, router.term, router.index, router.node, router.story)
  local sampled = router.traced and #router.sampled > 0
  if sampled then
    keep_sampled(prefix, router.node, router.sampled)
  end
  remember_queues(router)
  local seen = router.seen
  directly[prefix] = seen
  local crowded = router.outstanding >= router.capacity * CROWD_SHARE
  if sampled or (crowded and math.abs(router.now - seen.woken) >= CROWD_WAKE_MS) then
    seen.woken = router.now
    wake(prefix) -- to make spans, or to tell publishers
  end
end

-- What was routed directly since the last report, as packed rows {processor, camera, number} that are added to `rows`, so
-- that a thousand cameras are not a thousand tables; returns the number of rows, and the processors, as {id = true}. `lent`: the
-- table that was lent until now; without one what is remembered was of data that are gone.
local function report_direct(prefix, rows, lent)
  local seen, processors, number = directly[prefix], {}, 0
  if not seen then
    return number, processors
  elseif not lent then
    directly[prefix] = nil
    return number, processors
  end
  local at = #rows
  for processor, counts in pairs(seen.counts) do
    processors[processor] = true
    local head = array_head(3) .. cmsgpack.pack(processor)
    for camera, frames in pairs(counts) do
      rows[at + 1], rows[at + 2], rows[at + 3] = head, codes[camera] or code_of(camera), codes[frames] or code_of(frames)
      at, number = at + 3, number + 1
    end
  end
  directly[prefix] = next(processors) and { counts = {}, woken = seen.woken } or nil
  return number, processors
end
