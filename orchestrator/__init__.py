"""Components, playbooks and the node that runs them. Importing this package imports nothing else."""
