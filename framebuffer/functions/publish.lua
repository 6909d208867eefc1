-- The producer's calls: open and publish.

-- ARGV: camera, session token, segment size, sequence to resume at (-1: none). Returns {previous token, next sequence}.
local function open(keys, argv)
  local prefix, camera, token = keys[1], argv[1], argv[2]
  local resume = tonumber(argv[4]) or -1
  if not is_name(camera) then
    return redis.error_reply('ERR invalid camera')
  end
  local key = stream_key(prefix, 'ledger', camera)
  local row = redis.call('HMGET', key, 'session', 'previous', 'highest')
  local previous = row[1] or ''
  if previous == token then
    previous = row[2] or '' -- the reply to the first call was lost
  else
    redis.call('HSET', key, 'session', token, 'previous', previous)
  end
  redis.call('HSETNX', key, 'segment', argv[3])
  if resume >= 0 then
    redis.call('HSET', key, 'floor', text(resume))
  end
  redis.call('SADD', prefix .. ':cameras', camera)
  return { previous, text((tonumber(row[3]) or -1) + 1) }
end

-- ARGV: camera, session token, largest inline payload, then per frame: frame_id, sequence, capability, priority,
-- traceparent, event, payload. Returns a status per frame: "ok", "duplicate" or "refused:<reason>".
local function publish(keys, argv)
  local prefix, camera, inline_max = keys[1], argv[1], tonumber(argv[3])
  if not inline_max or #argv % 7 ~= 3 then
    return redis.error_reply('ERR wrong number of arguments') -- half a frame would be marked and then not appended
  end
  local cache = {}
  local ledger = open_camera(prefix, camera, cache)
  if not ledger.known or ledger.session ~= argv[2] then
    return redis.error_reply('SUPERSEDED ' .. ledger.session)
  end
  local capture = prefix .. ':capture'
  local limit = math.max(ledger.highest, ledger.floor) + JUMP_MAX
  local before = ledger.highest
  local statuses = {}
  for at = 4, #argv, 7 do
    local sequence, capability, priority = tonumber(argv[at + 1]), argv[at + 2], tonumber(argv[at + 3])
    local status
    if not is_frame_id(argv[at]) then
      status = 'refused:frame_id'
    elseif not sequence or sequence < 0 or sequence > SEQUENCE_MAX or sequence % 1 ~= 0 then
      status = 'refused:sequence'
    elseif sequence > limit then
      status = 'refused:sequence_jump'
    elseif not is_name(capability) then
      status = 'refused:capability'
    elseif not priority or priority < 0 or priority > 10 or priority % 1 ~= 0 then
      status = 'refused:priority'
    else
      local segment, bit = place(ledger, sequence)
      local published = bitmap(ledger, 'published', segment)
      if is_complete(ledger, segment) or redis.call('SETBIT', published, bit, 1) == 1 then
        -- Counting it is a write: a WAIT behind it on this connection covers the first publish as well.
        count(ledger, 'duplicate_publishes')
        status = 'duplicate'
      else
        local number, payload, ref = text(sequence), argv[at + 6], ''
        if #payload > inline_max then
          ref = payload_key(prefix, camera, number)
          redis.call('SET', ref, payload)
          payload = ''
        end
        local id = append(capture, {
          'frame_id', argv[at], 'camera_id', camera, 'sequence', number, 'capability', capability,
          'priority', text(priority), 'attempts', '0', 'traceparent', argv[at + 4], 'event', argv[at + 5],
          'payload', payload, 'ref', ref,
        })
        if id then
          count(ledger, 'published')
          ledger.highest = math.max(ledger.highest, sequence)
          status = 'ok'
        else
          redis.call('SETBIT', published, bit, 0)
          if ref ~= '' then
            redis.call('DEL', ref)
          end
          status = 'refused:capture'
        end
      end
    end
    statuses[#statuses + 1] = status
  end
  if ledger.highest > before then
    redis.call('HSET', ledger.key, 'highest', text(ledger.highest))
  end
  close_cameras(cache)
  return statuses
end
