"""A newer executable in the place of this one, or the one before it again: `bak upgrade`.

`keys` and `ed25519` say whose a release is, `releases` what is in one, `download` fetches, `candidate`
tries a new file, `place` is where the executable lies. `programs` runs other programs, `service` is
what systemd restarts, `watching` tells whether that went well, `data` goes back to a database. `upgrade`
is the order of it all.
"""
