-- The operator's calls about dead frames: replay and forget.

local function dead_frame(prefix, fields)
  local own = { unpack(fields, 1, 6) }
  return #fields == 12 and parse(prefix, own) or nil
end

-- ARGV: ids of entries of the dead. Each goes back to its lane as if it had never failed. Returns an outcome per id:
-- "replayed", "not-found" or "refused".
local function replay(keys, argv)
  local prefix = keys[1]
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  local dead, ledgers, outcomes, replayed = prefix .. ':dead', new_ledgers(prefix), {}, 0

  local function one(id)
    local reply = redis.pcall('XRANGE', dead, id, id)
    local entry = not reply.err and reply[1]
    if not entry then
      return 'not-found'
    end
    local frame = dead_frame(prefix, entry[2])
    if not frame then
      return 'refused'
    end
    local ledger = ledger_of(ledgers, frame.camera)
    local published, final = state_of(ledger, frame.number)
    frame.attempts = 0
    rehead(frame)
    if not published or not park(prefix, frame) then
      return 'refused'
    end
    if final and not is_replayed(ledger, frame.number) then
      redis.call('SADD', ledger.key .. ':replayed', frame.sequence)
      count(ledger, REPLAYING)
      count(ledger, DEAD, -1)
    else
      count(ledger, SURPLUS) -- a part whose frame has others under way
    end
    if frame.parts ~= '1' then
      redis.call('HSET', parts_key(prefix, frame.camera, frame.sequence), frame.capability, 'waiting')
    end
    tell(prefix, frame, '', 'replayed', '')
    redis.call('XDEL', dead, id)
    redis.call('DECR', prefix .. ':dead_owed')
    replayed = replayed + 1
    return 'replayed'
  end

  local failed
  for at, id in ipairs(argv) do
    local fine, outcome = pcall(one, id)
    if not fine then
      failed = outcome
      break
    end
    outcomes[at] = outcome
  end
  close_ledgers(ledgers)
  if replayed > 0 then
    wake(prefix)
  end
  if failed then
    return type(failed) == 'table' and failed or redis.error_reply('ERR ' .. tostring(failed))
  end
  return outcomes
end

-- ARGV: ids of entries of the dead. Their bytes are deleted; the ledger keeps that they died. Returns an outcome per id:
-- "dropped" or "not-found".
local function forget(keys, argv)
  local prefix, outcomes = keys[1], {}
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  for at, id in ipairs(argv) do
    local reply = redis.pcall('XRANGE', prefix .. ':dead', id, id)
    local entry = not reply.err and reply[1]
    outcomes[at] = entry and 'dropped' or 'not-found'
    if entry then
      local frame, needed = dead_frame(prefix, entry[2]), false
      if frame then
        if frame.parts ~= '1' then
          local key = parts_key(prefix, frame.camera, frame.sequence)
          redis.call('HSET', key, frame.capability, 'forgotten')
          for _, state in ipairs(redis.call('HVALS', key)) do
            needed = needed or state == 'waiting' or state == 'dead'
          end
          if not needed then
            redis.call('DEL', key)
          end
        end
        if not needed and frame.fields[CARRIER] == 'ref' then
          redis.call('UNLINK', frame.fields[CARRIED])
        end
        tell(prefix, frame, '', 'forgotten', '')
      end
      redis.call('XDEL', prefix .. ':dead', id)
      redis.call('DECR', prefix .. ':dead_owed')
    end
  end
  return outcomes
end
