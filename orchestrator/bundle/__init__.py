"""`triarch debug bundle`: one file with what whoever helps needs to see, and nothing secret in it."""
