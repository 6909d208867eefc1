"""What a plant works on while it is drilled: programs of their own, and what they record of themselves."""
