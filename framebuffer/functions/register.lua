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
redis.register_function { function_name = 'triarch_v2_stats', callback = stats, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_ledger', callback = ledger, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_bits', callback = bits, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_replaying', callback = replaying, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_scan', callback = scan, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v2_missing', callback = missing, flags = { 'no-writes' } }
