"""Records: the rows of collections, as the API shows them.

The store is handed a guard and asks it inside the transaction; it knows that it may be refused,
not who asks.
"""
