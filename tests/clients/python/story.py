"""What the tests do as the parties of a sandbox: consents, referrals, reading them, and reading the ledger as an auditor."""

import json
import os
import secrets
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import tlog
import tsunagi_client as client
from tsunagi_client import Client, Identity, Message, Release, digest, new_jti, public_members, unb64u

PLACEMENT, BENEFIT, AUDIT, ADMINISTRATION = "placement_coordination", "benefit_decision", "audit_review", "administration"
CRIMINAL = {
    "criminal_status", "criminal_summary", "criminal_detail", "criminal_background", "custody", "supervision", "release_fact",
    "medical_observation",
}
# Classes a municipality gets only when the person ticked them one by one, for whatever purpose.
ONLY_TICKED = {"criminal_detail", "criminal_background", "medical_observation", "victim_related", "medical_restricted", "life_history", "family"}
NO_CONSENT_NEEDED = {"routing", "task", "consent_meta"}
EXAMPLES = Path(os.environ.get("TSUNAGI_EXAMPLES", Path(__file__).parents[3] / "schemas" / "examples"))


@dataclass
class Consent:
    token: str
    jti: str
    sub: str
    answer: dict

    @property
    def reference(self) -> dict:
        return {"jti": self.jti, "sha256": digest(self.token)}


@dataclass
class Referral:
    """A referral that was accepted, with the case ids of both sides."""

    consent: Consent
    message: Message
    answer: dict
    case_at_reader: str

    @property
    def case_at_sender(self) -> str:
        return self.answer["case"]


class World:
    """The parties of a sandbox, found by listing its folder."""

    def __init__(self, folder: Path):
        self.by_kind: dict[str, Client] = {}
        for found in sorted(folder.glob("parties/*/identity.toml")):
            identity = Identity.load(found.parent)
            self.by_kind.setdefault(identity.kind, Client(identity))
        self.centre, self.municipality = self.by_kind["settlement_center"], self.by_kind["municipality"]
        self.auditor, self.group_home = self.by_kind["auditor"], self.by_kind["group_home"]
        self.core, self.operator = self.by_kind["core_center"], self.by_kind["operator"]
        self.well_known = self.ok(self.centre.get("/.well-known/tsunagi")).json()
        self._find_schema()
        self._find_agreement()

    @staticmethod
    def ok(response, *codes: int):
        assert response.status_code in (codes or (200,)), f"{response.request.method} {response.request.url}: {response.status_code} {response.text[:800]}"
        return response

    def _find_schema(self) -> None:
        named = next(s for s in self.well_known["schemas"] if s["kind"] == "referral")
        self.schema_bytes = self.ok(self.centre.get(f"/v1/schemas/referral/{named['ver']}")).content
        self.sch = {"id": named["id"], "ver": named["ver"], "sha256": named["sha256"]}
        self.schema = json.loads(self.schema_bytes)
        self.body = json.loads((EXAMPLES / "referral.json").read_text())
        rows = self._find_rows()
        self.catalogue = rows
        self.classes = {row: rows[row]["x-tsunagi-class"] for row in self.body}
        # The example is of one day: what may not lie before the day of sending is moved to two weeks after it.
        coming = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600 + 14 * 86400))
        # So is the end of the detention: the reply is wished for before it.
        moved = [row for row in self.body if row == "detention_deadline" or "not_before_sending" in rows[row].get("x-tsunagi-rules", [])]
        self.body |= {row: coming for row in moved}

    def _find_rows(self) -> dict:
        """The rows that the schema refers to, out of the schema that it pins by digest."""
        rows, files = {}, {}
        for row, use in self.schema["properties"].items():
            urn, _, place = use["$ref"].partition("#/$defs/")
            kind, ver = urn.removeprefix("urn:tsunagi:schema:").split(":")
            if kind not in files:
                pinned = self.ok(self.centre.get(f"/v1/schemas/{kind}/{ver}")).content
                assert digest(pinned) == self.schema["x-tsunagi-refs"][urn]
                files[kind] = json.loads(pinned)["$defs"]
            rows[row] = files[kind][place]
        return rows

    def _find_agreement(self) -> None:
        page = self.ok(self.centre.get("/v1/agreements")).json()["agreements"]
        for listed in page:
            if listed["state"] != "in_force":
                continue
            given = self.ok(self.centre.get(f"/v1/agreements/{listed['id']}/{listed['ver']}")).json()
            document = unb64u(given["document"])
            parsed = json.loads(document)
            for flow in parsed["flows"]:
                fits = flow["from"] in (self.centre.me.kind, self.centre.me.party) and flow["to"] in (self.municipality.me.kind, self.municipality.me.party)
                if fits and "referral" in flow["kinds"] and {PLACEMENT, BENEFIT} <= set(flow["purposes"]):
                    self.agreement_document, self.agreement, self.flow = document, parsed, flow
                    self.agr = {"id": listed["id"], "ver": listed["ver"], "sha256": listed["sha256"]}
                    self.basis = next(b for b in flow["bases"] if b.startswith("consent"))
                    return
        raise AssertionError("the sandbox has no agreement in force under which the centre refers to the municipality")

    # -- consents ---------------------------------------------------------------------------------------------------------------------

    def consent_claims(self, items: list | None = None, **changes) -> dict:
        now = int(time.time())
        named = sorted(set(self.classes.values()) - NO_CONSENT_NEEDED)
        everything = [{"rcp": [self.municipality.me.party], "pur": [PLACEMENT, BENEFIT], "cls": named, "tick": named}]
        return {
            "nbf": now - 60, "exp": now + 180 * 86400, "sub": secrets.token_urlsafe(24), "items": everything if items is None else items,
            "refused": [], "how": "paper_signed", "form": {"ver": "1", "sha256": digest(secrets.token_bytes(32))},
            "expl": {"by": "staff-0001", "how": "spoken, with easy-to-read form", "understood": True},
        } | changes

    def sign_consent(self, by: Client | None = None, **changes) -> tuple[str, dict]:
        by = by or self.centre
        claims = by.object_claims(**self.consent_claims(**changes))
        return client.sign(by.me.signing_key, "tsunagi-consent+jwt", claims), claims

    def consent(self, **changes) -> Consent:
        token, claims = self.sign_consent(**changes)
        answer = self.ok(self.centre.post_jwt("/v1/consents", PLACEMENT, token), 201).json()
        return Consent(token, claims["jti"], claims["sub"], answer)

    def unticked_consent(self) -> Consent:
        """Covers every class, ticks none one by one."""
        return self.consent(items=[{**self.consent_claims()["items"][0], "tick": []}])

    def end_consent(self, jti: str, **changes):
        token = self.centre.sign("tsunagi-consent-end+jwt", **({"con": jti, "by": "self", "why": "the person withdrew"} | changes))
        return self.centre.post_jwt(f"/v1/consents/{jti}/end", PLACEMENT, token)

    # -- messages ---------------------------------------------------------------------------------------------------------------------

    def claims(self, consent: Consent | None, sender: Client | None = None, **changes) -> dict:
        """Claims of a referral by the centre to the municipality; a change of `None` takes the claim out."""
        hidden = {} if consent is None else {"sub": consent.sub, "con": consent.reference}
        claims = {
            "iss": (sender or self.centre).me.party, "aud": self.municipality.me.party, "jti": new_jti(), "iat": int(time.time()),
            "kind": "referral", "sch": self.sch, "agr": self.agr, "pur": [PLACEMENT, BENEFIT], "bas": self.basis,
            "cnf": {"jwk": public_members(self.well_known["keys"]["kb"])}, **hidden, "body": self.body,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def message(self, consent: Consent | None, **changes) -> Message:
        return client.issue(self.centre.me.signing_key, self.claims(consent, **changes))

    def refer(self, consent: Consent | None = None, **changes) -> Referral:
        consent = consent or self.consent()
        before = {c["case"] for c in self.cases(self.municipality)}
        message = self.message(consent, **changes)
        answer = self.ok(self.centre.post_message("/v1/referrals", PLACEMENT, message), 201).json()
        fresh = [c["case"] for c in self.cases(self.municipality) if c["case"] not in before]
        assert len(fresh) == 1, "one referral makes one case visible to its recipient"
        return Referral(consent, message, answer, fresh[0])

    @staticmethod
    def cases(party: Client) -> list[dict]:
        return party.pages("/v1/cases", "cases", PLACEMENT)

    def read(self, referral: Referral, purpose: str) -> Release:
        return self.municipality.read(f"/v1/cases/{referral.case_at_reader}", purpose)

    def rows(self, *classes: str) -> set[str]:
        return {row for row, name in self.classes.items() if name in classes}

    # -- the ledger -------------------------------------------------------------------------------------------------------------------

    def checkpoint(self) -> tlog.Checkpoint:
        note = self.ok(self.centre.get("/v1/ledger/checkpoint")).text
        return tlog.open_checkpoint(note, self.centre.ledger_key, self.centre.origin)

    def event(self, index: int) -> dict:
        return self.ok(self.auditor.get(f"/v1/audit/events/{index}", AUDIT)).json()

    def events(self, **query) -> list[dict]:
        text = urllib.parse.urlencode({"limit": 100} | query)
        return self.auditor.pages(f"/v1/audit/events?{text}", "events", AUDIT)

    def export(self, folder: Path) -> int:
        """Builds an export from the public ledger paths and the audit API, as a monitor would. Gives its size."""
        note = self.ok(self.auditor.get("/v1/ledger/checkpoint")).text
        size = tlog.open_checkpoint(note, self.auditor.ledger_key, self.auditor.origin).size
        folder.mkdir(parents=True)
        (folder / "checkpoint").write_text(note, encoding="utf-8")
        (folder / "vkey").write_text(self.auditor.me.pinned["ledger"]["vkey"] + "\n")
        for path, (level, _, _) in tlog.tile_paths(size).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            answer = self.ok(self.auditor.get(f"/v1/ledger/{path}", AUDIT if level == "entries" else None))
            (folder / path).write_bytes(answer.content)
        openings = {e["index"]: e["opened"] for e in self.events()}
        with (folder / "openings.ndjson").open("w", encoding="utf-8") as out:
            for index in range(size):
                out.write(json.dumps({"index": index, "opened": openings[index]}, ensure_ascii=False) + "\n")
        return size


def row_names(listed: list) -> set[str]:
    """Catalogue keys of `disclosed` or `withheld`: plain, or as `{field, rule}`."""
    return {item if isinstance(item, str) else item["field"] for item in listed}
