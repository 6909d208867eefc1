-- How loaded each processor of the leader's table is, remembered from call to call.
--
-- Reading what 500 queues hold, and finding the least loaded of them, would be most of a call that publishes 64 frames. So what
-- was read is kept in this server's memory, and each call that changes a depth changes it here as well. It is believed only
-- while the data say so: the field ':depths' of `rotation` is another number after each change of a depth. Whoever finds a
-- number that is not the one it left reads all anew, and goes on from a number that only this memory has ever used: so
-- data that were changed elsewhere (another primary, a restored file, FLUSHALL) are never taken for those that are remembered.

local HUGE = 1 / 0 -- while a library is loaded there is no `math`
local VERSION_FIELD = ':depths'
local tables = {} -- by prefix

local unused_version, disown_depths, table_of, tree_of, reload, least_loaded, read_depths, lower_depth
do -- a library has room for two hundred names of its own
  local VERSION_STEP = 4294971393 -- between two of one memory: nobody counts so far
  local TABLES_KEPT = 16 -- prefixes whose tables are remembered
  local TREES_KEPT = 32 -- sets of processors of a table: each change of a load is told to every tree that it stands in

  local tables_number = 0
  local version_base

  -- A number for the state of depths that nobody else has used: far from all that other memories count up from.
  function unused_version()
    if not version_base then
      local now = redis.call('TIME')
      local seed = redis.sha1hex(now[1] .. ' ' .. now[2] .. ' ' .. tostring(tables))
      version_base = tonumber(string.sub(seed, 1, 8), 16) * 1048576 -- 2^52 at most: exact, and still so when counted up
    end
    version_base = (version_base + VERSION_STEP) % 4503599627370496
    return version_base + 1
  end

  -- The memory of a prefix is not believed any more, here or elsewhere: a depth is about to change without it.
  function disown_depths(prefix)
    if tables[prefix] then
      tables[prefix].version = nil
    end
    local version = unused_version()
    local reply = redis.pcall('HSET', prefix .. ':rotation', VERSION_FIELD, text(version))
    return type(reply) == 'number' and version or nil
  end

  -- {strategy, rows}; a row is {processor, capabilities, capacity}. The table that came last is found again by its very bytes, so
  -- nothing can be stale. Its rows and trees are made once, each call works on the same ones.
  function table_of(prefix, blob)
    local known = tables[prefix]
    if known and known.blob == blob then
      return known
    end
    if not known then
      if tables_number >= TABLES_KEPT then
        tables, tables_number = {}, 0
      end
      tables_number = tables_number + 1
    end
    local unpacked = cmsgpack.unpack(blob)
    local names, capable, rows, by_id = {}, {}, {}, {}
    for at, row in ipairs(unpacked[2]) do
      names[at] = row[1]
      local can = {}
      rows[at] = { id = row[1], capacity = tonumber(row[3]) or 0, key = stream_key(prefix, 'ready', row[1]), can = can }
      by_id[row[1]] = rows[at]
      for _, capability in ipairs(row[2]) do
        capable[capability] = capable[capability] or {}
        table.insert(capable[capability], at)
        can[capability] = true
      end
    end
    known = {
      blob = blob, name = redis.sha1hex(blob), strategy = unpacked[1], names = names, capable = capable,
      rows = rows, by_id = by_id, touched = {}, trees = {}, trees_number = 0, trees_of = {},
    }
    tables[prefix] = known
    return known
  end

  -- A share of its capacity; HUGE where it has no room.
  local function load_of(known, processor)
    if processor.outstanding >= processor.capacity then
      return HUGE
    elseif known.strategy == 'round_robin' then
      return 0
    end
    return processor.outstanding / processor.capacity
  end

  -- A tree over the processors with a capability, in the table's order: leaves hold their loads, each other node the least of its
  -- two. Capabilities that the same processors have share one.
  function tree_of(known, capability)
    local tree = known.trees_of[capability]
    if tree then
      return tree
    end
    local capable = known.capable[capability] or {}
    local name = table.concat(capable, ' ')
    tree = known.trees[name]
    if not tree then
      if known.trees_number >= TREES_KEPT then
        known.trees, known.trees_number, known.trees_of = {}, 0, {}
        for _, row in ipairs(known.rows) do
          row.trees, row.leaves = nil, nil
        end
      end
      local size = 1
      while size < #capable do
        size = size * 2
      end
      tree = { size = size, number = #capable, rows = {} }
      for at = 1, size do
        local row = known.rows[capable[at]]
        tree[size + at - 1] = row and load_of(known, row) or HUGE
        if row then
          tree.rows[at] = row
          if not row.trees then
            row.trees, row.leaves = {}, {}
          end
          row.trees[#row.trees + 1], row.leaves[#row.leaves + 1] = tree, size + at - 1
        end
      end
      for at = size - 1, 1, -1 do
        local left, right = tree[2 * at], tree[2 * at + 1]
        tree[at] = left < right and left or right
      end
      known.trees[name] = tree
      known.trees_number = known.trees_number + 1
    end
    known.trees_of[capability] = tree
    return tree
  end

  -- Tells the trees that a processor's load is another.
  function reload(known, processor)
    local trees = processor.trees
    if not trees then
      return
    end
    local outstanding, capacity, leaves = processor.outstanding, processor.capacity, processor.leaves
    local load = outstanding >= capacity and HUGE or known.strategy == 'round_robin' and 0 or outstanding / capacity
    for number = 1, #trees do
      local tree, at = trees[number], leaves[number]
      tree[at] = load
      while at > 1 do
        at = (at - at % 2) / 2
        local left, right = tree[2 * at], tree[2 * at + 1]
        local least = left < right and left or right
        if tree[at] == least then
          break
        end
        tree[at] = least
      end
    end
  end

  -- The position of the least loaded from `start` on (0: the first), going round; nil where all are full.
  function least_loaded(tree, start)
    local least, size = tree[1], tree.size
    if least == HUGE then
      return nil
    end
    local at = size + start
    if tree[at] ~= least then
      while at > 1 do
        if at % 2 == 0 and tree[at + 1] == least then
          at = at + 1
          break
        end
        at = (at - at % 2) / 2
      end
      while at < size do
        at = 2 * at
        if tree[at] ~= least then
          at = at + 1
        end
      end
    end
    return at - size
  end

  -- Reads how many frames each queue of the table holds, unless what is remembered is that.
  function read_depths(prefix, known)
    -- Where this fails the call has written nothing yet.
    local version = redis.call('HGET', prefix .. ':rotation', VERSION_FIELD)
    if known.version and version == known.version_text then
      return
    end
    known.version = nil
    local free, outstanding, capacity = 0, 0, 0
    for from = 1, #known.names, UNPACK_MAX do
      local depths = redis.call('HMGET', prefix .. ':depths',
        unpack(known.names, from, math.min(from + UNPACK_MAX - 1, #known.names)))
      for offset, depth in ipairs(depths) do
        local row = known.rows[from + offset - 1]
        row.outstanding, row.queued = tonumber(depth or 0), depth
        outstanding = outstanding + row.outstanding
        capacity = capacity + row.capacity
        free = free + math.max(0, row.capacity - row.outstanding)
        row.trees, row.leaves = nil, nil
      end
    end
    known.trees, known.trees_number, known.trees_of, known.turns = {}, 0, {}, {}
    known.free, known.outstanding, known.capacity = free, outstanding, capacity
    known.version = disown_depths(prefix)
    known.version_text = known.version and text(known.version)
  end

  -- A queue has lost frames: so many.
  function lower_depth(prefix, processor, by)
    local known = tables[prefix]
    local version = known and known.version and redis.pcall('HINCRBY', prefix .. ':rotation', VERSION_FIELD, 1)
    if not version or version ~= known.version + 1 then
      disown_depths(prefix)
      known = nil
    else
      known.version = nil -- until all is written
    end
    local depth = redis.call('HINCRBY', prefix .. ':depths', processor, -by)
    if depth < 0 then
      depth = length_of(stream_key(prefix, 'ready', processor))
      redis.call('HSET', prefix .. ':depths', processor, depth)
    end
    if not known then
      return
    end
    local row = known.by_id[processor]
    if row then
      known.free = known.free - math.max(0, row.capacity - row.outstanding) + math.max(0, row.capacity - depth)
      known.outstanding = known.outstanding - row.outstanding + depth
      row.outstanding, row.queued = depth, true
      reload(known, row)
    end
    known.version, known.version_text = version, text(version)
  end
end
