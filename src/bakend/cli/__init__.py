"""The command line, `bak`: one file per group of commands. The door to click, and to the environment.

Results go to stdout, the log and failures to stderr; exit codes stand in `failures.py`.
"""
