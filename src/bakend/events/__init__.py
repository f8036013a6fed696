"""What happened: the events, the durable log that numbers them, the bus that wakes its readers.

An event exists if and only if its change committed, and its number is the commit's order.
"""
