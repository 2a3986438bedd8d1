"""Words planted in a referral, a consent, a staff id and in refused requests are found in no byte of the database, its write-ahead log, the
gateway's other files, its log at the finest level, its metrics, or any refusal."""

import base64
import json
import os
import re
import secrets
import tomllib
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conftest import served
from story import BENEFIT, PLACEMENT, World
from tsunagi_client import issue


class Marker:
    """A word that stands nowhere else, in every spelling a program might write it in."""

    def __init__(self, ascii_only: bool = False):
        word = f"mk{secrets.token_hex(8)}"
        self.text = word if ascii_only else f"目印{word}覚え"

    def spellings(self) -> Iterator[bytes]:
        # The ASCII core betrays most spellings; the Japanese part those that escape it.
        for text in {self.text, re.sub(r"[^!-~]", "", self.text)}:
            raw = text.encode()
            yield raw
            yield text.encode("utf-16-le")
            yield text.encode("utf-16-be")
            yield raw.hex().encode()
            yield raw.hex().upper().encode()
            yield json.dumps(text)[1:-1].encode()
            yield urllib.parse.quote(text).encode()
            for skipped in range(3):
                # The characters of base64 that depend on the word alone, whatever stands around it.
                inner = base64.b64encode(b"\0" * skipped + raw)
                inner = inner[(0, 2, 3)[skipped] : len(inner) - 4]
                yield inner
                yield inner.replace(b"+", b"-").replace(b"/", b"_")


def found(haystack: bytes, markers: dict[str, Marker]) -> list[str]:
    return [name for name, marker in markers.items() if any(spelling in haystack for spelling in marker.spellings())]


def test_the_search_finds_a_planted_word_in_each_spelling():
    for marker in (Marker(), Marker(ascii_only=True)):
        for spelling in marker.spellings():
            assert len(spelling) >= 12
            assert found(b"before" + spelling + b"after", {"planted": marker}) == ["planted"]
        for around in range(3):
            text = b"x" * around + json.dumps({"a": marker.text}, ensure_ascii=False).encode() + b"y" * around
            assert found(base64.b64encode(text), {"planted": marker}) and found(base64.urlsafe_b64encode(text), {"planted": marker})
        assert not found(b"nothing of it", {"planted": marker})


def _planted(world: World) -> tuple[dict, dict[str, Marker]]:
    """The example body with a marker in every row that is free text, and the markers by row."""
    body, markers = dict(world.body), {}
    for row, value in world.body.items():
        rule = world.catalogue[row]
        free = rule.get("type") == "string" and not {"pattern", "format", "enum", "$ref", "oneOf", "const"} & set(rule)
        if free and isinstance(value, str) and rule.get("maxLength", 0) >= 30:
            markers[row] = Marker()
            body[row] = markers[row].text
    return body, markers


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    binary = os.environ.get("TSUNAGI_BIN")
    if not binary:
        pytest.fail("the markers are looked for in the files of a gateway of our own: set TSUNAGI_BIN")
    scratch = tmp_path_factory.mktemp("markers")
    with served(binary, scratch, '\n[log]\nlevel = "trace"\n') as folder:
        yield scratch, folder, World(folder)


def test_no_planted_word_is_found_outside_the_parties_own_folders(marked):
    scratch, folder, world = marked
    body, markers = _planted(world)
    assert len(markers) >= 15, "the referral has this many rows of free text"
    extra = {name: Marker(ascii_only=True) for name in ("staff at the centre", "staff at the municipality", "pseudonym")}
    extra |= {name: Marker() for name in ("place", "witness", "why", "unknown row", "wrong type", "broken JSON")}
    markers |= extra
    world.centre.staff, world.municipality.staff = extra["staff at the centre"].text, extra["staff at the municipality"].text

    consent = world.consent(sub=extra["pseudonym"].text + "-" * 8, place=extra["place"].text, witness=extra["witness"].text)
    referral = world.refer(consent, body=body)
    shown = world.read(referral, PLACEMENT).body
    assert any(shown.get(row) == marker.text for row, marker in markers.items()), "the reader does get the words"
    world.read(referral, BENEFIT)
    world.ok(world.centre.get(f"/v1/cases/{referral.case_at_sender}/receipts", PLACEMENT))

    refused = [
        world.centre.post_message("/v1/referrals", PLACEMENT, world.message(world.unticked_consent(), body=body)),
        world.centre.post_message("/v1/referrals", PLACEMENT, world.message(world.consent(), body=body | {"not_in_the_catalogue": extra["unknown row"].text})),
        world.centre.post_message("/v1/referrals", PLACEMENT, world.message(world.consent(), body=body | {"birth_date": extra["wrong type"].text})),
        world.centre.post_message("/v1/referrals", PLACEMENT, world.message(world.consent(), body=body | {"wishes_life": body["wishes_life"] + " 983205673214"})),
        world.centre.request("POST", "/v1/agreements", "administration", "{" + extra["broken JSON"].text, "application/json"),
        world.centre.get(f"/v1/cases?state={urllib.parse.quote(extra['broken JSON'].text)}", PLACEMENT),
        world.centre.get(f"/v1/cases/{urllib.parse.quote(extra['broken JSON'].text)}", PLACEMENT),
        world.centre.post_message("/v1/referrals", PLACEMENT, issue(world.municipality.me.signing_key, world.claims(world.consent(), body=body))),
    ]
    for response in refused:
        assert 400 <= response.status_code < 500, response.text
        assert not found(response.content + str(response.headers).encode(), markers), response.json()["code"]
    assert {r.json()["code"] for r in refused} >= {"over_disclosure", "schema_invalid", "prohibited_my_number", "bad_request", "not_found"}
    world.ok(world.end_consent(consent.jti, why=extra["why"].text))
    assert world.municipality.get(f"/v1/cases/{referral.case_at_reader}", PLACEMENT).status_code == 403

    admin = tomllib.loads((folder / "tsunagi.toml").read_text())["admin"]["listen"]
    metrics = httpx.get(f"http://{admin}/metrics", trust_env=False)
    assert metrics.status_code == 200 and b"tsunagi_requests" in metrics.content
    assert not found(metrics.content, markers)

    searched = [path for path in sorted(folder.rglob("*")) if path.is_file() and "parties" not in path.relative_to(folder).parts]
    names = {path.name for path in searched}
    assert {"tsunagi.sqlite", "tsunagi.sqlite-wal"} <= names, names
    for path in [*searched, scratch / "serve.log"]:
        content = path.read_bytes()
        assert not found(content, markers), f"{path.name} ({len(content)} bytes) holds a planted word"
    log = (scratch / "serve.log").read_bytes()
    assert b"over_disclosure" in log, "the log says what was refused"
    # The search itself works on these files: a word that is there is found.
    assert found((folder / "data" / "tsunagi.sqlite-wal").read_bytes() + (folder / "data" / "tsunagi.sqlite").read_bytes(), {"party": _word("settlement_center:13-1")})


def _word(text: str) -> Marker:
    marker = Marker(ascii_only=True)
    marker.text = text
    return marker
