"""Frames under faults: a plant with cameras and processors, what harms it, and the ledger that decides."""
