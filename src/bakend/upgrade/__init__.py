"""Whose a release is: `keys` has the key, `ed25519` checks what it has signed."""
