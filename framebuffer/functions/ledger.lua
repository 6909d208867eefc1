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

-- Eight fields and no more: a thousand cameras' ledgers are more than a processor's caches hold. `words`: see word_of, false where
-- the call has needed none.
local function opened(prefix, camera, packed)
  return {
    camera = camera, key = stream_key(prefix, 'ledger', camera), known = packed and true or false, changed = false,
    packed = false, words = false, before = -1,
    row = packed and cmsgpack.unpack(packed) or { 65536, -1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1 },
  }
end

local function new_ledgers(prefix)
  return { prefix = prefix, key = prefix .. ':ledger', open = {} }
end

-- Reads the records of cameras in one call. Ledgers are kept as calls left them, by prefix and camera: where the record is the very
-- bytes that were made of one, it need not be unpacked again. While a call works with one it has no bytes, so one that a
-- call broke off with is never believed.
local prefetch
do -- a library has room for two hundred names of its own
  local LEDGERS_KEPT = 4096
  local NONE = {}
  local ledgers_kept, ledgers_number = {}, 0

  local function keep(prefix, camera, packed)
    local kept = ledgers_kept[prefix]
    if not kept then
      kept = {}
      ledgers_kept[prefix] = kept
    end
    if not kept[camera] then
      if ledgers_number >= LEDGERS_KEPT then
        kept, ledgers_number = {}, 0
        ledgers_kept = { [prefix] = kept }
      end
      ledgers_number = ledgers_number + 1
    end
    local ledger = opened(prefix, camera, packed)
    kept[camera] = ledger
    return ledger
  end

  function prefetch(ledgers, cameras)
    local open, wanted, number = ledgers.open, {}, 0
    for at = 1, #cameras do
      local camera = cameras[at]
      if open[camera] == nil then
        number = number + 1
        wanted[number], open[camera] = camera, false -- until it is read
      end
    end
    if number == 0 then
      return
    end
    local records, kept = values_of(ledgers.key, wanted), ledgers_kept[ledgers.prefix] or NONE
    for at = 1, number do
      local camera, packed = wanted[at], records[at]
      local ledger = kept[camera]
      if ledger and packed and ledger.packed == packed then
        ledger.packed, ledger.changed, ledger.words = false, false, false
      else
        ledger = keep(ledgers.prefix, camera, packed)
      end
      open[camera] = ledger
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

-- The word that holds a sequence's final bit, the sequence's mask in it, and the word's number. The words of a call stand in the
-- ledger's `words` as they are to be, those that changed with WRITTEN added, as what is no frame's bit; the bits of a complete
-- segment are not kept any more: its words are COMPLETE_WORD. Words of a batch lie together: they are read a page at a time.
local WRITTEN, COMPLETE_WORD = 4294967296, 12884901887 -- 2^32; 2^33, and all bits of a word
local word_of
do
  local PAGE = 64 -- words
  local MASKS = {} -- by position in the word
  for at = 0, WORD - 1 do
    MASKS[at] = 2 ^ (WORD - 1 - at)
  end

  function word_of(ledger, sequence)
    local bit = sequence % WORD
    local number, mask = (sequence - bit) / WORD, MASKS[bit]
    local words = ledger.words
    if not words then
      words = { bytes = '', first = 0, last = -1 }
      ledger.words = words
    end
    local word = words[number]
    if word then
      return word, mask, number
    end
    local row = ledger.row
    local size = row[SEGMENT] / WORD
    local at = number % size
    local segment = (number - at) / size
    word = 0
    if (segment < row[COMPLETE] or row[SCATTERED] > 0) and is_complete(ledger, segment) then
      word = COMPLETE_WORD
    elseif number * WORD <= row[FINAL_MAX] then
      if number < words.first or number > words.last then
        local from = at - at % PAGE
        words.first, words.last = number - at % PAGE, number - at + math.min(from + PAGE, size) - 1
        words.bytes = redis.call('GETRANGE', segment_key(ledger, segment), 4 * from, 4 * (from + PAGE) - 1)
      end
      local from = 4 * (number - words.first) + 1
      local a, b, c, d = string.byte(words.bytes, from, from + 3)
      word = (a or 0) * 16777216 + (b or 0) * 65536 + (c or 0) * 256 + (d or 0)
    end
    words[number] = word
    return word, mask, number
  end
end

local function has(bits, mask)
  return bits % (2 * mask) >= mask
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

-- Whether the sequence was published, and whether it is final; where its word was needed for that, its number and the mask.
local function state_of(ledger, sequence)
  local row = ledger.row
  if sequence <= row[FINALS] then
    return true, true
  elseif not is_published(ledger, sequence) then
    return false, false
  elseif sequence > row[FINAL_MAX] then
    return true, false
  end
  local word, mask, number = word_of(ledger, sequence)
  return true, has(word, mask), number, mask
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
    if word == COMPLETE_WORD then
      row[FINALS] = next_one - next_one % size + size - 1
    elseif not has(word, mask) then
      break
    elseif word % WRITTEN == WRITTEN - 1 then -- all of its bits
      row[FINALS] = math.min(next_one - next_one % WORD + WORD - 1, row[FINAL_MAX])
    else
      local last = row[FINAL_MAX]
      repeat
        row[FINALS], mask = row[FINALS] + 1, mask / 2
      until row[FINALS] == last or mask < 1 or not has(word, mask)
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

-- `final`, `number`, `mask`: what `state_of` says of it.
local function set_final(ledger, sequence, outcome, final, number, mask)
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
    if not number then
      local _
      _, mask, number = word_of(ledger, sequence)
    end
    local word = ledger.words[number] + mask
    ledger.words[number] = word < WRITTEN and word + WRITTEN or word
    if sequence > row[FINAL_MAX] then
      row[FINAL_MAX] = sequence
    end
  end
  row[outcome], ledger.changed = row[outcome] + 1, true
end

local close_ledgers
do
  local NONE = {}

  -- The bytes that `cmsgpack.pack(row)` makes, in half as many steps: a record is seventeen whole numbers, most of them small or
  -- the same as in the records before it.
  local ARRAY_OF_17 = '\220\0\17'
  local function packed_of(row)
    local known = codes
    local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q = unpack(row)
    return ARRAY_OF_17
      .. (known[a] or code_of(a)) .. (known[b] or code_of(b)) .. (known[c] or code_of(c)) .. (known[d] or code_of(d))
      .. (known[e] or code_of(e)) .. (known[f] or code_of(f)) .. (known[g] or code_of(g)) .. (known[h] or code_of(h))
      .. (known[i] or code_of(i)) .. (known[j] or code_of(j)) .. (known[k] or code_of(k)) .. (known[l] or code_of(l))
      .. (known[m] or code_of(m)) .. (known[n] or code_of(n)) .. (known[o] or code_of(o)) .. (known[p] or code_of(p))
      .. (known[q] or code_of(q))
  end

  -- Forgets the bits of a segment above FINALS whose frames are all final, and so all published.
  local function retire(ledger, segment, key)
    local row = ledger.row
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
  local places_known = {}
  local function place_of(at)
    local known = places_known[at]
    if not known then
      known = '#' .. text(at)
      if at < 2048 then
        places_known[at] = known
      end
    end
    return known
  end

  local function write_words(ledger)
    local writes, row, words = {}, ledger.row, ledger.words
    local size = row[SEGMENT] / WORD
    words.bytes, words.first, words.last = nil, nil, nil
    for number, word in pairs(words) do
      if word >= WRITTEN and word ~= COMPLETE_WORD then
        local place = number % size
        local segment = (number - place) / size
        if segment >= row[COMPLETE] then -- else they lie below FINALS by now
          local write = writes[segment]
          if not write then
            write = {}
            writes[segment] = write
          end
          local at = #write
          write[at + 1], write[at + 2], write[at + 3], write[at + 4] = 'SET', 'u32', place_of(place), word - WRITTEN
        end
      end
    end
    for segment, write in pairs(writes) do
      local key = segment_key(ledger, segment)
      many('BITFIELD', key, NONE, write)
      retire(ledger, segment, key)
    end
  end

  -- Writes back what changed. Call it also after a failure: the frames before it have moved.
  function close_ledgers(ledgers)
    local records, number = {}, 0
    for camera, ledger in pairs(ledgers.open) do
      if ledger and ledger.words then
        write_words(ledger)
      end
      if ledger and ledger.changed then
        local packed = packed_of(ledger.row)
        records[number + 1], records[number + 2], number = camera, packed, number + 2
        ledger.packed, ledger.known = packed, true
      end
    end
    many('HSET', ledgers.key, NONE, records)
  end
end
