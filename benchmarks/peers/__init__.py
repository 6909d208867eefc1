"""The same work by other systems, beside ours, in one run: see README.md in this directory.

Only the processes that a peer's module runs in may import the peer's packages; the modules themselves import them in
functions, so that the product's own environment can read them.
"""
