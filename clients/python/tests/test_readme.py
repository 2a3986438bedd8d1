"""The example that the READMEs print does what they say."""

import re
from pathlib import Path

import pytest

from stage import CENTRE, CITY, ROOT, Case, Stage
from tsunagi_client import Purpose

PAGES = ["README.md", "README.ja.md", "clients/python/README.md", "clients/python/README.ja.md"]


def example(page: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1, page
    return str(blocks[0])


def test_every_page_prints_the_same_twenty_lines() -> None:
    assert len({example(page) for page in PAGES}) == 1
    assert len(example(PAGES[0]).splitlines()) <= 20


def test_the_example_takes_acknowledges_and_accepts_a_referral(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY).reference)
    referral = case.send("referral", CENTRE, CITY)
    monkeypatch.chdir(stage.folder)
    exec(compile(example(PAGES[0]), "README.md", "exec"), {})
    assert case.told(CENTRE)[0] == "accepted"
    told = capsys.readouterr().out
    assert f"{CENTRE} [" in told and "recorded as entry" in told
    receipts = stage[CENTRE].cases.receipts(case.ids[CENTRE], Purpose.PLACEMENT)
    about = [receipt for receipt in receipts if receipt.about[1] == referral]
    assert len({receipt.status for receipt in about}) >= 3, "accepted, released, acknowledged"
    assert Path(stage.folder / "parties" / "municipality-131016-1" / "outbox-python").is_dir()
