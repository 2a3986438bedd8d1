"""Envelopes: made with exactly the header of the protocol; anything else is refused before or by the library."""

import json

import pytest
from jwcrypto.jwe import JWE

from tsunagi_client import Doubt
from tsunagi_client.encoding import b64u, unb64u
from tsunagi_client.envelope import RELEASE_CTY, seal, unseal
from tsunagi_client.keys import PrivateKey

KEY = PrivateKey.generate()


def sealed(text: str = "小波 健太") -> list[str]:
    return seal(text, KEY.public, RELEASE_CTY).split(".")


def refused(parts: list[str]) -> None:
    with pytest.raises(Doubt) as doubt:
        unseal(".".join(parts), KEY, RELEASE_CTY)
    assert "小波" not in str(doubt.value)


def test_what_is_sealed_is_opened_and_has_the_header_of_the_protocol() -> None:
    parts = sealed()
    assert unseal(".".join(parts), KEY, RELEASE_CTY) == "小波 健太"
    header = json.loads(unb64u(parts[0]))
    assert set(header) == {"alg", "enc", "typ", "cty", "kid", "epk"} and header["kid"] == KEY.kid


@pytest.mark.parametrize("bytes_left", [0, 1, 8, 12, 15])
def test_a_cut_tag_is_refused(bytes_left: int) -> None:
    parts = sealed()
    parts[4] = b64u(unb64u(parts[4])[:bytes_left])
    refused(parts)


@pytest.mark.parametrize(("part", "length"), [(1, 39), (1, 0), (1, 7), (2, 0), (2, 11), (2, 16), (4, 17)])
def test_a_part_of_another_length_is_refused(part: int, length: int) -> None:
    parts = sealed()
    parts[part] = b64u((unb64u(parts[part]) + bytes(16))[:length])
    refused(parts)


def test_fewer_or_more_parts_and_base64_that_is_not_canonical_are_refused() -> None:
    parts = sealed()
    refused(parts[:4])
    refused([*parts, ""])
    refused([parts[0] + "=", *parts[1:]])
    refused([*parts[:4], parts[4][:-1] + ("B" if parts[4][-1] == "A" else "A")])


@pytest.mark.parametrize("change", [{"zip": "DEF"}, {"crit": ["exp"]}, {"cty": "text/plain"}, {"kid": "x"}, {"typ": "JWE"}])
def test_another_header_is_refused(change: dict[str, object]) -> None:
    protected = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "typ": "tsunagi-envelope+jwe", "cty": RELEASE_CTY, "kid": KEY.kid} | change
    parts = sealed()
    header = json.loads(unb64u(parts[0]))
    refused([b64u(json.dumps(protected | {"epk": header["epk"]}).encode()), *parts[1:]])


@pytest.mark.parametrize(("alg", "enc"), [("ECDH-ES", "A256GCM"), ("ECDH-ES+A128KW", "A256GCM"), ("ECDH-ES+A256KW", "A128CBC-HS256")])
def test_another_algorithm_is_refused(alg: str, enc: str) -> None:
    header = {"alg": alg, "enc": enc, "typ": "tsunagi-envelope+jwe", "cty": RELEASE_CTY, "kid": KEY.kid}
    jwe = JWE(b"text", protected=json.dumps(header))
    jwe.add_recipient(KEY.public.jwk)
    refused(str(jwe.serialize(compact=True)).split("."))


def test_an_envelope_to_another_key_or_with_a_changed_byte_is_refused() -> None:
    with pytest.raises(Doubt):
        unseal(seal("text", PrivateKey.generate().public, RELEASE_CTY), KEY, RELEASE_CTY)
    whole = ".".join(sealed())
    for at in range(0, len(whole), 23):
        refused((whole[:at] + ("A" if whole[at] != "A" else "B") + whole[at + 1 :]).split("."))
