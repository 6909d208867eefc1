#!lua name=triarch_frames_v1
-- revision: 2
--
-- The frame streams' work inside the server: one call a batch on every hop. Runs on Redis >= 7.0 and Valkey >= 7.2.
--
-- KEYS[1] is the prefix; every key is built from it (framebuffer/keys.py builds the same). A frame is in exactly one of
-- capture, a lane or a queue until it is final (settled, dead or dropped).
--
-- Atomic is not rollback: an error in the middle keeps the earlier writes. So arguments are checked before the first
-- write of a frame, what may fail for reasons of the key's type goes through pcall, and a frame moves by
-- XADD -> XACK -> XDEL: the worst case is a frame that is still pending, never one that is gone.

local CAPTURE_GROUP = 'frame-buffer'
local LEADERS_KEPT = 1000
local WAKE_KEPT = 16
local JUMP_MAX = 1048576 -- a sequence further ahead than this is a mistake, not a gap
local SEQUENCE_MAX = 9007199254740991 -- 2^53 - 1: beyond, Lua's numbers are not exact
local MALFORMED_KEPT = 10000
local ANY_NODE = '-' -- a caller that knows its epoch but does not say its name

-- Positions of the values in a stream entry; XADD writes the fields in this order, always.
local FRAME_ID, CAMERA, SEQUENCE, CAPABILITY, PRIORITY = 2, 4, 6, 8, 10
local ATTEMPTS, TRACEPARENT, EVENT, PAYLOAD, REF = 12, 14, 16, 18, 20
local FIELDS = {
  'frame_id', 'camera_id', 'sequence', 'capability', 'priority', 'attempts', 'traceparent', 'event', 'payload', 'ref',
}

-- Lua prints 1e15 as "1e+15": numbers that are stored or returned as text go through this.
local function text(number)
  return string.format('%.0f', number)
end

local function stream_key(prefix, kind, name)
  return prefix .. ':' .. kind .. ':' .. name
end

-- Cameras and capabilities become parts of keys.
local function is_name(value)
  return #value <= 64 and string.find(value, '^%w[%w._-]*$') ~= nil
end

local function is_frame_id(value)
  return #value <= 128 and string.find(value, '^[!-~]+$') ~= nil
end

local function is_count(value)
  return #value <= 16 and string.find(value, '^%d+$') ~= nil and tonumber(value) <= SEQUENCE_MAX
end

local function payload_key(prefix, camera, number)
  return prefix .. ':payload:' .. camera .. ':' .. number
end

-- Whether the entry looks as `publish` writes it: anybody can XADD anything.
local function is_frame(prefix, fields)
  if #fields ~= 2 * #FIELDS then
    return false
  end
  for at, name in ipairs(FIELDS) do
    if fields[2 * at - 1] ~= name then
      return false
    end
  end
  return is_frame_id(fields[FRAME_ID]) and is_name(fields[CAMERA]) and is_name(fields[CAPABILITY])
    and is_count(fields[SEQUENCE]) and is_count(fields[PRIORITY]) and is_count(fields[ATTEMPTS])
    and (fields[REF] == '' or fields[REF] == payload_key(prefix, fields[CAMERA], fields[SEQUENCE]))
end

-- Keeps an entry that did not come from `publish` for people to look at. No ledger knows it, so it is not a dead frame.
local function set_aside(prefix, fields, reason)
  local id = redis.pcall('XADD', prefix .. ':malformed', 'MAXLEN', '~', MALFORMED_KEPT, '*',
    'reason', reason, 'entry', cmsgpack.pack(fields))
  return type(id) ~= 'table'
end

-- Adds an entry; nil when the key holds something that is not a stream.
local function append(key, fields)
  local id = redis.pcall('XADD', key, '*', unpack(fields))
  if type(id) == 'table' then
    return nil
  end
  return id
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

local function park(prefix, capability, fields)
  if not append(stream_key(prefix, 'lane', capability), fields) then
    return false
  end
  redis.call('SADD', prefix .. ':lanes', capability)
  return true
end

local function wake(prefix)
  redis.call('XADD', prefix .. ':wake', 'MAXLEN', WAKE_KEPT, '*', 'x', '')
end
