"""What a browser was sent, as it counts itself: from the events of its own protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Transfer:
    """One request, and what came of it."""

    address: str
    type: str = ""
    """The media type of the answer; empty as long as there is none."""
    status: int = 0
    body: int = 0
    """Bytes of the answer's body as they were sent: compressed, where they were."""
    size: int = 0
    """Bytes of the whole answer, its head too."""
    fault: str = ""
    """Why there is no answer, or which refusal it is."""

    @property
    def is_script(self) -> bool:
        """Tell whether a script was sent."""
        return "javascript" in self.type


def transfers(events: Iterable[Mapping[str, Any]]) -> list[Transfer]:
    """Return the requests that events of `Network` tell of, in their order."""
    found: dict[str, Transfer] = {}
    for event in events:
        about = event["params"]
        key = about.get("requestId", "")
        if event["method"] == "Network.requestWillBeSent":
            found[key] = Transfer(about["request"]["url"])
        elif key in found:
            _take(found[key], event["method"], about)
    # What the browser has in itself, such as about:blank, was sent by nobody.
    return [each for each in found.values() if each.address.startswith("http")]


def _take(transfer: Transfer, method: str, about: Mapping[str, Any]) -> None:
    if method == "Network.responseReceived":
        answer = about["response"]
        transfer.type, transfer.status = answer["mimeType"], answer["status"]
        if transfer.status >= 400:
            transfer.fault = str(transfer.status)
    elif method == "Network.dataReceived":
        transfer.body += about["encodedDataLength"]
    elif method == "Network.loadingFinished":
        transfer.size = int(about["encodedDataLength"])
    elif method == "Network.loadingFailed":
        transfer.fault = about["errorText"]
