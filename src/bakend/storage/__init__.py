"""Files: the table `_files`, and later the bytes on disk."""
