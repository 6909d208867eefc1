"""`triarch doctor`: what is wrong with a plant that runs, and with a host before a node runs on it."""
