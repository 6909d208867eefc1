-- Looking, not touching.

local function numbers(row)
  local out = {}
  for at = 1, #row do
    out[at] = tonumber(row[at] or '0') or 0
  end
  return out
end

-- A place's streams as rows {name without the prefix, entries, milliseconds at which its oldest was published}.
local function streams_of(prefix, base, rows)
  local total = 0
  for _, level in ipairs(levels_of(base)) do
    local key = level_key(base, level)
    local length = redis.pcall('XLEN', key)
    if type(length) == 'number' and length > 0 then
      rows[#rows + 1] = { string.sub(key, #prefix + 2), length, head_ms(key) or 0 }
      total = total + length
    end
  end
  return total
end

-- ARGV: how many closed leaders. Returns a msgpack array, see FrameStreams.stats.
local function stats(keys, argv)
  local prefix = keys[1]
  local lanes, ready, cameras, streams = {}, {}, {}, {}
  local capture_pending = pending_number(prefix .. ':capture', CAPTURE_GROUP)
  local in_capture = streams_of(prefix, prefix .. ':capture', streams)
  for at, capability in ipairs(redis.call('SMEMBERS', prefix .. ':lanes')) do
    lanes[at] = { capability, streams_of(prefix, stream_key(prefix, 'lane', capability), streams) }
  end
  for at, processor in ipairs(redis.call('SMEMBERS', prefix .. ':queues')) do
    local base, pending = stream_key(prefix, 'ready', processor), 0
    for _, level in ipairs(levels_of(base)) do
      pending = pending + pending_number(level_key(base, level), processor .. '-group')
    end
    ready[at] = { processor, streams_of(prefix, base, streams), pending }
  end
  local records = redis.call('HGETALL', prefix .. ':ledger')
  for at = 1, #records, 2 do
    local row, drops = cmsgpack.unpack(records[at + 1]), {}
    if row[DROPPED] > 0 then
      local found = redis.call('HGETALL', stream_key(prefix, 'ledger', records[at]) .. ':drops')
      for pair = 1, #found, 2 do
        drops[#drops + 1] = { found[pair], tonumber(found[pair + 1]) }
      end
    end
    local session = redis.call('HGET', prefix .. ':sessions', records[at]) or ' '
    cameras[#cameras + 1] = { records[at], string.match(session, '^[^ ]*'), row[HIGHEST], {
      row[PUBLISHED], row[SETTLED], row[DEAD], row[DROPPED], row[REPUBLISHED], row[RESETTLED], row[RESULTS], row[SURPLUS],
    }, drops }
  end
  local results_added, info = 0, redis.pcall('XINFO', 'STREAM', prefix .. ':results')
  for at = 1, #info, 2 do
    if info[at] == 'entries-added' then
      results_added = info[at + 1]
    end
  end
  local row = redis.call('HMGET', prefix .. ':fence', 'term', 'index', 'first_us', 'last_us', 'frames')
  return cmsgpack.pack({
    in_capture, capture_pending, lanes, ready,
    redis.call('XLEN', prefix .. ':results'), results_added, redis.call('XLEN', prefix .. ':dead'), cameras,
    row[1] and redis.call('HGET', prefix .. ':fence', 'node') or '', numbers(row),
    redis.call('LRANGE', prefix .. ':leaders', 0, tonumber(argv[1]) - 1),
    streams, tonumber(string.match(redis.call('GET', prefix .. ':pressure') or '0', '^%d')) or 0, now_ms(),
    tonumber(redis.call('GET', prefix .. ':dead_owed') or '0') or 0,
  })
end

-- ARGV: camera. Returns {msgpack of [segment size, watermark, highest, published, settled, dead, dropped, completed
-- segments, replaying, live segments, contiguous, finals], and of each live segment the final bits and the ragged ones}: what the
-- bits say, of the same instant.
local function ledger(keys, argv)
  local camera = ledger_of(new_ledgers(keys[1]), argv[1])
  local row, live, out = camera.row, {}, {}
  for segment = row[COMPLETE], math.floor(row[HIGHEST] / row[SEGMENT]) do
    if not is_complete(camera, segment) then
      local key = segment_key(camera, segment)
      live[#live + 1] = segment
      out[2 * #live] = redis.call('GET', key) or ''
      out[2 * #live + 1] = redis.call('GET', key .. ':p') or ''
    end
  end
  out[1] = cmsgpack.pack({
    row[SEGMENT], row[COMPLETE], row[HIGHEST], { row[PUBLISHED], row[SETTLED], row[DEAD], row[DROPPED] },
    row[COMPLETE] + row[SCATTERED], row[REPLAYING], live, row[CONTIGUOUS], row[FINALS],
  })
  return out
end

-- ARGV: camera, segment. Returns {complete, contiguous, finals, final bits, ragged bits}.
local function bits(keys, argv)
  local camera, segment = ledger_of(new_ledgers(keys[1]), argv[1]), tonumber(argv[2])
  if is_complete(camera, segment) then
    return { 1, '-1', '-1', '', '' }
  end
  local key = segment_key(camera, segment)
  return {
    0, text(camera.row[CONTIGUOUS]), text(camera.row[FINALS]),
    redis.call('GET', key) or '', redis.call('GET', key .. ':p') or '',
  }
end

-- ARGV: camera. The dead frames that are under way again.
local function replaying(keys, argv)
  return redis.call('SMEMBERS', stream_key(keys[1], 'ledger', argv[1]) .. ':replayed')
end

-- ARGV: stream (without the prefix), start ("-" or "(" and an id), count. Returns {id, camera, sequence, part, ms, ...},
-- flat: the frames of a page without their bytes; `part` is the capability where the frame is one of several parts, `ms`
-- when it was published. What is not a frame has no camera and sequence -1.
local function scan(keys, argv)
  local out = {}
  for _, entry in ipairs(redis.call('XRANGE', keys[1] .. ':' .. argv[1], argv[2], '+', 'COUNT', argv[3])) do
    local id, camera, sequence, capability, _, _, published, parts
    if entry[2][1] == 'frame' then
      id, camera, sequence, capability, _, _, published, parts = string.match(entry[2][HEAD], HEAD_PATTERN)
    end
    local sound = id and is_name(camera) and is_count(sequence)
    out[#out + 1] = entry[1]
    out[#out + 1] = sound and camera or ''
    out[#out + 1] = sound and sequence or '-1'
    out[#out + 1] = sound and parts ~= '1' and capability or ''
    out[#out + 1] = sound and published or '0'
  end
  return out
end

-- ARGV: camera, sequence, ...: which of these frames are published, not final, and in no stream, all at one instant.
-- Returns camera, sequence, ..., flat. Looks through everything that is in flight: for a few suspects only.
local function missing(keys, argv)
  local prefix, wanted, out = keys[1], {}, {}
  local ledgers = new_ledgers(prefix)
  for at = 1, #argv, 2 do
    local ledger, sequence = ledger_of(ledgers, argv[at]), tonumber(argv[at + 1])
    local published, final = state_of(ledger, sequence)
    if published and (not final or is_replayed(ledger, sequence)) then
      wanted[argv[at] .. ' ' .. text(sequence)] = { argv[at], text(sequence) }
    end
  end
  local bases = { prefix .. ':capture' }
  for _, capability in ipairs(redis.call('SMEMBERS', prefix .. ':lanes')) do
    bases[#bases + 1] = stream_key(prefix, 'lane', capability)
  end
  for _, processor in ipairs(redis.call('SMEMBERS', prefix .. ':queues')) do
    bases[#bases + 1] = stream_key(prefix, 'ready', processor)
  end
  for _, base in ipairs(bases) do
    for _, level in ipairs(levels_of(base)) do
      local from = '-'
      while from do
        local page = redis.call('XRANGE', level_key(base, level), from, '+', 'COUNT', 512)
        for _, entry in ipairs(page) do
          local camera, sequence = string.match(entry[2][HEAD] or '', '^%S+ (%S+) (%d+) ')
          if camera then
            wanted[camera .. ' ' .. sequence] = nil
          end
        end
        from = #page == 512 and '(' .. page[512][1] or nil
      end
    end
  end
  for _, frame in pairs(wanted) do
    out[#out + 1] = frame[1]
    out[#out + 1] = frame[2]
  end
  return out
end
