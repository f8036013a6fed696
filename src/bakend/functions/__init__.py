"""Functions: the project's Python that runs after events.

`registry.py` says what the files ask for, `engine.py` reads the log and hands out what happened.
"""
