"""Watching the plant: histories of its figures, trends in them, and the alerts that rules make of both."""
