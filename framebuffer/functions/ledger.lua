-- The ledger: per camera a record of counters, and which sequences were published and which are final.
--
-- Records are the fields of one hash, so that a batch of many cameras costs one read and one write. Sequences come in order,
-- so what was published is "all up to CONTIGUOUS", and a bit for each one beyond a gap (the ragged ones). What is final is
-- "all up to FINALS", and a bit for each one beyond, up to FINAL_MAX; they are read and written 32 at a time. Bits are kept in
-- segments, which go when they are not needed any more; a segment that is final although one before it is not stands in a set.

local WORD = 32

-- Positions in a record.
local SEGMENT, HIGHEST, COMPLETE, FLOOR, PUBLISHED, SETTLED, DEAD, DROPPED = 1, 2, 3, 4, 5, 6, 7, 8
local REPUBLISHED, RESETTLED, RESULTS, SURPLUS, REPLAYING, SCATTERED, CONTIGUOUS = 9, 10, 11, 12, 13, 14, 15
local FINALS, FINAL_MAX = 16, 17

local function opened(prefix, camera, packed)
  local ledger = { camera = camera, key = stream_key(prefix, 'ledger', camera), words = {} }
  if packed then
    ledger.row, ledger.known = cmsgpack.unpack(packed), true
  else
    ledger.row = { 65536, -1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1 }
  end
  return ledger
end

local function new_ledgers(prefix)
  return { prefix = prefix, key = prefix .. ':ledger', open = {} }
end

-- Ledgers as calls left them, by prefix and camera: where the record is the very bytes that were written then, it need not be
-- unpacked again. While a call works with one it has no bytes, and gets them when it is written: so one that a call
-- broke off with is never believed.
local kept_or_opened
do -- a library has room for two hundred names of its own
  local LEDGERS_KEPT = 4096
  local ledgers_kept, ledgers_number = {}, 0
  function kept_or_opened(prefix, camera, packed)
    local kept = ledgers_kept[prefix]
    if not kept then
      kept = {}
      ledgers_kept[prefix] = kept
    end
    local ledger = kept[camera]
    if ledger and packed and ledger.packed == packed then
      ledger.packed, ledger.changed = nil, false
      if ledger.worded then
        ledger.words, ledger.page, ledger.worded = {}, nil, false
      end
      return ledger
    end
    if not ledger then
      if ledgers_number >= LEDGERS_KEPT then
        kept, ledgers_number = {}, 0
        ledgers_kept = { [prefix] = kept }
      end
      ledgers_number = ledgers_number + 1
    end
    ledger = opened(prefix, camera, packed)
    kept[camera] = ledger
    return ledger
  end
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
      ledgers.open[wanted[at]] = kept_or_opened(ledgers.prefix, wanted[at], packed)
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

-- A word of final bits as the server has it. Those of a batch lie together: they are read a page at a time. A page is of one
-- call, and what that call changes stands in the ledger's words until it is written.
local word_at
do
  local PAGE = 64 -- words
  function word_at(ledger, segment, at)
    local page = ledger.page
    if not page or page.segment ~= segment or at < page.first or at >= page.first + PAGE then
      local first = at - at % PAGE
      local bytes = redis.call('GETRANGE', segment_key(ledger, segment), 4 * first, 4 * (first + PAGE) - 1)
      page = { segment = segment, first = first, bytes = bytes }
      ledger.page = page
    end
    local from = 4 * (at - page.first) + 1
    local a, b, c, d = string.byte(page.bytes, from, from + 3)
    return (a or 0) * 16777216 + (b or 0) * 65536 + (c or 0) * 256 + (d or 0)
  end
end

-- The word that holds a sequence's final bit, with the sequence's mask in it.
local function word_of(ledger, sequence)
  local number = math.floor(sequence / WORD)
  local word = ledger.words[number]
  if not word then
    local size = ledger.row[SEGMENT]
    local segment = math.floor(sequence / size)
    word = { final = 0, segment = segment, at = number - segment * (size / WORD) }
    if is_complete(ledger, segment) then
      word.complete = true
    elseif number * WORD <= ledger.row[FINAL_MAX] then
      word.final = word_at(ledger, segment, word.at)
    end
    ledger.words[number], ledger.worded = word, true
  end
  return word, 2 ^ (WORD - 1 - (sequence - number * WORD))
end

local function has(bits, mask)
  return math.floor(bits / mask) % 2 == 1
end

-- The key and the bit of a sequence beyond a gap.
local function ragged(ledger, sequence)
  local size = ledger.row[SEGMENT]
  local segment = math.floor(sequence / size)
  return segment_key(ledger, segment) .. ':p', text(sequence - segment * size), segment
end

local function is_published(ledger, sequence)
  local row = ledger.row
  if sequence <= row[CONTIGUOUS] then
    return true
  elseif sequence > row[HIGHEST] then
    return false
  end
  local key, bit, segment = ragged(ledger, sequence)
  return is_complete(ledger, segment) or redis.call('GETBIT', key, bit) == 1
end

-- Whether the sequence was published, and whether it is final; where its word was needed for that, the word and its mask.
local function state_of(ledger, sequence)
  local row = ledger.row
  if sequence <= row[FINALS] then
    return true, true
  elseif not is_published(ledger, sequence) then
    return false, false
  elseif sequence > row[FINAL_MAX] then
    return true, false
  end
  local word, mask = word_of(ledger, sequence)
  return true, word.complete or has(word.final, mask), word, mask
end

-- A dead frame that is replayed keeps its final bit, as its segment may be gone; its name stands in a set meanwhile.
local function is_replayed(ledger, sequence)
  return ledger.row[REPLAYING] > 0 and redis.call('SISMEMBER', ledger.key .. ':replayed', text(sequence)) == 1
end

-- Follows the published ones that lie together beyond CONTIGUOUS: in one step a segment, as a gap that is filled may have
-- hundreds of thousands behind it.
local function follow(ledger)
  local row = ledger.row
  while row[CONTIGUOUS] < row[HIGHEST] do
    local key, bit, segment = ragged(ledger, row[CONTIGUOUS] + 1)
    local first, size = segment * row[SEGMENT], row[SEGMENT]
    if is_complete(ledger, segment) then
      row[CONTIGUOUS] = first + size - 1
    elseif redis.call('GETBIT', key, bit) == 0 then
      return
    else
      local gap = redis.call('BITPOS', key, 0, bit, -1, 'BIT')
      row[CONTIGUOUS] = first + (gap >= 0 and gap or 8 * redis.call('STRLEN', key)) - 1
    end
  end
end

-- Of one that is not published yet.
local function set_published(ledger, sequence)
  local row = ledger.row
  count(ledger, PUBLISHED)
  if sequence > row[CONTIGUOUS] + 1 then
    local key, bit = ragged(ledger, sequence)
    redis.call('SETBIT', key, bit, 1)
  else
    row[CONTIGUOUS] = sequence
    follow(ledger)
  end
  if sequence > row[HIGHEST] then
    row[HIGHEST] = sequence
  end
end

-- Follows the final ones that lie together from FINALS on, and forgets the segments that end below.
local function advance(ledger)
  local row = ledger.row
  local size = row[SEGMENT]
  while row[FINALS] < row[FINAL_MAX] do
    local next_one = row[FINALS] + 1
    local word, mask = word_of(ledger, next_one)
    if word.complete then
      row[FINALS] = (word.segment + 1) * size - 1
    elseif not has(word.final, mask) then
      break
    elseif word.final == 4294967295 then -- all of its bits
      row[FINALS] = math.min(next_one - next_one % WORD + WORD - 1, row[FINAL_MAX])
    else
      local last = row[FINAL_MAX]
      repeat
        row[FINALS], mask = row[FINALS] + 1, mask / 2
      until row[FINALS] == last or mask < 1 or not has(word.final, mask)
    end
  end
  local complete = math.floor((row[FINALS] + 1) / size)
  while row[COMPLETE] < complete do
    local key = segment_key(ledger, row[COMPLETE])
    if row[SCATTERED] > 0 and redis.call('SREM', ledger.key .. ':complete', text(row[COMPLETE])) == 1 then
      row[SCATTERED] = row[SCATTERED] - 1
    else
      redis.call('DEL', key, key .. ':p')
    end
    row[COMPLETE] = row[COMPLETE] + 1
  end
end

-- `final`, `word`, `mask`: what `state_of` says of it.
local function set_final(ledger, sequence, outcome, final, word, mask)
  local row = ledger.row
  if final then
    redis.call('SREM', ledger.key .. ':replayed', text(sequence))
    count(ledger, REPLAYING, -1)
  elseif sequence == row[FINALS] + 1 then
    row[FINALS] = sequence
    if sequence > row[FINAL_MAX] then
      row[FINAL_MAX] = sequence
    end
    if sequence < row[FINAL_MAX] or sequence + 1 >= (row[COMPLETE] + 1) * row[SEGMENT] then
      advance(ledger)
    end
  else
    if not word then
      word, mask = word_of(ledger, sequence)
    end
    word.final, word.dirty = word.final + mask, true
    if sequence > row[FINAL_MAX] then
      row[FINAL_MAX] = sequence
    end
  end
  row[outcome], ledger.changed = row[outcome] + 1, true
end

-- Forgets the bits of a segment above FINALS whose frames are all final, and so all published.
local function retire(ledger, segment)
  local row = ledger.row
  local key = segment_key(ledger, segment)
  if segment * row[SEGMENT] <= row[FINALS] or (segment + 1) * row[SEGMENT] - 1 > row[HIGHEST]
    or redis.call('BITCOUNT', key) < row[SEGMENT] then
    return
  end
  redis.call('DEL', key, key .. ':p')
  redis.call('SADD', ledger.key .. ':complete', text(segment))
  row[SCATTERED] = row[SCATTERED] + 1
  ledger.changed = true
end

-- A word's place as BITFIELD wants it. Segments of the usual size have 2048.
local place_of
do
  local places_known = {}
  function place_of(at)
    local known = places_known[at]
    if not known then
      known = '#' .. text(at)
      if at < 2048 then
        places_known[at] = known
      end
    end
    return known
  end
end

-- Writes back what changed. Call it also after a failure: the frames before it have moved.
local function close_ledgers(ledgers)
  local records, written, number = {}, {}, 0
  for camera, ledger in pairs(ledgers.open) do
    if ledger.worded then
      local writes = {}
      for _, word in pairs(ledger.words) do
        if word.dirty and word.segment >= ledger.row[COMPLETE] then -- else they lie below FINALS by now
          local write = writes[word.segment]
          if not write then
            write = {}
            writes[word.segment] = write
          end
          local at = #write
          write[at + 1], write[at + 2], write[at + 3] = 'SET', 'u32', place_of(word.at)
          write[at + 4] = text(word.final)
        end
      end
      for segment, write in pairs(writes) do
        many('BITFIELD', segment_key(ledger, segment), {}, write)
        retire(ledger, segment)
      end
    end
    if ledger.changed then
      number = number + 1
      written[number], records[2 * number - 1], records[2 * number] = ledger, camera, cmsgpack.pack(ledger.row)
    end
  end
  if number > 0 then
    many('HSET', ledgers.key, {}, records)
    for at = 1, number do
      written[at].packed, written[at].known = records[2 * at], true
    end
  end
end
