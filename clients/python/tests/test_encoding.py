"""The strict reader."""

import pytest

from tsunagi_client import Doubt
from tsunagi_client.encoding import b64u, parse, unb64u


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "1.5", "1e3", "9007199254740992", "-9007199254740992", "NaN", "Infinity", '"\\ud800"', '"\\u0000"',
        '"\\ufffe"', '"\\ufdd0"', "[" * 40 + "]" * 40, "", "{} {}", "\ufeff{}", "{'a':1}", "9" * 5000,
    ],
)  # fmt: skip
def test_what_two_programs_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(Doubt) as doubt:
        parse(text)
    assert doubt.value.__cause__ is None


def test_bytes_that_are_no_utf_8_are_refused_and_not_kept() -> None:
    with pytest.raises(Doubt) as doubt:
        parse(b'{"name": "\xff"}')
    assert "name" not in str(doubt.value)


def test_text_is_read_as_it_stands() -> None:
    assert parse('{"n": -9007199254740991, "t": "髙\ufa19 葛\U000e0100\\n", "l": [true, null]}') == {
        "n": -9007199254740991,
        "t": "髙\ufa19 葛\U000e0100\n",
        "l": [True, None],
    }


@pytest.mark.parametrize("text", ["YQ==", "YR", "Y", "Y Q", "YQ\n", "あ", "+/", "a"])
def test_base64url_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(Doubt):
        unb64u(text)


def test_base64url_goes_there_and_back() -> None:
    for length in range(70):
        raw = bytes(range(length))
        assert unb64u(b64u(raw)) == raw
