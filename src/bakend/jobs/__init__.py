"""Jobs: the project's Python that runs at certain times.

`schedule.py` reads cron expressions, `declare.py` says what the files ask for, `scheduler.py` lets
jobs run when they are due.
"""
