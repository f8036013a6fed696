"""The sockets: listening, reading requests, sending answers, draining; the door to Waitress.

`serve.py` is the front: it owns every part and its life. What an answer means is not known here:
the WSGI application and a function that turns an error into an answer are handed in.
"""
