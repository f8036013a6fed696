"""Who is asking: identities and the table of users.

Accounts (registering, logging in, sessions) stand on this.
"""
