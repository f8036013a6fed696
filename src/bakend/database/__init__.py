"""The door to SQLite: connections, transactions, Bakend's own tables.

Nothing else in the package imports `sqlite3`. What the rows mean is not known here.
"""
