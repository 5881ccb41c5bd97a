"""The command line as its users meet it: real processes, exit codes, one line of JSON."""
