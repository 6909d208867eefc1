"""Histories of registers: clients record them, and a search says whether they are linearizable."""
