"""Drills: a fault is done to a plant under load on purpose, and what it did is measured against a budget."""
