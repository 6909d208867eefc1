-- The functions' names: a change of what one takes or returns needs a new library name.

-- Only what brings frames in is refused by a server that is full: the other calls are what empties it.
redis.register_function('triarch_v2_open', open)
redis.register_function('triarch_v2_publish', publish)
redis.register_function('triarch_v2_drop', drop)
redis.register_function { function_name = 'triarch_v2_fence', callback = fence, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_pressure', callback = pressure, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_dispatch', callback = dispatch, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_peek', callback = peek, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_place', callback = place, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_return', callback = give_back, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_expire', callback = expire, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_take', callback = take, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_settle', callback = settle, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_renew', callback = renew, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_replay', callback = replay, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v2_forget', callback = forget, flags = { 'allow-oom' } }

-- What a newer library has written means something else by now: to read it as ours would prove what is not so.
local function looking(look)
  return function(keys, argv)
    return too_old(keys[1]) or look(keys, argv)
  end
end
redis.register_function { function_name = 'triarch_v2_stats', callback = looking(stats), flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_ledger', callback = looking(ledger), flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_bits', callback = looking(bits), flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_replaying', callback = looking(replaying), flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_scan', callback = looking(scan), flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_find', callback = looking(find), flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_missing', callback = looking(missing), flags = { 'no-writes' } }
