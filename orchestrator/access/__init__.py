"""Who may do what: roles, tokens, and who is behind a request."""
