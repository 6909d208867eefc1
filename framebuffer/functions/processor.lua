-- The processor's calls: take, settle and renew.

-- An entry's handle is its id, with the level in front where that is not '0': "1764-0", "5:1764-0", "s:1764-0".
local function handle_of(level, id)
  return level == '0' and id or level .. ':' .. id
end

-- Level and id of a handle; what is no id is found to be nobody's later.
local function parse_handle(handle)
  local colon = string.find(handle, ':', 1, true)
  if not colon then
    return '0', handle
  end
  return string.sub(handle, 1, colon - 1), string.sub(handle, colon + 1)
end

-- Whatever is not a name would make a key of another's queue: "x:p5" is the fifth level of "x".
local function misnamed(processor, consumer)
  if not is_name(processor) or not is_name(consumer) then
    return redis.error_reply('ERR a processor and a consumer have names of at most 64 of A-Z a-z 0-9 . _ -')
  end
end

local function pending_number(key, group)
  local summary = redis.pcall('XPENDING', key, group)
  return summary.err and 0 or summary[1]
end

-- When the next undelivered frame of a queue's level was published; nil where there is none.
local function undelivered_ms(key, group)
  local from = '-'
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  for _, row in ipairs(groups.err and {} or groups) do
    if row[2] == group then
      from = '(' .. row[8]
    end
  end
  -- A level of another type holds up none of the others.
  local entry = redis.pcall('XRANGE', key, from, '+', 'COUNT', 1)[1]
  if not entry then
    return nil
  end
  return published_ms(entry)
end

-- The levels of a queue in the order in which they are to be read; nil when nothing may be taken now.
local function levels_to_take(prefix, base, group)
  local levels = levels_of(base)
  if #levels == 1 then
    return levels
  end
  local now, ranked, suspects, in_hand, oldest = now_ms(), {}, nil, 0, nil
  for _, level in ipairs(levels) do
    local key = level_key(base, level)
    local since = undelivered_ms(key, group)
    local pending = pending_number(key, group)
    in_hand = in_hand + pending
    if level == 's' then
      if pending > 0 then
        return nil -- a suspect is in hand: it stays alone
      end
      suspects = since and now - since
    elseif since then
      local one = { level = level, since = since, rank = tonumber(level) + (now - since) / AGEING_MS }
      ranked[#ranked + 1] = one
      if not oldest or since < oldest.since then
        oldest = one
      end
    end
  end
  local due = suspects and suspects > 1000 -- milliseconds
  if due and in_hand == 0 and #ranked > 0 then
    -- One suspect, then one take of the others, and so on: frames of a camera that always fail would starve all the rest.
    local turn = base .. ':suspect'
    if redis.call('HDEL', prefix .. ':rotation', turn) == 0 then
      redis.call('HSET', prefix .. ':rotation', turn, '1')
      return { 's' }
    end
  elseif suspects and in_hand == 0 and #ranked == 0 then
    return { 's' }
  elseif due and in_hand > 0 then
    return nil -- it has waited long enough: first what is in hand has to end
  end
  table.sort(ranked, function(a, b)
    return a.rank > b.rank
  end)
  if #ranked > 1 and redis.call('HINCRBY', prefix .. ':rotation', base, 1) % OLDEST_EVERY == 0 then
    return { oldest.level, one = true }
  end
  local order = {}
  for at, one in ipairs(ranked) do
    order[at] = one.level
  end
  return #order > 0 and order or { '0' }
end

-- Frames that were handed out, by queue and id: whoever settles them need not read them again. Of each what settling asks
-- for, {camera, number, parts, head} and, of few, {sequence, capability, ref}: the key of a payload that did not travel.
-- They are remembered in this server's memory, so a token in the data says whose memory is right: another server that
-- handed frames out since, or data that are gone, have another one.
local HAND_KEPT = 16384
local hands = {}
local function hand_of(prefix)
  local hand, token = hands[prefix], redis.pcall('GET', prefix .. ':hand')
  if not hand or hand.token ~= token then
    hand = { frames = {}, counts = {}, number = 0 }
    local now = redis.call('TIME')
    hand.token = now[1] .. ' ' .. now[2] .. ' ' .. string.gsub(tostring(hand), '^table: ', '')
    redis.call('SET', prefix .. ':hand', hand.token)
    hands[prefix] = hand
  end
  return hand
end

local function into_hand(hand, key, id, frame)
  if hand.number >= HAND_KEPT then
    hand.frames, hand.counts, hand.number = {}, {}, 0
  end
  local frames = hand.frames[key]
  if not frames then
    frames = {}
    hand.frames[key], hand.counts[key] = frames, 0
  end
  if not frames[id] then
    hand.number, hand.counts[key] = hand.number + 1, hand.counts[key] + 1
  end
  frames[id] = frame
end

local function out_of_hand(hand, key, ids)
  local frames, number = hand.frames[key], 0
  if not frames then
    return
  end
  for at = 1, #ids do
    local id = ids[at]
    if frames[id] then
      frames[id], number = nil, number + 1
    end
  end
  hand.number, hand.counts[key] = hand.number - number, hand.counts[key] - number
  if hand.counts[key] == 0 then
    hand.frames[key], hand.counts[key] = nil, nil
  end
end

-- ARGV: processor, consumer, count, from (">" for new ones, a handle for own pending ones after it), idle milliseconds
-- after which pending frames of its other consumers are claimed (-1: never). Returns per frame {handle, head, event,
-- payload}; the payload is nil when it is gone.
local function take(keys, argv)
  local prefix, processor, consumer, wanted = keys[1], argv[1], argv[2], tonumber(argv[3])
  local refused = too_old(prefix) or misnamed(processor, consumer)
  if refused then
    return refused
  end
  local base, group = stream_key(prefix, 'ready', processor), argv[1] .. '-group'
  local frames, hand = {}, hand_of(prefix)

  local function hand_out(level, entries)
    local key = level_key(base, level)
    for _, entry in ipairs(entries) do
      local fields = entry[2]
      local id, camera, sequence, number, capability, parts
      if fields then
        id, camera, sequence, number, capability, parts = checked(prefix, fields)
      end
      if not fields then
        redis.call('XACK', key, group, entry[1]) -- pending, but its entry is gone: nothing to hand out
        out_of_hand(hand, key, { entry[1] })
      elseif not id then
        if set_aside(prefix, fields, 'malformed') then
          redis.call('XACK', key, group, entry[1])
          redis.call('XDEL', key, entry[1])
        end
      else
        local payload, frame = fields[CARRIED], { camera = camera, number = number, parts = parts, head = fields[HEAD] }
        if fields[CARRIER] == 'ref' then
          frame.ref = payload
          local stored = redis.pcall('GET', payload)
          payload = type(stored) == 'string' and stored or false
        end
        if parts ~= '1' then
          frame.sequence, frame.capability = sequence, capability
        end
        frames[#frames + 1] = { handle_of(level, entry[1]), fields[HEAD], fields[EVENT], payload }
        into_hand(hand, key, entry[1], frame)
      end
    end
  end

  local idle = tonumber(argv[5])
  if idle >= 0 then
    for _, level in ipairs(levels_of(base)) do
      local claimed = redis.pcall('XAUTOCLAIM', level_key(base, level), group, consumer, idle, '0-0', 'COUNT', wanted)
      if not claimed.err then
        hand_out(level, claimed[2])
      end
    end
  end
  if argv[4] ~= '>' then
    -- Own pending ones: level after level, from the one that the handle names.
    local from_level, from_id = parse_handle(argv[4])
    local begun = argv[4] == '0' or argv[4] == '0-0'
    for _, level in ipairs(levels_of(base)) do
      begun = begun or level == from_level
      if begun and #frames < wanted then
        local from = level == from_level and from_id or '0'
        local entries, failed = read_group(level_key(base, level), group, consumer, wanted - #frames, from)
        if failed then
          return failed
        end
        hand_out(level, entries)
      end
    end
    return frames
  end
  local levels = #frames < wanted and levels_to_take(prefix, base, group) or {}
  if levels.one or levels[1] == 's' then
    wanted = #frames + 1
  end
  for _, level in ipairs(levels) do
    if #frames < wanted then
      local entries, failed = read_group(level_key(base, level), group, consumer, wanted - #frames, '>')
      if failed then
        return failed
      end
      hand_out(level, entries)
    end
  end
  return frames
end

local function bury(prefix, processor, frame, reason)
  rehead(frame)
  local entry = { unpack(frame.fields) }
  for _, value in ipairs({ 'processor_id', processor, 'reason', reason, 'dead_ms', text(now_ms()) }) do
    entry[#entry + 1] = value
  end
  if type(redis.pcall('XADD', prefix .. ':dead', '*', unpack(entry))) == 'table' then
    return false
  end
  redis.call('INCR', prefix .. ':dead_owed') -- so that one who trims the dead by hand is found out
  return true
end

-- A frame, or a part of one, has reached its end: "settled" or "dead". The ledger, the other parts and the payload.
local function finish(prefix, ledger, frame, outcome, final, number, mask)
  local sequence, over = frame.number, outcome == 'settled'
  if frame.parts ~= '1' then
    local key, waiting, dead, kept = parts_key(prefix, frame.camera, frame.sequence), 0, false, false
    redis.call('HSET', key, frame.capability, outcome)
    for _, state in ipairs(redis.call('HVALS', key)) do
      waiting = waiting + (state == 'waiting' and 1 or 0)
      dead = dead or state == 'dead' or state == 'forgotten'
      kept = kept or state == 'dead'
    end
    if waiting > 0 then
      count(ledger, SURPLUS, -1)
      return
    end
    outcome, over = dead and 'dead' or 'settled', not kept
    if over then
      redis.call('DEL', key)
    end
  end
  set_final(ledger, sequence, outcome == 'settled' and SETTLED or DEAD, final, number, mask)
  if over and frame.ref then
    redis.call('UNLINK', frame.ref)
  end
end

-- Whether this frame, or this part of it, has its end already.
local function is_over(prefix, ledger, frame, final)
  if final and not is_replayed(ledger, frame.number) then
    return true
  end
  return frame.parts ~= '1'
    and redis.call('HGET', parts_key(prefix, frame.camera, frame.sequence), frame.capability) ~= 'waiting'
end

-- One more attempt has failed: back to its lane, or to the dead after the last. Returns the outcome, nil when neither
-- can hold it.
local function fail(prefix, ledger, frame, final, processor, attempts_max, reason, at_once)
  frame.attempts = frame.attempts + 1
  if at_once or frame.attempts >= attempts_max then
    if not bury(prefix, processor, frame, reason) then
      return nil
    end
    finish(prefix, ledger, frame, 'dead', final)
    tell(prefix, frame, processor, 'dead', reason)
    return 'dead'
  end
  rehead(frame)
  if not park(prefix, frame) then
    return nil
  end
  tell(prefix, frame, processor, 'retry', reason)
  return 'retry'
end

-- The frames of a queue's level with these ids, as {id = fields}: by one range where they lie together, as they do when
-- they are given in the order in which they were taken.
local function entries_of(key, ids)
  local found = {}
  if #ids > 2 then
    for _, entry in ipairs(redis.call('XRANGE', key, ids[1], ids[#ids], 'COUNT', 2 * #ids)) do
      found[entry[1]] = entry[2]
    end
  end
  for _, id in ipairs(ids) do
    if not found[id] then
      local entry = redis.call('XRANGE', key, id, id)[1]
      found[id] = entry and entry[2]
    end
  end
  return found
end

-- The ids that the consumer holds, as {id = true}, and in order.
local function held(key, group, consumer, ids)
  local found, mine = {}, {}
  if #ids > 2 then
    local pending = redis.pcall('XPENDING', key, group, ids[1], ids[#ids], 2 * #ids, consumer)
    for _, row in ipairs(pending.err and {} or pending) do
      found[row[1]] = true
    end
  end
  for at, id in ipairs(ids) do
    if not found[id] then
      local pending = redis.pcall('XPENDING', key, group, id, id, 1, consumer)
      found[id] = not pending.err and pending[1] and pending[1][1] == id or nil
    end
    if found[id] then
      mine[#mine + 1] = id
    end
  end
  return found, mine
end

-- The same from what this server remembers, nil where that does not tell: all ids were handed out by it, the queue's pending
-- entries are as many as it handed out, and all of them this consumer's. One short reply in place of a row for each. Returns
-- them as {id = frame}.
local function held_by_memory(hand, key, group, consumer, ids)
  local frames = hand.frames[key]
  if not frames or #ids <= 4 then -- so few rows cost less
    return nil
  end
  local found = {}
  for at = 1, #ids do
    local id = ids[at]
    local frame = frames[id]
    if not frame then
      return nil
    end
    found[id] = frame
  end
  local summary = redis.pcall('XPENDING', key, group)
  local consumers = not summary.err and summary[1] == hand.counts[key] and summary[4]
  if not consumers or #consumers ~= 1 or consumers[1][1] ~= consumer then
    return nil
  end
  return found
end

-- Handles by level, as {level = ids}, and their levels and ids in order.
local function by_level(handles)
  local levels, level_at, id_at = {}, {}, {}
  local last, ids -- nearly all of a call are of one level
  for at = 1, #handles do
    local level, id = parse_handle(handles[at])
    if level ~= last then
      last, ids = level, levels[level] or {}
      levels[level] = ids
    end
    ids[#ids + 1] = id
    level_at[at], id_at[at] = level, id
  end
  return levels, level_at, id_at
end

-- Takes entries out of a queue: acknowledged, deleted, and no longer counted or remembered.
local function leave(prefix, processor, gone)
  local base, group, left = stream_key(prefix, 'ready', processor), processor .. '-group', 0
  local hand = hands[prefix]
  for level, ids in pairs(gone) do
    local key = level_key(base, level)
    many('XACK', key, { group }, ids)
    many('XDEL', key, {}, ids)
    left = left + #ids
    if hand then
      out_of_hand(hand, key, ids)
    end
    if level ~= '0' then
      tidy(base, level, false)
    end
  end
  if left > 0 then
    lower_depth(prefix, processor, left)
  end
  return left
end

-- ARGV: processor, consumer, attempts allowed, results kept, then per settlement: handle, status ("ok", "error", "dead"
-- or "release"), result or reason. Returns an outcome per settlement: "settled", "not-owner", "duplicate", "retry",
-- "dead" or "released"; "refused:status" for any other status: nothing was done, the frame is still its owner's.
local function settle(keys, argv)
  local prefix, processor, consumer = keys[1], argv[1], argv[2]
  local attempts_max, results_kept = tonumber(argv[3]), argv[4]
  if not attempts_max or not tonumber(results_kept) or #argv % 3 ~= 1 then
    return redis.error_reply('ERR wrong number of arguments')
  end
  local refused = too_old(prefix) or misnamed(processor, consumer)
  if refused then
    return refused
  end
  local base, group, results = stream_key(prefix, 'ready', processor), argv[1] .. '-group', prefix .. ':results'
  local ledgers, handles, outcomes, gone = new_ledgers(prefix), {}, {}, {}
  local hand, all_ok = hand_of(prefix), true
  for at = 5, #argv, 3 do
    handles[#handles + 1] = argv[at]
    all_ok = all_ok and argv[at + 1] == 'ok' -- what goes back or to the dead goes with its bytes
  end
  local levels, level_at, id_at = by_level(handles)
  local mine, frames, cameras = {}, {}, {}
  for level, ids in pairs(levels) do
    local key, owned, last = level_key(base, level), ids, nil
    local parsed = held_by_memory(hand, key, group, consumer, ids)
    if parsed then
      mine[level] = parsed
    else
      mine[level], owned = held(key, group, consumer, ids)
    end
    if not parsed or not all_ok then
      local known, unknown = all_ok and hand.frames[key] or {}, {}
      for _, id in ipairs(owned) do
        if not known[id] then
          unknown[#unknown + 1] = id
        end
      end
      local fields_of = entries_of(key, unknown)
      parsed = {}
      for _, id in ipairs(owned) do
        local fields = fields_of[id]
        parsed[id] = known[id] or fields and (parse(prefix, fields) or { malformed = fields })
      end
    end
    for at = 1, #owned do
      local frame = parsed[owned[at]]
      local camera = frame and frame.camera
      if camera and camera ~= last then
        cameras[#cameras + 1], last = camera, camera
      end
    end
    frames[level], gone[level] = parsed, {}
  end
  prefetch(ledgers, cameras)

  local trimmed = false
  local function one(level, id, status, body)
    -- A malformed id, a queue that is gone and a frame that others hold all answer the same: it is not yours.
    if not mine[level][id] then
      return 'not-owner'
    end
    local frame = frames[level][id]
    local outcome
    if not frame then
      outcome = 'not-owner' -- pending, but its entry is gone
    elseif frame.malformed then
      set_aside(prefix, frame.malformed, 'malformed')
      outcome = 'not-owner'
    else
      local ledger = ledgers.open[frame.camera] or ledger_of(ledgers, frame.camera)
      local published, final, number, mask = state_of(ledger, frame.number)
      if not published then
        -- It never went through `publish`: a result of it would be one that no ledger owes.
        local fields = frame.fields or entries_of(level_key(base, level), { id })[id]
        set_aside(prefix, fields or { 'frame', frame.head }, 'not_published')
        outcome = 'not-owner'
      elseif (final or frame.parts ~= '1') and is_over(prefix, ledger, frame, final) then
        count(ledger, RESETTLED)
        outcome = 'duplicate'
      elseif status == 'ok' then
        local head = frame.head or frame.fields[HEAD]
        if trimmed then
          redis.call('XADD', results, '*', 'frame', head, 'processor_id', processor, 'result', body)
        else
          redis.call('XADD', results, 'MAXLEN', '~', results_kept, '*', 'frame', head, 'processor_id', processor,
            'result', body)
          trimmed = true -- once a call: it is approximate anyway, and a sixth of what a result costs
        end
        count(ledger, RESULTS)
        finish(prefix, ledger, frame, 'settled', final, number, mask)
        outcome = 'settled'
      elseif status == 'release' then
        if not park(prefix, frame) then
          return 'not-owner'
        end
        outcome = 'released'
      elseif status ~= 'error' and status ~= 'dead' then
        -- As a failed attempt it would kill good frames one after the other, and nobody would know why.
        return 'refused:status'
      else
        outcome = fail(prefix, ledger, frame, final, processor, attempts_max, body, status == 'dead')
        if not outcome then
          return 'not-owner'
        end
      end
    end
    mine[level][id] = nil -- the same frame twice in one call is settled once
    local left = gone[level]
    left[#left + 1] = id
    return outcome
  end

  local fine, failed = pcall(function()
    for at = 1, #handles do
      outcomes[at] = one(level_at[at], id_at[at], argv[3 * at + 3], argv[3 * at + 4])
    end
  end)
  leave(prefix, processor, gone) -- also after a failure: the frames before it have gone on
  close_ledgers(ledgers)
  if not fine then
    return type(failed) == 'table' and failed or redis.error_reply('ERR ' .. tostring(failed))
  end
  if redis.call('EXISTS', prefix .. ':lanes', prefix .. ':capture:levels') > 0
    or redis.call('XLEN', prefix .. ':capture') > 0 then
    wake(prefix) -- capacity became free, or a frame came back, while frames wait
  end
  return outcomes
end

-- ARGV: processor, consumer, handles. The lease of each starts anew. Returns 1 per frame, 0 for one that is not theirs.
local function renew(keys, argv)
  local prefix, processor, consumer = keys[1], argv[1], argv[2]
  local refused = too_old(prefix) or misnamed(processor, consumer)
  if refused then
    return refused
  end
  local base, group, answers = stream_key(prefix, 'ready', processor), argv[1] .. '-group', {}
  local handles, mine = {}, {}
  for at = 3, #argv do
    handles[at - 2] = argv[at]
  end
  local levels, level_at, id_at = by_level(handles)
  for level, ids in pairs(levels) do
    mine[level] = held(level_key(base, level), group, consumer, ids)
  end
  for at = 1, #argv - 2 do
    local level, id = level_at[at], id_at[at]
    answers[at] = 0
    if mine[level][id] then
      redis.call('XCLAIM', level_key(base, level), group, consumer, 0, id, 'JUSTID')
      answers[at] = 1
    end
  end
  return answers
end
