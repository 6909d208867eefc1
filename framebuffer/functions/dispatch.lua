-- The leader's calls: dispatch and return.

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
  local moved, drained, read, malformed = 0, 0, 0, 0
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
        if is_frame(prefix, entry[2]) then
          local processor = route(router, entry[2])
          if not processor then
            break
          end
          note_routed(processor, entry[2])
        elseif set_aside(prefix, entry[2], 'malformed') then
          malformed = malformed + 1
        else
          break
        end
        redis.call('XDEL', lane, entry[1])
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
      local sound = is_frame(prefix, fields)
      local capability = fields[CAPABILITY]
      local processor = sound and not waiting[capability] and route(router, fields)
      local kept = true
      if not sound then
        kept = set_aside(prefix, fields, 'malformed')
        malformed = malformed + 1
      elseif processor then
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
  return cmsgpack.pack({ read, drained, routed, parked, depths, in_lanes, more, last_capture, last_wake, malformed })
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
    local kept
    if is_frame(prefix, entry[2]) then
      kept = park(prefix, entry[2][CAPABILITY], entry[2])
    else
      kept = set_aside(prefix, entry[2], 'malformed')
    end
    if kept then
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
