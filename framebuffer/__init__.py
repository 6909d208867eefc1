"""Frames: streams, ledger, producer and processor SDKs."""
