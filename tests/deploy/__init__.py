"""Of deploy/ansible and its tools: what needs no host."""
