-- The ledger: per camera a record of counters, and two bits for each sequence: published, and final.
--
-- Records are the fields of one hash, so that a batch of many cameras costs one read and one write. The bits of 32
-- sequences are two words side by side, published and final, so that a batch of one camera costs a few calls.

local WORD = 32
local NUMBERS = 13

-- Positions in a record.
local SEGMENT, HIGHEST, COMPLETE, FLOOR, PUBLISHED, SETTLED, DEAD, DROPPED = 1, 2, 3, 4, 5, 6, 7, 8
local REPUBLISHED, RESETTLED, RESULTS, SURPLUS, REPLAYING = 9, 10, 11, 12, 13
local SESSION, PREVIOUS, SCATTERED = 14, 15, 16

local function opened(prefix, camera, packed)
  local ledger = { camera = camera, key = stream_key(prefix, 'ledger', camera), words = {}, touched = {} }
  if packed then
    ledger.row, ledger.known = cmsgpack.unpack(packed), true
  else
    ledger.row, ledger.known = { 65536, -1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', 0 }, false
  end
  ledger.before = ledger.row[HIGHEST]
  return ledger
end

local function new_ledgers(prefix)
  return { prefix = prefix, key = prefix .. ':ledger', open = {} }
end

-- Reads the records of cameras in one call.
local function prefetch(ledgers, cameras)
  local wanted, asked = {}, {}
  for _, camera in ipairs(cameras) do
    if not ledgers.open[camera] and not asked[camera] then
      asked[camera] = true
      wanted[#wanted + 1] = camera
    end
  end
  if #wanted > 0 then
    for at, packed in ipairs(redis.call('HMGET', ledgers.key, unpack(wanted))) do
      ledgers.open[wanted[at]] = opened(ledgers.prefix, wanted[at], packed)
    end
  end
end

local function ledger_of(ledgers, camera)
  if not ledgers.open[camera] then
    prefetch(ledgers, { camera })
  end
  return ledgers.open[camera]
end

local function count(ledger, what, by)
  local row = ledger.row
  row[what] = row[what] + (by or 1)
  ledger.changed = true
end

local function segment_key(ledger, segment)
  return ledger.key .. ':' .. text(segment)
end

-- Completely final segments have no bits any more: all below the watermark, and those of the set above it.
local function is_complete(ledger, segment)
  if segment < ledger.row[COMPLETE] then
    return true
  end
  return ledger.row[SCATTERED] > 0 and redis.call('SISMEMBER', ledger.key .. ':complete', text(segment)) == 1
end

-- The word that holds a sequence, with the sequence's mask in it. Beyond the highest sequence there is nothing to read: a
-- word that also holds earlier ones is read only when one of those is asked for (`later` says that none is).
local function word_of(ledger, sequence, later)
  local number = math.floor(sequence / WORD)
  local word = ledger.words[number]
  if not word then
    local size = ledger.row[SEGMENT]
    local segment = math.floor(sequence / size)
    word = { published = 0, final = 0, segment = segment, at = number - segment * (size / WORD) }
    if is_complete(ledger, segment) then
      word.complete, word.read = true, true
    else
      word.read = number * WORD > ledger.before
    end
    ledger.words[number] = word
  end
  if not word.read and not later then
    local bits = redis.call('BITFIELD_RO', segment_key(ledger, word.segment),
      'GET', 'u32', '#' .. text(2 * word.at), 'GET', 'u32', '#' .. text(2 * word.at + 1))
    -- What this call has set already is beyond what was there.
    word.published, word.final, word.read = word.published + bits[1], word.final + bits[2], true
  end
  return word, 2 ^ (WORD - 1 - (sequence - number * WORD))
end

local function has(bits, mask)
  return math.floor(bits / mask) % 2 == 1
end

-- Whether the sequence was published, and whether it is final: one look for both.
local function state_of(ledger, sequence)
  local word, mask = word_of(ledger, sequence)
  if word.complete then
    return true, true
  end
  return has(word.published, mask), has(word.final, mask)
end

local function is_published(ledger, sequence)
  if sequence > ledger.row[HIGHEST] then
    return false
  end
  local word, mask = word_of(ledger, sequence)
  return word.complete or has(word.published, mask)
end

-- A dead frame that is replayed keeps its final bit, as its segment may be gone; its name stands in a set meanwhile.
local function is_replayed(ledger, sequence)
  return ledger.row[REPLAYING] > 0 and redis.call('SISMEMBER', ledger.key .. ':replayed', text(sequence)) == 1
end

local function set_published(ledger, sequence)
  local word, mask = word_of(ledger, sequence, sequence > ledger.row[HIGHEST])
  word.published, word.dirty = word.published + mask, true
  count(ledger, PUBLISHED)
  if sequence > ledger.row[HIGHEST] then
    ledger.row[HIGHEST] = sequence
  end
end

local function unset_published(ledger, sequence, highest)
  local word, mask = word_of(ledger, sequence, true)
  word.published = word.published - mask
  count(ledger, PUBLISHED, -1)
  ledger.row[HIGHEST] = highest
end

local function set_final(ledger, sequence, outcome)
  local word, mask = word_of(ledger, sequence)
  if word.complete or has(word.final, mask) then
    redis.call('SREM', ledger.key .. ':replayed', text(sequence))
    count(ledger, REPLAYING, -1)
  else
    word.final, word.dirty = word.final + mask, true
    ledger.touched[word.segment] = true
  end
  count(ledger, outcome)
end

local function retire(ledger, segment)
  local row = ledger.row
  if (segment + 1) * row[SEGMENT] - 1 > row[HIGHEST] then
    return
  end
  local key = segment_key(ledger, segment)
  if redis.call('BITCOUNT', key) < 2 * row[SEGMENT] then
    return
  end
  redis.call('DEL', key)
  ledger.changed = true
  if segment ~= row[COMPLETE] then
    redis.call('SADD', ledger.key .. ':complete', text(segment))
    row[SCATTERED] = row[SCATTERED] + 1
    return
  end
  row[COMPLETE] = segment + 1
  while row[SCATTERED] > 0 and redis.call('SREM', ledger.key .. ':complete', text(row[COMPLETE])) == 1 do
    row[COMPLETE] = row[COMPLETE] + 1
    row[SCATTERED] = row[SCATTERED] - 1
  end
end

-- Adds to a BITFIELD's arguments what makes a word so. A word that was never read is written bit by bit.
local function add_bits(write, word, offset, bits)
  local at = #write
  if word.read then
    write[at + 1], write[at + 2], write[at + 3], write[at + 4] = 'SET', 'u32', '#' .. text(2 * word.at + offset), text(bits)
    return
  end
  for bit = 0, WORD - 1 do
    if bits == 0 then
      return
    end
    local mask = 2 ^ (WORD - 1 - bit)
    if bits >= mask then
      bits = bits - mask
      write[at + 1], write[at + 2], write[at + 3] = 'SET', 'u1', text((2 * word.at + offset) * WORD + bit)
      write[at + 4] = '1'
      at = at + 4
    end
  end
end

-- Writes back what changed. Call it also after a failure: the frames before it have moved.
local function close_ledgers(ledgers)
  local records = {}
  for camera, ledger in pairs(ledgers.open) do
    local writes = {}
    for _, word in pairs(ledger.words) do
      if word.dirty then
        local write = writes[word.segment]
        if not write then
          write = {}
          writes[word.segment] = write
        end
        add_bits(write, word, 0, word.published)
        add_bits(write, word, 1, word.final)
      end
    end
    for segment, write in pairs(writes) do
      many('BITFIELD', segment_key(ledger, segment), {}, write)
    end
    for segment in pairs(ledger.touched) do
      retire(ledger, segment)
    end
    if ledger.changed then
      records[#records + 1] = camera
      records[#records + 1] = cmsgpack.pack(ledger.row)
    end
  end
  if #records > 0 then
    many('HSET', ledgers.key, {}, records)
  end
end
