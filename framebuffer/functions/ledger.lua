-- The ledger: per camera a bit for each sequence that was published and for each that is final.

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
      scattered = redis.call('EXISTS', key .. ':complete') == 1,
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
  return ledger.scattered and redis.call('SISMEMBER', ledger.key .. ':complete', text(segment)) == 1
end

local function is_final(ledger, sequence)
  local segment, bit = place(ledger, sequence)
  return is_complete(ledger, segment) or redis.call('GETBIT', bitmap(ledger, 'final', segment), bit) == 1
end

local function is_published(ledger, sequence)
  local segment, bit = place(ledger, sequence)
  return is_complete(ledger, segment) or redis.call('GETBIT', bitmap(ledger, 'published', segment), bit) == 1
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
