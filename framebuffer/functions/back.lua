-- The leader's calls that bring frames back from processors: return and expire.

-- Moves entries of a queue back to their lanes; `failed` says of an id whether it counts as a failed attempt. Returns how
-- many moved, and how many of them to the dead.
local function bring_back(prefix, processor, entries, failed, attempts_max, reason)
  local ledgers, gone, moved, dead = new_ledgers(prefix), {}, 0, 0
  local fine, problem = pcall(function()
    for level, rows in pairs(entries) do
      gone[level] = {}
      for _, entry in ipairs(rows) do
        local frame, kept = parse(prefix, entry[2]), nil
        if not frame then
          kept = set_aside(prefix, entry[2], 'malformed')
        elseif not failed(level, entry[1]) then
          kept = park(prefix, frame, frame.attempts == 0) -- those that failed before let the others pass
        else
          local ledger = ledger_of(ledgers, frame.camera)
          local published, final = state_of(ledger, frame.number)
          if not published then
            kept = set_aside(prefix, frame.fields, 'not_published')
          elseif is_over(prefix, ledger, frame, final) then
            kept = true -- a copy of a frame that has its end
          else
            kept = fail(prefix, ledger, frame, final, processor, attempts_max, reason, false)
            dead = dead + (kept == 'dead' and 1 or 0)
          end
        end
        if kept then
          table.insert(gone[level], entry[1])
          moved = moved + 1
        end
      end
    end
  end)
  leave(prefix, processor, gone)
  close_ledgers(ledgers)
  if not fine then
    error(problem, 0)
  end
  return moved, dead
end

-- ARGV: term, index, processor, limit, attempts allowed. Frames of its queue go back to their lanes; those that were in
-- hand have failed once more. Returns {moved, left, dead}.
local function give_back(keys, argv)
  local prefix, processor, limit = keys[1], argv[3], tonumber(argv[4])
  local refused = refuse(prefix, argv, ANY_NODE)
  if refused then
    return refused
  end
  local base, group = stream_key(prefix, 'ready', processor), processor .. '-group'
  local entries, in_hand, levels = {}, {}, levels_of(base)
  for _, level in ipairs(levels) do
    local key = level_key(base, level)
    local rows = limit > 0 and redis.pcall('XRANGE', key, '-', '+', 'COUNT', limit) or {}
    limit = limit - #rows
    in_hand[level] = {}
    entries[level] = not rows.err and rows or nil -- of what is no stream, none
    if #rows > 0 then
      local pending = redis.pcall('XPENDING', key, group, rows[1][1], rows[#rows][1], #rows)
      for _, row in ipairs(pending.err and {} or pending) do
        in_hand[level][row[1]] = true
      end
    end
  end
  local moved, dead = bring_back(prefix, processor, entries, function(level, id)
    return in_hand[level][id]
  end, tonumber(argv[5]), 'processor_died')
  local left = length_of(base, levels)
  if left == 0 then
    if redis.call('TYPE', base).ok == 'stream' then
      redis.call('DEL', base)
    end
    redis.call('SREM', prefix .. ':queues', processor)
    disown_depths(prefix)
    redis.call('HDEL', prefix .. ':depths', processor)
    redis.call('HDEL', prefix .. ':rotation', base, base .. ':suspect')
  end
  if moved > 0 then
    wake(prefix)
  end
  return { moved, left, dead }
end

-- ARGV: term, index, processor, lease in milliseconds, limit, attempts allowed. Frames that a consumer has held for
-- longer without renewing go back, and have failed once more. Returns {moved, dead}.
local function expire(keys, argv)
  local prefix, processor, limit = keys[1], argv[3], tonumber(argv[5])
  local refused = refuse(prefix, argv, ANY_NODE)
  if refused then
    return refused
  end
  local base, group, entries, found = stream_key(prefix, 'ready', processor), processor .. '-group', {}, 0
  for _, level in ipairs(levels_of(base)) do
    local key = level_key(base, level)
    local pending = redis.pcall('XPENDING', key, group, 'IDLE', argv[4], '-', '+', limit)
    entries[level] = {}
    for _, row in ipairs(pending.err and {} or pending) do
      local entry = redis.call('XRANGE', key, row[1], row[1])[1]
      if entry then
        table.insert(entries[level], entry)
        found = found + 1
      else
        redis.call('XACK', key, group, row[1])
        if hands[prefix] then
          out_of_hand(hands[prefix], key, { row[1] })
        end
      end
    end
  end
  if found == 0 then
    return { 0, 0 }
  end
  local moved, dead = bring_back(prefix, processor, entries, function()
    return true
  end, tonumber(argv[6]), 'lease_expired')
  if moved > 0 then
    wake(prefix)
  end
  return { moved, dead }
end
