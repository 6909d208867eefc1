-- The fence: one epoch is in force, and older ones are refused.

-- Refuses an older epoch, installs a newer one (the closed record goes to the list of leaders, and what the older one let
-- `publish` do is over). Returns an error reply, or nil, whether this epoch has routed a frame already, and the name of
-- the table by which `publish` may route, or might until now.
local function check_fence(prefix, term, index, node)
  local key = prefix .. ':fence'
  local row = redis.call('HMGET', key, 'term', 'index', 'node', 'first_us', 'last_us', 'frames', 'direct_table')
  if row[1] then
    local have_term, have_index = tonumber(row[1]), tonumber(row[2])
    if have_term > term or (have_term == term and have_index > index) then
      return redis.error_reply('FENCED ' .. row[1] .. '.' .. row[2] .. ' ' .. row[3])
    end
    if have_term == term and have_index == index then
      if row[3] == ANY_NODE then
        redis.call('HSET', key, 'node', node)
      elseif node ~= ANY_NODE and row[3] ~= node then
        return redis.error_reply('FENCED ' .. row[1] .. '.' .. row[2] .. ' ' .. row[3])
      end
      return nil, row[4] ~= '0', row[7]
    end
    -- Written by hand: cjson would round the microseconds.
    redis.call('LPUSH', prefix .. ':leaders', string.format(
      '{"term":%s,"index":%s,"node":%s,"first_us":%s,"last_us":%s,"frames":%s}',
      row[1], row[2], cjson.encode(row[3]), row[4], row[5], row[6]))
    redis.call('LTRIM', prefix .. ':leaders', 0, LEADERS_KEPT - 1)
  end
  redis.call('HSET', key, 'term', text(term), 'index', text(index), 'node', node,
    'first_us', '0', 'last_us', '0', 'frames', '0')
  redis.call('HDEL', key, 'direct_until', 'direct_table', 'direct_traced')
  return nil, false, row[7]
end

-- The fence of a call of the leader: ARGV opens with term and index; `node` is ANY_NODE where the call names none.
local function refuse(prefix, argv, node)
  local refused = too_old(prefix)
  if refused then
    return refused
  end
  return check_fence(prefix, tonumber(argv[1]), tonumber(argv[2]), node)
end

local function stamp(prefix, started, frames)
  local key, now = prefix .. ':fence', redis.call('TIME')
  local micros = text(tonumber(now[1]) * 1000000 + tonumber(now[2]))
  if started then
    redis.call('HSET', key, 'last_us', micros)
  else
    redis.call('HSET', key, 'first_us', micros, 'last_us', micros)
  end
  redis.call('HINCRBY', key, 'frames', frames)
end

-- ARGV: term, index, node.
local function fence(keys, argv)
  local refused = refuse(keys[1], argv, argv[3])
  if refused then
    return refused
  end
  redis.call('SETNX', keys[1] .. ':format', FORMAT)
  read_group(keys[1] .. ':capture', CAPTURE_GROUP, argv[3], 1, '0') -- creates the group when it is missing
  return redis.status_reply('OK')
end

-- ARGV: term, index, level of backpressure (0 to 3) and, where a capability has a higher one, behind it " face=3 bird=2".
-- What publishers are told from now on.
local function pressure(keys, argv)
  local refused = refuse(keys[1], argv, ANY_NODE)
  if refused then
    return refused
  end
  if not string.find(argv[3] .. ' ', '^[0-3] ') then
    return redis.error_reply('ERR the level must be 0 to 3')
  end
  redis.call('SET', keys[1] .. ':pressure', argv[3])
  return redis.status_reply('OK')
end
