-- The functions' names: a change of what one takes or returns needs a new library name.

-- Only what brings frames in is refused by a server that is full: the other calls are what empties it.
redis.register_function('triarch_v1_open', open)
redis.register_function('triarch_v1_publish', publish)
redis.register_function { function_name = 'triarch_v1_fence', callback = fence, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v1_dispatch', callback = dispatch, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v1_return', callback = give_back, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v1_take', callback = take, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v1_settle', callback = settle, flags = { 'allow-oom' } }
redis.register_function { function_name = 'triarch_v1_stats', callback = stats, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_ledger', callback = ledger, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_bits', callback = bits, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_scan', callback = scan, flags = { 'no-writes' } }
