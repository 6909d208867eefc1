#!lua name=triarch_frames_v2
-- revision: 10
--
-- The frame streams' work inside the server: one call a batch on every hop. Runs on Redis >= 7.0 and Valkey >= 7.2.
--
-- KEYS[1] is the prefix; every key is built from it (framebuffer/keys.py builds the same). A frame is in exactly one of
-- capture, a lane or a queue until it is final (settled, dead or dropped).
--
-- Atomic is not rollback: an error in the middle keeps the earlier writes. So arguments are checked before the first
-- write of a frame, what may fail for reasons of the key's type goes through pcall, and a call that fails in the middle
-- still removes from the old place what it has added to the new one: the worst case is a frame that is where it was.

local FORMAT = 2 -- of the keys and entries; written by `fence` and `open`, and a library older than the data refuses
local CAPTURE_GROUP = 'frame-buffer'
local LEADERS_KEPT = 1000
local WAKE_KEPT = 16
local STORY_KEPT = 4000
local DROPPED_KEPT = 100000
local MALFORMED_KEPT = 10000
local JUMP_MAX = 1048576 -- a sequence further ahead than this is a mistake, not a gap
local SEQUENCE_MAX = 9007199254740991 -- 2^53 - 1: beyond, Lua's numbers are not exact
local PARTS_MAX = 8
local ANY_NODE = '-' -- a caller that knows its epoch but does not say its name
local LEVELS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10' }
local LEVEL_NUMBERS = {
  ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4, ['5'] = 5, ['6'] = 6, ['7'] = 7, ['8'] = 8, ['9'] = 9, ['10'] = 10,
}
local PARTS = { ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true }
local UNPACK_MAX = 1000 -- arguments given to one command at most; Lua's stack bears some thousands

-- Positions of the values in a stream entry: 'frame' head 'event' json 'payload' bytes, or 'ref' key instead of payload.
local HEAD, EVENT, CARRIER, CARRIED = 2, 4, 5, 6
-- Sets cost half of what classes of characters do; what is a number is seen where it is made one. Readers take the head for
-- ASCII, and would fail over and over at one that is not.
local HEAD_PATTERN = '^([!-~]+) ([!-~]+) ([!-~]+) ([!-~]+) ([!-~]+) ([!-~]+) ([!-~]+) ([!-~]+) ([!-~]+)$'

-- Lua prints 1e15 as "1e+15": numbers that are stored or returned as text go through this.
local function text(number)
  return string.format('%d', number)
end

-- What `cmsgpack.pack` makes of a number or a string. The same few come again and again: they are looked up in `codes`.
local codes = {}
local code_of
do
  local CODES_KEPT = 4096
  local codes_number = 0
  function code_of(value)
    if codes_number >= CODES_KEPT then
      codes, codes_number = {}, 0
    end
    local code = cmsgpack.pack(value)
    codes[value], codes_number = code, codes_number + 1
    return code
  end
end

-- What stands before so many values that are packed one by one, to make an array of them.
local function array_head(number)
  if number < 16 then
    return string.char(144 + number)
  elseif number < 65536 then
    return string.char(220, math.floor(number / 256), number % 256)
  end
  return string.char(221, math.floor(number / 16777216), math.floor(number / 65536) % 256, math.floor(number / 256) % 256,
    number % 256)
end

local function now_ms()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local function stream_key(prefix, kind, name)
  return prefix .. ':' .. kind .. ':' .. name
end

-- Cameras and capabilities become parts of keys. The same few come again and again: those that passed are remembered.
local names_known, names_number = {}, 0
local function is_name(value)
  if names_known[value] then
    return true
  end
  if #value > 64 or not string.find(value, '^%w[%w._-]*$') then
    return false
  end
  if names_number >= 10000 then
    names_known, names_number = {}, 0
  end
  names_known[value], names_number = true, names_number + 1
  return true
end

local function is_frame_id(value)
  return #value <= 128 and string.find(value, '^[!-~]+$') ~= nil
end

local function is_count(value)
  return #value <= 16 and not string.find(value, '[^0-9]') and value ~= '' and (#value < 16 or tonumber(value) <= SEQUENCE_MAX)
end

local function payload_key(prefix, camera, number)
  return prefix .. ':payload:' .. camera .. ':' .. number
end

local function parts_key(prefix, camera, number)
  return prefix .. ':parts:' .. camera .. ':' .. number
end

-- A newer library has written here: what its entries mean is not known.
local function too_old(prefix)
  local format = tonumber(redis.call('GET', prefix .. ':format') or FORMAT)
  if format and format > FORMAT then
    return redis.error_reply('FORMAT ' .. text(format) .. ' ' .. text(FORMAT))
  end
end

-- "a" or "a,b": each a name, none twice. The number of parts, 0 when it is not so.
local function parts_of(capability)
  if is_name(capability) then
    return 1
  end
  local seen, parts = {}, 0
  for one in string.gmatch(capability .. ',', '([^,]*),') do
    if not is_name(one) or seen[one] then
      return 0
    end
    seen[one] = true
    parts = parts + 1
  end
  return parts <= PARTS_MAX and parts or 0
end

-- What an entry's fields say of a frame: id, camera, sequence, the same as a number, capability, parts, priority, attempts,
-- time of publishing, trace; nil when they do not look as `publish` writes them: anybody can XADD anything. Only in capture
-- a frame for several capabilities is still one entry: `whole` says that this is there.
local moments_known, moments_number = {}, 0 -- times of publishing that were found to be such: frames of a batch have the same
local function checked(prefix, fields, whole)
  if #fields ~= 6 or fields[1] ~= 'frame' or fields[3] ~= 'event' then
    return nil
  end
  local id, camera, sequence, capability, priority, attempts, published, parts, trace =
    string.match(fields[HEAD], HEAD_PATTERN)
  if not id or not (names_known[camera] or is_name(camera)) or not LEVEL_NUMBERS[priority] then
    return nil
  end
  local number = #sequence <= 16 and not string.find(sequence, '[^0-9]') and tonumber(sequence)
  if not number or number > SEQUENCE_MAX then
    return nil
  end
  local failed = attempts == '0' and 0 or is_count(attempts) and tonumber(attempts)
  if not failed or failed > 999999 or not PARTS[parts] then
    return nil
  end
  if not moments_known[published] then
    if not is_count(published) then
      return nil
    end
    if moments_number >= 1000 then
      moments_known, moments_number = {}, 0
    end
    moments_known[published], moments_number = true, moments_number + 1
  end
  if not ((names_known[capability] or is_name(capability)) and (parts == '1' or not whole))
    and not (whole and parts ~= '1' and text(parts_of(capability)) == parts) then
    return nil
  end
  if fields[CARRIER] == 'ref' then
    if fields[CARRIED] ~= payload_key(prefix, camera, sequence) then
      return nil
    end
  elseif fields[CARRIER] ~= 'payload' then
    return nil
  end
  return id, camera, sequence, number, capability, parts, priority, failed, published, trace
end

-- The frame that an entry's fields hold, nil when they hold none. `ref`: the key of its payload, if that lies by itself.
local function parse(prefix, fields, whole)
  local id, camera, sequence, number, capability, parts, priority, attempts, published, trace = checked(prefix, fields, whole)
  if not id then
    return nil
  end
  return {
    id = id, camera = camera, sequence = sequence, number = number, capability = capability, priority = priority,
    attempts = attempts, published = published, parts = parts, trace = trace, fields = fields,
    ref = fields[CARRIER] == 'ref' and fields[CARRIED] or nil,
  }
end

-- When an entry's frame was published, in milliseconds; of what is no frame, when it was added.
local function published_ms(entry)
  local head = entry[2][1] == 'frame' and entry[2][HEAD] or ''
  local published = select(7, string.match(head, HEAD_PATTERN))
  return tonumber(published or string.match(entry[1], '^%d+'))
end

-- Writes the frame's head anew after its attempts or its capability changed.
local function rehead(frame)
  frame.fields[HEAD] = table.concat({
    frame.id, frame.camera, frame.sequence, frame.capability, frame.priority, text(frame.attempts), frame.published,
    frame.parts, frame.trace,
  }, ' ')
end

-- Keeps an entry that did not come from `publish` for people to look at. No ledger knows it, so it is not a dead frame.
local function set_aside(prefix, fields, reason)
  local id = redis.pcall('XADD', prefix .. ':malformed', 'MAXLEN', '~', MALFORMED_KEPT, '*',
    'reason', reason, 'entry', cmsgpack.pack(fields))
  return type(id) ~= 'table'
end

-- Calls the command with the key and many arguments, in portions.
local function many(command, key, before, arguments)
  local number = #arguments
  if number > 0 and number <= UNPACK_MAX and #before == 0 then
    redis.call(command, key, unpack(arguments))
    return
  end
  for from = 1, number, UNPACK_MAX do
    local call = { command, key, unpack(before) }
    local offset = #call - from + 1
    for at = from, math.min(from + UNPACK_MAX - 1, number) do
      call[offset + at] = arguments[at]
    end
    redis.call(unpack(call))
  end
end

-- The values of a hash's fields in order, false for those that are not there; asked for in portions.
local function values_of(key, names)
  local number = #names
  if number <= UNPACK_MAX then
    return redis.call('HMGET', key, unpack(names))
  end
  local values = {}
  for from = 1, number, UNPACK_MAX do
    local last = math.min(from + UNPACK_MAX - 1, number)
    local some = redis.call('HMGET', key, unpack(names, from, last))
    for at = from, last do
      values[at] = some[at - from + 1]
    end
  end
  return values
end

-- Up to 512 short fields a hash is one list that is searched from its beginning: for 500 processors half a call's time. A
-- long value makes a table of it, for good until the server reads it from its files.
local HASH_LONG, HASH_FEW = 1000, 16
local function as_table(key)
  if redis.call('HLEN', key) > HASH_FEW and redis.call('OBJECT', 'ENCODING', key) == 'listpack' then
    redis.call('HSET', key, '', string.rep('-', HASH_LONG))
    redis.call('HDEL', key, '')
  end
end

-- Places: capture, a lane, a queue. Each is a family of streams, one for each priority: '0' at the base key, the others
-- at base:p<level>, and base:levels names those in use. In a queue, level 's' holds suspects: frames that failed before
-- are handed out alone, so that one that kills its processor does not take others down with it. In a lane, half a level
-- more ('5.5') holds frames of that level that had left it already: a stream takes entries at its end only, and they are
-- older than what waits there.

local function level_key(base, level)
  return level == '0' and base or base .. ':p' .. level
end

-- Adds an entry; false when the key holds something that is not a stream.
local function append(base, level, fields)
  local key = level == '0' and base or level_key(base, level)
  if type(redis.pcall('XADD', key, '*', unpack(fields))) == 'table' then
    return false
  end
  if level ~= '0' then
    redis.call('SADD', base .. ':levels', level)
  end
  return true
end

-- The levels that may hold entries, highest first; '0' always, 's' last.
local function levels_of(base)
  local levels = redis.call('SMEMBERS', base .. ':levels')
  if #levels == 0 then
    return { '0' }
  end
  levels[#levels + 1] = '0'
  table.sort(levels, function(a, b)
    return (tonumber(a) or -1) > (tonumber(b) or -1)
  end)
  return levels
end

-- Forgets an empty stream of a level; the base stream only where `whole` says so.
local function tidy(base, level, whole)
  local key = level_key(base, level)
  if redis.call('XLEN', key) > 0 then
    return false
  end
  if level ~= '0' then
    redis.call('DEL', key)
    redis.call('SREM', base .. ':levels', level)
  elseif whole then
    redis.call('DEL', key)
  end
  return true
end

local function length_of(base, levels)
  local length = 0
  for _, level in ipairs(levels or levels_of(base)) do
    local one = redis.pcall('XLEN', level_key(base, level))
    length = length + (type(one) == 'number' and one or 0)
  end
  return length
end

local function read_group(key, group, consumer, count, from)
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, from)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then
      return nil, reply
    end
    -- At id 0, never $: what was added before the group existed is work too.
    redis.call('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM')
    reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', key, from)
  end
  if not reply then
    return {}
  end
  return reply[1][2]
end

-- To the lane of its capability; `first`: before the others of its level, as one that had left the lane already.
local function park(prefix, frame, first)
  local level = first and frame.priority .. '.5' or frame.priority
  if not append(stream_key(prefix, 'lane', frame.capability), level, frame.fields) then
    return false
  end
  redis.call('SADD', prefix .. ':lanes', frame.capability)
  return true
end

local function wake(prefix)
  redis.call('XADD', prefix .. ':wake', 'MAXLEN', WAKE_KEPT, '*', 'x', '')
end

-- What happened to a frame beside being routed, for `frames trace`.
local function tell(prefix, frame, processor, outcome, reason)
  redis.call('XADD', prefix .. ':story', 'MAXLEN', '~', STORY_KEPT, '*', 'event', cmsgpack.pack({
    frame.camera, tonumber(frame.sequence), frame.capability, frame.attempts, processor, outcome,
    string.sub(reason, 1, 500),
  }))
end
