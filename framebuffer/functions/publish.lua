-- The producer's calls: open, publish and drop.

-- ARGV: camera, session token, segment size, sequence to resume at (-1: none). Returns {previous token, next sequence}.
local function open(keys, argv)
  local prefix, camera, token = keys[1], argv[1], argv[2]
  local segment, resume = tonumber(argv[3]), tonumber(argv[4]) or -1
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  if not is_name(camera) then
    return redis.error_reply('ERR invalid camera')
  end
  if token == '' or #token > 64 or string.find(token, '[^!-~]') then
    return redis.error_reply('ERR invalid token')
  end
  if not segment or segment < WORD or segment % WORD ~= 0 then
    return redis.error_reply('ERR the segment size must be a multiple of ' .. WORD)
  end
  local ledgers = new_ledgers(prefix)
  local ledger = ledger_of(ledgers, camera)
  local row = ledger.row
  if not ledger.known then
    row[SEGMENT] = segment
  end
  local ahead_max = 65536 -- segments: whoever reads the ledger looks at each of them
  if resume > row[HIGHEST] + ahead_max * row[SEGMENT] then
    return redis.error_reply('ERR the sequence to resume at is too far ahead')
  end
  -- "token previous": who may publish, and who might before.
  local held = redis.call('HGET', prefix .. ':sessions', camera)
  local previous, before = string.match(held or ' ', '^(.*) (.*)$')
  if previous == token then
    previous = before -- the reply to the first call was lost
  else
    redis.call('HSET', prefix .. ':sessions', camera, token .. ' ' .. previous)
  end
  if resume >= 0 then
    row[FLOOR] = resume
  end
  ledger.changed = true
  close_ledgers(ledgers)
  as_table(ledgers.key)
  redis.call('SETNX', prefix .. ':format', FORMAT)
  return { previous, text(row[HIGHEST] + 1) }
end

-- The sessions at the head of the arguments: their ledgers, nil for one that is superseded, and its current token. A ledger's
-- `before` is its highest sequence before this call: a jump within it is a jump too.
local sessions_of
do
  -- The token in a camera's field of `sessions`. The same few come again and again: those that were read are remembered.
  local tokens_known, tokens_number = {}, 0
  local function token_of(held)
    local token = tokens_known[held]
    if not token then
      token = string.sub(held, 1, string.find(held, ' ', 1, true) - 1)
      if tokens_number >= 10000 then
        tokens_known, tokens_number = {}, 0
      end
      tokens_known[held], tokens_number = token, tokens_number + 1
    end
    return token
  end

  function sessions_of(ledgers, argv, from, number)
    local names, found, current = {}, {}, {}
    for at = 1, number do
      names[at] = argv[from + 2 * at - 2]
    end
    if number == 0 then
      return found, current
    end
    prefetch(ledgers, names)
    local sessions, read = values_of(ledgers.prefix .. ':sessions', names), ledgers.open
    for at = 1, number do
      local held = sessions[at]
      local token = held and (tokens_known[held] or token_of(held)) or ''
      if token ~= '' and token == argv[from + 2 * at - 1] then
        local ledger = read[names[at]]
        found[at], ledger.before = ledger, ledger.row[HIGHEST]
      else
        current[at] = token
      end
    end
    return found, current
  end
end

local function misfit(ledger, id, sequence, priority)
  if not is_frame_id(id) then
    return 'refused:frame_id'
  elseif not sequence or sequence < 0 or sequence > SEQUENCE_MAX or sequence % 1 ~= 0 then
    return 'refused:sequence'
  elseif sequence > math.max(ledger.before, ledger.row[FLOOR]) + JUMP_MAX then
    return 'refused:sequence_jump'
  elseif not priority or priority < 0 or priority > 10 or priority % 1 ~= 0 then
    return 'refused:priority'
  end
end

-- ARGV: largest inline payload, number of sessions, per session: camera, token; then per frame: number of its session,
-- frame_id, sequence, capability (several with commas), priority, traceparent, event, payload.
-- They go to capture, or into a queue where the leader allows it (direct.lua).
-- Returns what `pressure` has set and a status per frame: "ok", "duplicate", "superseded:<token>", "refused:<reason>".
local function publish(keys, argv)
  local prefix, inline_max, number = keys[1], tonumber(argv[1]), tonumber(argv[2])
  local first = 3 + 2 * (number or 0)
  if not inline_max or not number or (#argv - first + 1) % 8 ~= 0 then
    return redis.error_reply('ERR wrong number of arguments') -- half a frame would be marked and then not appended
  end
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  local ledgers, capture, now = new_ledgers(prefix), prefix .. ':capture', now_ms()
  local published = text(now)
  local moment, lent, router = ' 0 ' .. published .. ' ', pcall(lent_router, prefix, now)
  router = lent and router or nil -- what is wrong with the leader's keys is the leader's to say: capture takes them all
  local sessions, current = sessions_of(ledgers, argv, 3, number)

  local frame = { -- the one at a time that is routed: a new table each would be a twentieth of the call
    attempts = 0, published = published, parts = '1', fields = { 'frame', '', 'event', '', '', '' },
  }
  local find, format, number_of = string.find, string.format, tonumber -- a name of all is looked up in three tables
  local function one(ledger, id, sequence, capability, priority, trace, event, payload)
    local row = ledger.row
    -- The next one of its camera, as nearly all are: of its sequence nothing is left to look at.
    local following = sequence == row[HIGHEST] + 1 and sequence == row[CONTIGUOUS] + 1 and sequence <= SEQUENCE_MAX
    local level = LEVEL_NUMBERS[priority] and priority
    if not (following and level and #id <= 128 and find(id, '^[!-~]+$')) then
      local rank = number_of(priority)
      local odd = misfit(ledger, id, sequence, rank)
      if odd then
        return odd
      end
      level = LEVELS[rank]
    end
    local parts = names_known[capability] and 1 or parts_of(capability)
    if parts == 0 then
      return 'refused:capability'
    end
    if not following and is_published(ledger, sequence) then
      -- Counting it is a write: a WAIT behind it on this connection covers the first publish as well.
      count(ledger, REPUBLISHED)
      return 'duplicate'
    end
    local digits, carrier, carried = format('%d', sequence), 'payload', payload
    if #payload > inline_max then
      carrier, carried = 'ref', payload_key(prefix, ledger.camera, digits)
      redis.call('SET', carried, payload)
    end
    if trace == '' or #trace > 200 or not find(trace, '^[!-~]*$') then
      trace = '-'
    end
    local head = id .. ' ' .. ledger.camera .. ' ' .. digits .. ' ' .. capability .. ' ' .. level .. moment .. parts
      .. ' ' .. trace
    if router then
      local fields = frame.fields
      frame.id, frame.camera, frame.sequence, frame.number = id, ledger.camera, digits, sequence
      frame.capability, frame.priority, frame.trace = capability, level, trace
      fields[HEAD], fields[EVENT], fields[CARRIER], fields[CARRIED] = head, event, carrier, carried
      if parts == 1 and route_directly(router, frame) then
        if following then
          row[HIGHEST], row[CONTIGUOUS], row[PUBLISHED], ledger.changed = sequence, sequence, row[PUBLISHED] + 1, true
        else
          set_published(ledger, sequence)
        end
        return 'ok'
      end
      close_lent(router)
      router = nil -- what comes after this one must not overtake it
    end
    local key = level == '0' and capture or level_key(capture, level)
    if type(redis.pcall('XADD', key, '*', 'frame', head, 'event', event, carrier, carried)) ~= 'table' then
      if level ~= '0' then
        redis.call('SADD', capture .. ':levels', level)
      end
      set_published(ledger, sequence)
      return 'ok'
    end
    if carrier == 'ref' then
      redis.call('DEL', carried)
    end
    return 'refused:capture'
  end

  local answer, answers = { redis.call('GET', prefix .. ':pressure') or '0' }, 1
  local fine, failed = pcall(function()
    for at = first, #argv, 8 do
      local session = number_of(argv[at])
      local ledger = sessions[session]
      answers = answers + 1
      answer[answers] = ledger
        and one(ledger, argv[at + 1], number_of(argv[at + 2]), argv[at + 3], argv[at + 4], argv[at + 5], argv[at + 6],
          argv[at + 7])
        or 'superseded:' .. (current[session] or '')
    end
  end)
  if router then
    close_lent(router)
  end
  close_ledgers(ledgers)
  if not fine then
    return type(failed) == 'table' and failed or redis.error_reply('ERR ' .. tostring(failed))
  end
  return answer
end

-- ARGV: camera, token, then per frame: frame_id, sequence, priority, reason. Frames that their producer gives up: they
-- are published and dropped at once. Returns a status per frame: "ok", "duplicate" or "refused:<what>".
local function drop(keys, argv)
  local prefix = keys[1]
  if #argv % 4 ~= 2 then
    return redis.error_reply('ERR wrong number of arguments')
  end
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  local ledgers = new_ledgers(prefix)
  local sessions, current = sessions_of(ledgers, argv, 1, 1)
  local ledger = sessions[1]
  if not ledger then
    return redis.error_reply('SUPERSEDED ' .. current[1])
  end
  local statuses, moment = {}, text(now_ms())
  for at = 3, #argv, 4 do
    local sequence, priority, reason = tonumber(argv[at + 1]), tonumber(argv[at + 2]), argv[at + 3]
    local status = misfit(ledger, argv[at], sequence, priority)
    if not status and (#reason > 32 or not string.find(reason, '^[a-z][a-z_]*$')) then
      status = 'refused:reason'
    elseif not status and is_published(ledger, sequence) then
      count(ledger, REPUBLISHED)
      status = 'duplicate'
    elseif not status then
      set_published(ledger, sequence)
      set_final(ledger, sequence, DROPPED, false)
      redis.call('HINCRBY', ledger.key .. ':drops', reason, 1)
      local head = table.concat({ argv[at], ledger.camera, text(sequence), '-', text(priority), '0', moment, '1', '-' }, ' ')
      redis.call('XADD', prefix .. ':dropped', 'MAXLEN', '~', DROPPED_KEPT, '*', 'frame', head, 'reason', reason)
      status = 'ok'
    end
    statuses[#statuses + 1] = status
  end
  close_ledgers(ledgers)
  return statuses
end
