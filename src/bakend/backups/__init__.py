"""Backups: one archive with all of a project, and the way back.

`manifest` says what is in an archive, `archive` writes and reads it byte by byte, `contents` finds what
belongs into it. `backups` owns the folder of backups and makes, lists, verifies and removes them;
`restoring` puts one in the place of a project, `swapping` moves the old state aside; `replacement` is
what a server is asked to restore.
"""
