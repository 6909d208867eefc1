-- The functions' names: a change of what one takes or returns needs a new library name.

redis.register_function('triarch_v1_open', open)
redis.register_function('triarch_v1_publish', publish)
redis.register_function('triarch_v1_fence', fence)
redis.register_function('triarch_v1_dispatch', dispatch)
redis.register_function('triarch_v1_return', give_back)
redis.register_function('triarch_v1_take', take)
redis.register_function('triarch_v1_settle', settle)
redis.register_function { function_name = 'triarch_v1_stats', callback = stats, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_ledger', callback = ledger, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_bits', callback = bits, flags = { 'no-writes' } }
redis.register_function { function_name = 'triarch_v1_scan', callback = scan, flags = { 'no-writes' } }
