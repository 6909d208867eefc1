-- Looking, not touching.

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
-- the frames of a page without their bytes. What is not a frame has no camera and sequence -1.
local function scan(keys, argv)
  local out = {}
  for _, entry in ipairs(redis.call('XRANGE', keys[1] .. ':' .. argv[1], argv[2], '+', 'COUNT', argv[3])) do
    local camera, sequence = entry[2][CAMERA] or '', entry[2][SEQUENCE] or ''
    local sound = is_name(camera) and is_count(sequence)
    out[#out + 1] = entry[1]
    out[#out + 1] = sound and camera or ''
    out[#out + 1] = sound and sequence or '-1'
  end
  return out
end
