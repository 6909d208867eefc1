"""Explores what may become of a playbook before it is loaded: `triarch playbook check` (`docs/playbook-checker.md`)."""
