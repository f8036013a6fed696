"""Realtime: clients that stay connected are told what happens, as far as they may see it.

`front` takes connections from the server and starts the thread; `loop` is that thread, with the
sockets; `desk` talks to the clients, and reads the log; `hub` knows who is to be told what; `channels`,
`messages` and `replay` are words and plain decisions.
"""
