"""A deterministic simulation of the agreement: the real `Raft` of all members on a virtual clock, network and disk.

    python -m tests.simulation --seeds 1-200

plan.py        what happens in a run, drawn from its seed: faults and clients' operations, as a plain list
world.py       one run: agenda, members, network, faults, clients, then a heal, and what must hold after it
agenda.py      virtual time · disk.py · network.py · member.py: what stands in for a host
invariants.py  what is checked at every step · histories.py: what clients saw
shrink.py      the shortest plan that still fails · defects.py: protections switched off, to see the simulation fail

Nothing here asks the host for time or randomness. The same seed gives the same run, event by event.
"""
