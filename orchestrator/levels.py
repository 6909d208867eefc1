"""Levels of what members know together beside kinds of commands: see `LEVELS` in `orchestrator.state`. Pure."""

OWN_KEYS_LEVEL = 4
"""From which on a component is asked under a key that holds who asks."""
