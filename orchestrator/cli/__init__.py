"""The command `triarch`: noun then verb, data on stdout, messages on stderr, an exit code per outcome.

`main` knows the names of the commands and loads the one that is run; everything heavy is imported inside a command.
"""
