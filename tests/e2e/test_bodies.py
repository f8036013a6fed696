"""Whatever a body holds, it is refused or kept whole."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bodies import Bodies, pairs
from processes import Answer, Client, make_project, running_server
from samples import EVERYTHING, LISTS

pytestmark = pytest.mark.e2e

TYPES = {field["name"]: field["type"] for field in EVERYTHING["fields"]}
REFUSALS = {400: {"bad_request", "validation_error"}, 413: {"payload_too_large"}}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "count", "every"),
    [
        pytest.param(1, 300, 7, id="some"),
        pytest.param(2, 10_000, 1, id="ten thousand", marks=pytest.mark.slow),
    ],
)
def test_a_body_is_refused_or_reads_back_equal(
    tmp_path: Path, seed: int, count: int, every: int
) -> None:
    """No body is answered with a 5xx, and what was accepted is given back as it was sent."""
    make_project(tmp_path, [LISTS, EVERYTHING])
    answers: Counter[int] = Counter()
    records: dict[str, bytes] = {}
    expected: dict[str, Any] = {}
    path = "/api/everything"

    with running_server(tmp_path) as server, server.client() as client:
        targets = [client.post("/api/lists", {"name": str(n)}).json["id"] for n in range(3)]
        bodies = Bodies(seed, targets)
        odd = list(pairs([*TYPES, "unknown"]))[::every]
        series = [*odd, *map(bodies.make, range(count))]
        for number, body in enumerate(series):
            updates = number % 5 == 4 and path != "/api/everything"
            answer = client.send("PUT", path, body) if updates else _create(client, body)
            answers[answer.status] += 1
            if answer.status not in (200, 201):
                assert answer.code in REFUSALS[answer.status], (number, body[:500])
                continue
            record = answer.json
            expected = {**(expected if updates else dict.fromkeys(TYPES)), **_known(body)}
            path = f"/api/everything/{record['id']}"
            read = client.get(path)
            assert read.body == answer.body
            _assert_equal(expected, record, number)
            records[record["id"]] = read.body
        listed = _list(client)

        assert " ERROR " not in server.log
        assert "Traceback" not in server.log

    assert listed == {record_id: json.loads(text) for record_id, text in records.items()}
    # It would be no test if nearly all were refused, or nearly none.
    assert answers[201] + answers[200] > len(series) * 0.25, answers
    assert answers[400] > len(series) * 0.25, answers
    assert answers[413] > 0, answers


def _create(client: Client, body: bytes) -> Answer:
    return client.send("POST", "/api/everything", body)


def _known(body: bytes) -> dict[str, Any]:
    """Return the fields in a body that was accepted, by a reading of our own.

    What could not be given back as it came must not be accepted anywhere, also not where it would
    be dropped: it would be kept on the day that the field is added.
    """
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    assert not re.search(r"[0-9.eE+-]{401}", _without_strings(text))
    sent: dict[str, Any] = json.loads(text)
    _assert_keepable(sent, depth=1)
    return {name: sent[name] for name in TYPES if name in sent}


def _without_strings(text: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)


def _assert_keepable(value: object, depth: int) -> None:
    if isinstance(value, dict | list):
        assert depth <= 64
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _assert_keepable(item, depth + 1)
    elif isinstance(value, str):
        assert value.isascii() or value.encode()
    elif isinstance(value, float):
        assert math.isfinite(value)


def _list(client: Client) -> dict[str, Any]:
    records: dict[str, Any] = {}
    while True:
        page = client.get(f"/api/everything?limit=1000&offset={len(records)}").json["items"]
        if not page:
            return records
        records.update({record["id"]: record for record in page})


def _assert_equal(sent: dict[str, Any], record: dict[str, Any], number: int) -> None:
    assert list(record) == ["id", "createdAt", "updatedAt", *TYPES]
    assert record["id"].startswith("rec_")
    for name, value in sent.items():
        is_number = TYPES[name] in ("integer", "float") and value is not None
        is_equal = _same_number(value, record[name]) if is_number else _same(value, record[name])
        assert is_equal, f"body {number}: {name} was {value!r} and is {record[name]!r}"
        assert TYPES[name] != "integer" or isinstance(record[name], int | None)


def _same_number(sent: object, read: object) -> bool:
    """Whether two numbers are equal, where 3.0 is 3 and -0 is 0."""
    return (
        isinstance(sent, int | float)
        and isinstance(read, int | float)
        and not isinstance(sent, bool)
        and not isinstance(read, bool)
        and math.isfinite(read)
        and sent == read
    )


def _same(sent: object, read: object) -> bool:
    """Whether two JSON values are the same, to the last sign: True is not 1, and 1.0 is not 1."""
    if type(sent) is not type(read):
        return False
    if isinstance(sent, dict) and isinstance(read, dict):
        return sent.keys() == read.keys() and all(_same(sent[key], read[key]) for key in sent)
    if isinstance(sent, list) and isinstance(read, list):
        return len(sent) == len(read) and all(map(_same, sent, read))
    if isinstance(sent, float) and isinstance(read, float):
        return math.isfinite(read) and sent.hex() == read.hex()
    return sent == read
