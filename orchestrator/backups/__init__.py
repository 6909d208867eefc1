"""Backups of a plant: the replicated state and the server of the frames: made, proven, brought back."""
