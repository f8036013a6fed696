"""What clients say, and what they are told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.realtime import messages
from bakend.realtime.messages import CODES, MessageError, Ping, Subscribe, Unsubscribe, parse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"action":"subscribe","channel":"posts.*"}', Subscribe("posts.*")),
        ('{"action":"subscribe","channel":"a.b","since":0}', Subscribe("a.b", 0)),
        ('{"action":"subscribe","channel":"a.b","since":null,"more":[1]}', Subscribe("a.b")),
        ('{"action":"unsubscribe","channel":"posts.*"}', Unsubscribe("posts.*")),
        ('\ufeff{"action":"ping","channel":5}', Ping()),
    ],
)
def test_a_message_is_understood(text: str, message: Subscribe | Unsubscribe | Ping) -> None:
    """Three actions; what else is in it is ignored."""
    assert parse(text.encode()) == message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"ping"', "invalid_json"),
        (b"{}", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" * 60_000, "invalid_json"),
        (b'{"action":"Ping"}', "invalid_json"),
        (b'{"action":["ping"]}', "invalid_json"),
        (b'{"action":"subscribe"}', "invalid_json"),
        (b'{"action":"subscribe","channel":1}', "invalid_json"),
        (b'{"action":"subscribe","channel":"*"}', "invalid_channel"),
        (b'{"action":"unsubscribe","channel":""}', "invalid_channel"),
        (b'{"action":"subscribe","channel":"a","since":-1}', "invalid_since"),
        (b'{"action":"subscribe","channel":"a","since":true}', "invalid_since"),
        (b'{"action":"subscribe","channel":"a","since":"1"}', "invalid_since"),
        (b'{"action":"subscribe","channel":"a","since":9007199254740993}', "invalid_since"),
    ],
)
def test_what_is_no_message_has_a_code(data: bytes, code: str) -> None:
    """It says nothing that we understand, and why."""
    with pytest.raises(MessageError) as caught:
        parse(data)

    assert caught.value.code == code
    answer = json.loads(messages.error(caught.value))
    assert answer == {"type": "error", "code": code, "message": caught.value.message}


@given(st.binary(max_size=200))
def test_nothing_that_is_sent_breaks_the_reader(data: bytes) -> None:
    """Any bytes are a message, or a fault with a known code."""
    try:
        parse(data)
        code = CODES[0]
    except MessageError as fault:
        code = fault.code

    assert code in CODES


def test_answers_have_the_form_that_clients_know() -> None:
    """With a number where it is known."""
    assert json.loads(messages.subscribed("a.*", 7)) == {
        "type": "subscribed",
        "channel": "a.*",
        "seq": 7,
    }
    assert json.loads(messages.subscribed("a.*")) == {"type": "subscribed", "channel": "a.*"}
    assert json.loads(messages.pong(None)) == {"type": "pong"}
    assert messages.limit_reached().message == "Maximum 50 subscriptions per connection"
