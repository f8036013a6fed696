"""Accounts of others: what administrators do with them, how the first one comes, how one ends.

What people do with their own account stands in `auth/authenticator.py`.
"""
