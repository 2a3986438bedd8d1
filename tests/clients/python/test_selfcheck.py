"""Checks the strangers' programs themselves, without a gateway: what they would accept from it, and what they must refuse."""

import json
import os
import time
from pathlib import Path

import pytest
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

import mutate_export
import mutations
import sample_export
import tlog
import tsunagi_client as client
import verify_export
from tlog import Refused

VECTORS = Path(os.environ.get("TSUNAGI_VECTORS", Path(__file__).parents[4] / "shared" / "vectors"))
ENGINES = ["pymerkle", "sigstore"]
READER, SENDER, ORIGIN = "municipality:131016-1", "settlement_center:13-1", "ledger.example/tsunagi"


def key() -> JWK:
    return JWK.generate(kty="EC", crv="P-256")


def public(jwk: JWK) -> dict:
    return jwk.export_public(as_dict=True)


class Desk:
    """A sender, a reader and a gateway that does what the protocol says; each part can be spoiled."""

    def __init__(self):
        self.sender, self.reader, self.kb, self.gateway = key(), key(), key(), key()
        self.claims = {
            "iss": SENDER, "aud": READER, "jti": client.new_jti(), "iat": int(time.time()), "kind": "referral",
            "sch": {"id": "s", "ver": "1.0.0", "sha256": "x"}, "agr": {"id": "AG-13-0001", "ver": 1, "sha256": "y"},
            "pur": ["placement_coordination"], "bas": "consent_69_2_1", "cnf": {"jwk": client.public_members(public(self.kb))},
            "sub": "p", "con": {"jti": "c", "sha256": "z"},
            "body": {"family_name": "髙\uFA19", "handbook_mental": {"held": True, "grade": 2}, "offence_category": "theft"},
        }

    def message(self, **more) -> client.Message:
        return client.issue(self.sender, self.claims, **more)

    def present(self, message: client.Message, rows: set[str], nonce: str = "n" * 22, **changes) -> str:
        first, *disclosures, _ = message.token.split("~")
        shown = [d for d in disclosures if json.loads(client.unb64u(d))[1] in rows]
        without_kb = "~".join([first, *shown, ""])
        kb = {
            "iat": int(time.time()), "aud": READER, "nonce": nonce, "sd_hash": client.digest(without_kb), "jti": client.new_jti(),
            "tsn": {"origin": ORIGIN, "idx": 7, "agr": self.claims["agr"], "pol": "p", "terms": []},
        } | changes
        return without_kb + client.sign(self.kb, "kb+jwt", kb)

    def verify(self, presentation: str, nonce: str = "n" * 22) -> client.Release:
        return client.verify_release(presentation, READER, nonce, lambda _: [public(self.sender)], [public(self.kb)], ORIGIN)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_view_shows_the_chosen_rows_and_nothing_else(desk):
    message = desk.message()
    release = desk.verify(desk.present(message, {"family_name", "handbook_mental"}))
    assert release.body == {"family_name": "髙\uFA19", "handbook_mental": {"held": True, "grade": 2}}
    assert "sub" not in release.claims and "con" not in release.claims
    assert release.issuer_jwt == message.issuer_jwt and release.sd_hash == release.kb["sd_hash"]
    assert json.loads(client.unb64u(message.issuer_jwt.split(".")[0])) == {
        "alg": "ES256", "typ": "tsunagi-message+sd-jwt", "kid": client.thumbprint(desk.sender)
    }


@pytest.mark.parametrize("width", [32, 64, 128, 256])
def test_padding_gives_the_exact_number_of_digests(desk, width):
    payload = json.loads(client.unb64u(desk.message(pad_body_to=width).issuer_jwt.split(".")[1]))
    assert len(set(payload["body"]["_sd"])) == width and payload["body"]["_sd"] == sorted(payload["body"]["_sd"])


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "group_home:1320100017"}, {"nonce": "m" * 22}, {"sd_hash": client.digest("other")}, {"iat": 0}, {"jti": "not-a-uuid"},
        {"tsn": {}}, {"tsn": {"origin": "other", "idx": 7, "agr": {}, "pol": "p", "terms": []}}, {"extra": 1},
    ],
)
def test_a_key_binding_that_does_not_fit_is_refused(desk, changes):
    with pytest.raises((Refused, ValueError, KeyError)):
        desk.verify(desk.present(desk.message(), {"family_name"}, **changes))


def test_a_presentation_with_a_disclosure_more_or_less_is_refused(desk):
    message = desk.message()
    one, two = desk.present(message, {"family_name"}), desk.present(message, {"family_name", "offence_category"})
    with pytest.raises(ValueError, match="digest"):
        desk.verify(two.rpartition("~")[0] + "~" + one.rpartition("~")[2])
    foreign = client.issue(desk.sender, desk.claims).token.split("~")[1]
    first, rest = one.split("~", 1)
    without_kb = "~".join([first, foreign, rest.rpartition("~")[0], ""])
    kb = json.loads(client.unb64u(one.rpartition("~")[2].split(".")[1])) | {"sd_hash": client.digest(without_kb)}
    with pytest.raises(Refused, match="belongs to nothing"):
        desk.verify(without_kb + client.sign(desk.kb, "kb+jwt", kb))


def test_a_message_of_another_sender_or_bound_to_another_key_is_refused(desk):
    good = desk.present(desk.message(), {"family_name"})
    with pytest.raises(Refused, match="directory"):
        client.verify_release(good, READER, "n" * 22, lambda _: [public(key())], [public(desk.kb)], ORIGIN)
    with pytest.raises(Refused, match="not pinned"):
        client.verify_release(good, READER, "n" * 22, lambda _: [public(desk.sender)], [public(key())], ORIGIN)


def test_an_envelope_has_exactly_six_header_members_and_opens_for_its_reader_only(desk):
    sealed = client.seal("text", public(desk.gateway))
    header = json.loads(client.unb64u(sealed.split(".")[0]))
    assert set(header) == {"alg", "enc", "typ", "cty", "kid", "epk"} and set(header["epk"]) == {"kty", "crv", "x", "y"}
    assert [len(client.unb64u(part)) for part in sealed.split(".")[1:]] == [40, 12, 4, 16]
    assert client.unseal(sealed, desk.gateway, client.MESSAGE_TYP) == "text"
    with pytest.raises(Refused):
        client.unseal(sealed, key(), client.MESSAGE_TYP)
    with pytest.raises(Refused):
        client.unseal(sealed, desk.gateway, "application/sd-jwt")
    with pytest.raises(Refused):
        client.unseal(client.seal("text", public(desk.gateway), zip="DEF"), desk.gateway, client.MESSAGE_TYP)
    with pytest.raises(JWException):
        client.unseal(sealed[:-1] + ("A" if sealed[-1] != "A" else "Q"), desk.gateway, client.MESSAGE_TYP)


def test_the_message_digest_ignores_signature_and_order_of_disclosures(desk):
    message = desk.message()
    first, *disclosures, _ = message.token.split("~")
    resigned = first.rsplit(".", 1)[0] + ".AAAA"
    assert client.Message({}, "~".join([resigned, *reversed(disclosures), ""])).digest == message.digest
    assert client.Message({}, "~".join([first, *disclosures[1:], ""])).digest != message.digest


def test_an_answer_is_evidence_only_when_leaf_proof_and_key_fit():
    log = sample_export.Log()
    leaves = [entry for entry, _ in sample_export.entries_with_openings(5)]
    hashes = [tlog.leaf_hash(leaf) for leaf in leaves]
    good = {"origin": log.origin, "index": 3, "leaf": client.b64u(leaves[3]), "proof": log.proof(3, hashes)}
    verifier = tlog.Verifier.parse(log.vkey)
    assert client.verify_recorded(good, verifier, log.origin).index == 3
    for spoiled in (
        {"index": 2}, {"leaf": client.b64u(leaves[2])}, {"origin": "other"}, {"proof": log.proof(2, hashes)},
        {"proof": sample_export.Log().proof(3, hashes)}, {"proof": good["proof"].replace("index 3", "index 03")},
    ):
        with pytest.raises(Refused):
            client.verify_recorded(good | spoiled, verifier, log.origin)


def test_proofs_hold_for_every_pair_of_sizes_and_no_other():
    hashes = [tlog.leaf_hash(bytes([n])) for n in range(21)]
    roots = [tlog.tree_hash(hashes[:n]) for n in range(22)]
    for size in range(1, 22):
        for index in range(size):
            path = tlog.inclusion_path(index, hashes[:size])
            tlog.verify_inclusion(index, size, hashes[index], path, roots[size])
            for wrong in (path[:-1] if path else [roots[0]], [*path, roots[0]]):
                with pytest.raises(Refused):
                    tlog.verify_inclusion(index, size, hashes[index], wrong, roots[size])
        for first in range(1, size + 1):
            path = tlog.consistency_path(first, hashes[:size])
            tlog.verify_consistency(first, size, roots[first], roots[size], path)
            with pytest.raises(Refused):
                tlog.verify_consistency(first, size, roots[first - 1], roots[size], path)


def test_published_merkle_vectors():
    """Inclusion and consistency vectors of transparency-dev/merkle."""
    folder = VECTORS / "merkle"
    if not folder.is_dir():
        pytest.skip("published vectors are not beside this checkout (TSUNAGI_VECTORS)")
    tried = 0
    for kind in ("inclusion", "consistency"):
        for file in sorted((folder / kind).rglob("*.json")):
            vector = json.loads(file.read_text())
            proof = [tlog.std_b64(p) for p in vector.get("proof") or []]
            try:
                if kind == "inclusion":
                    tlog.verify_inclusion(
                        vector["leafIdx"], vector["treeSize"], tlog.std_b64(vector["leafHash"]), proof, tlog.std_b64(vector["root"])
                    )
                else:
                    first, second = vector["size1"], vector["size2"]
                    tlog.verify_consistency(first, second, tlog.std_b64(vector["root1"]), tlog.std_b64(vector["root2"]), proof)
            except Refused:
                accepted = False
            else:
                accepted = True
            # One vector calls two equal placeholders consistent; here a root is 32 bytes or nothing.
            wanted = not vector["wantErr"] and file.name != "sizes-are-equal-one-and-proof-is-empty.json"
            assert accepted == wanted, file
            tried += 1
    assert tried >= 190


class Here(mutate_export.Refusing):
    """An engine of the Python verifier in this process."""

    def __init__(self, engine: str, vkey: str, kept: str | None = None):
        super().__init__(engine, [])
        self.engine, self.vkey, self.kept, self.folder = verify_export.ENGINES[engine](), vkey, kept, Path()

    def ask(self, folder: Path) -> None:
        self.folder = folder

    def answer(self) -> tuple[bool, str]:
        try:
            verify_export.verify(self.folder, self.vkey, self.engine, self.kept)
        except Refused as refused:
            return False, refused.reason
        return True, ""


@pytest.mark.parametrize("size", [8, 257])
def test_an_export_is_accepted_and_mutations_of_it_refused(tmp_path, size):
    log, made = sample_export.Log(), sample_export.entries_with_openings(size)
    sample_export.write(tmp_path, log, made)
    kept = log.checkpoint(size // 2, tlog.tree_hash([tlog.leaf_hash(entry) for entry, _ in made[: size // 2]]))
    chosen = mutations.Generator(tmp_path, 7, log, kept).all()
    assert len(chosen) >= mutations.WHOLE
    some = [mutation for n, mutation in enumerate(chosen) if n % 12 == 0 or mutation.accepted or mutation.kind == "stolen"]
    verifiers = [Here(engine, log.vkey, kept) for engine in ENGINES]
    assert mutate_export.run(tmp_path, verifiers, some) == []


def test_the_same_seed_gives_the_same_mutations(tmp_path):
    log = sample_export.Log()
    sample_export.write(tmp_path / "a", log, sample_export.entries_with_openings(60))
    names = [[m.name for m in mutations.Generator(tmp_path / "a", seed, log).all()] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_a_verifier_that_refuses_for_another_reason_or_everything_is_found_out(tmp_path):
    log = sample_export.Log()
    sample_export.write(tmp_path, log, sample_export.entries_with_openings(8))

    class Careless(mutate_export.Refusing):
        def ask(self, folder: Path) -> None:
            pass

        def answer(self) -> tuple[bool, str]:
            return self.label == "always", "files"

    some = mutations.Generator(tmp_path, 1, log).all()[:20]
    said = mutate_export.run(tmp_path, [Careless("always", []), Careless("never", [])], some)
    assert any("always: accepts" in line for line in said)
    assert any("never: refuses (files) control 'the original'" in line for line in said)
    assert any("never: refuses cut" in line and "for files, not" in line for line in said)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "name,spoil",
    [
        ("time", lambda made: [made[1], made[0], *made[2:]]),
        ("id", lambda made: [made[0], (made[1][0].replace(_id(made[1]), _id(made[0])), made[1][1]), *made[2:]]),
        ("canonical", lambda made: [(made[0][0].replace(b":", b": ", 1), made[0][1]), *made[1:]]),
        ("commit", lambda made: [made[0], (made[1][0], made[2][1]), *made[2:]]),
    ],
)
def test_a_signed_log_with_a_wrong_order_id_form_or_opening_is_refused(tmp_path, engine, name, spoil):
    log = sample_export.Log()
    sample_export.write(tmp_path, log, spoil(sample_export.entries_with_openings(9)))
    with pytest.raises(Refused, match=name):
        verify_export.verify(tmp_path, log.vkey, verify_export.ENGINES[engine]())


def _id(made: tuple) -> bytes:
    return json.loads(made[0])["id"].encode()


def test_an_erased_opening_leaves_everything_verifiable(tmp_path):
    log = sample_export.Log()
    sample_export.write(tmp_path, log, [(entry, None) for entry, _ in sample_export.entries_with_openings(9)])
    for engine in ENGINES:
        assert "0 openings" in verify_export.verify(tmp_path, log.vkey, verify_export.ENGINES[engine]())


def test_tile_paths_are_those_of_the_specification():
    assert tlog.tile_number(1234067) == "x001/x234/067"
    paths = tlog.tile_paths(70_000)
    levels = [level for level, _, width in paths.values() if width == tlog.TILE]
    assert (levels.count("0"), levels.count("1"), levels.count("entries")) == (273, 1, 273)
    assert {"tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} <= set(paths)
    assert set(tlog.tile_paths(256)) == {"tile/0/000", "tile/entries/000", "tile/1/000.p/1"}
