"""The normal form of a URL's path, the same for whoever limits, routes or logs it."""

from __future__ import annotations


def normal_path(path: str) -> str:
    """Return a percent-decoded path without empty and dot segments and without a slash at its end.

    Were `/upload/../posts` taken as it is by one and as `/posts` by another, a request could borrow
    the larger limits of `/upload`.

    Below `/_`, where paths are those of files, `..` stays and is refused there: no browser sends it
    unless somebody has written it as `%2e%2e` or `..%2f`.
    """
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == ".." and kept[:1] != ["_"]:
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)
