-- The processor's calls: take and settle.

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
      elseif not is_frame(prefix, fields) then
        if set_aside(prefix, fields, 'malformed') then
          redis.call('XACK', key, group, entry[1])
          redis.call('XDEL', key, entry[1])
        end
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
  if not attempts_max or not tonumber(results_kept) or #argv % 5 ~= 4 then
    return redis.error_reply('ERR wrong number of arguments')
  end
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
    local sound = is_frame(prefix, fields)
    local sequence = sound and tonumber(fields[SEQUENCE])
    local ledger = sound and open_camera(prefix, fields[CAMERA], cache)
    local outcome
    if not sound or not is_published(ledger, sequence) then
      -- It never went through `publish`: a result of it would be one that no ledger owes.
      set_aside(prefix, fields, sound and 'not_published' or 'malformed')
      outcome = 'not-owner'
    elseif is_final(ledger, sequence) then
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

  local failed
  for at = 5, #argv, 5 do
    local fine, outcome = pcall(one, argv[at], argv[at + 1], argv[at + 2], argv[at + 3], argv[at + 4])
    if not fine then
      failed = outcome
      break
    end
    outcomes[#outcomes + 1] = outcome
  end
  close_cameras(cache) -- also after a failure: the frames before it are final
  if failed then
    return type(failed) == 'table' and failed or redis.error_reply('ERR ' .. failed)
  end
  if redis.call('EXISTS', prefix .. ':lanes') == 1 then
    wake(prefix) -- capacity became free, or a frame came back, while frames wait
  end
  return outcomes
end
