"""Whose signature a release has to carry: Ed25519 public keys, base64.

`scripts/release-key` writes them here and into `scripts/install.sh`, which can read nothing else.
"""

from __future__ import annotations

from typing import Final

TEST_KEY: Final = "BQrIxUtsAKKiGu7NlYOdFUh01ukDmIBIeGR8FR77f2w="
"""Its private half lies in packaging/release/: whoever wants to can sign with it. It proves nothing."""

RELEASE_KEY: Final = "BQrIxUtsAKKiGu7NlYOdFUh01ukDmIBIeGR8FR77f2w="
"""The key of the releases. As long as it is the test key, every use of it is told."""

IS_TEST: Final = RELEASE_KEY == TEST_KEY
