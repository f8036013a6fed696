"""`python -m bakend`, and the entry of `bak`."""

from __future__ import annotations

from bakend.cli.main import main

if __name__ == "__main__":
    main()
