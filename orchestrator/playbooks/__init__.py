"""Playbooks: what the leader does to the plant, step by step; a crash between any two instructions changes nothing."""
