"""Files: the table `_files`, and the bytes on the disk.

`files.py` keeps the two together and is what others use. `blobs.py` knows the folders, `incoming.py`
a file while it arrives, `links.py` the links that need no token; `names.py` and `media.py` say what
a file is called and what it is.
"""
