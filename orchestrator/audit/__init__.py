"""Who changed what: a chain of entries in the replicated state, kept longer in a file of each node."""
