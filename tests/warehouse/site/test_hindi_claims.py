"""The Hindi texts of statements: complete, in Devanagari, and with the same figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from tests.conftest import ROOT
from warehouse.claims.claim import Claim
from warehouse.claims.read import CLAIMS, claims, read_claims
from warehouse.contracts.yaml_files import read_yaml
from warehouse.site.claim_texts import FOLDER, ClaimTexts, value_in_hindi
from warehouse.site.i18n import words

HINDI = FOLDER / "hi"
FILES = sorted(path.name for path in CLAIMS.glob("*.yml"))
SENTENCES = ("hedge", "definition_note", "untested", "data_needed")
DEVANAGARI = re.compile(r"[\u0900-\u097f]")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip


def pairs(claim: Claim, hindi: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, English and Hindi of every text of a claim that is translated."""
    found = [("period", claim.period, hindi["period"])]
    found += [
        (name, text, hindi[name])
        for name in SENTENCES
        if (text := getattr(claim, name)) is not None
    ]
    found += [(f"measures.{m.id}", m.label, hindi["measures"][m.id]) for m in claim.measures]
    found += [
        (f"definitions.{d.id}", d.says, hindi["definitions"][d.id]) for d in claim.definitions
    ]
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_text_of_every_statement_is_translated(name: str) -> None:
    """The same claims, quantities and definitions, and no text of one that is gone."""
    hindi = read_yaml(HINDI / name)
    assert list(hindi) == [claim.id for claim in read_claims(CLAIMS / name)]
    for claim in read_claims(CLAIMS / name):
        texts = hindi[claim.id]
        assert list(texts["measures"]) == [m.id for m in claim.measures], claim.id
        assert list(texts["definitions"]) == [d.id for d in claim.definitions], claim.id
        wanted = {"period", "measures", "definitions"}
        wanted |= {s for s in SENTENCES if getattr(claim, s) is not None}
        assert set(texts) == wanted, claim.id


def figures(text: str) -> set[str]:
    """The figures of a text; a unit such as GLM-5 counts, thousands may be grouped otherwise."""
    return set(re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))


@pytest.mark.parametrize("name", FILES)
def test_hindi_texts_are_in_devanagari_and_keep_every_figure(name: str) -> None:
    hindi = read_yaml(HINDI / name)
    wrong = []
    for claim in read_claims(CLAIMS / name):
        for what, english, text in pairs(claim, hindi[claim.id]):
            day = re.sub(r"(\d{4})-(\d\d)-(\d\d)", lambda m: f"{m[1]} {int(m[3])}", english)
            is_named = what.startswith("measures.") and re.fullmatch(r"[\w .\-()/:,+]+", text)
            if not DEVANAGARI.search(text) and not is_named:
                wrong.append((claim.id, what, text))
            if missing := figures(day) - figures(text):
                wrong.append((claim.id, what, str(missing)))
    assert wrong == []


def test_a_lab_has_one_spelling_everywhere() -> None:
    """Where hi.yml writes a lab in Devanagari, no Hindi text has its Latin name.

    Names of labs that are also names of models and families stay Latin in those.
    """
    also_models = {"deepseek", "sarvam-ai", "google", "meta", "apple", "amazon", "intel"}
    labs = pl.read_csv(ROOT / "warehouse/registry/data/labs.csv").select("lab_id", "lab_name")
    latin = {lab: name for lab, name in labs.iter_rows() if lab in words("hi").labs}
    texts = "\n".join(
        [*(path.read_text(encoding="utf-8") for path in sorted(HINDI.glob("*.yml"))),
         *(str(v) for k, v in words("hi").texts.items() if k.startswith("claim."))]
    )  # fmt: skip
    wrong = [
        name for lab, name in latin.items()
        if lab not in also_models and re.search(rf"(?<![\w/]){re.escape(name)}(?![\w-])", texts)
    ]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize(
    ("english", "hindi"),
    [
        ("17.1 %", "17.1%"),
        ("-2.5 %", "-2.5%"),
        ("rank 5", "पायदान 5"),
        ("at most rank 10", "अधिक से अधिक पायदान 10"),
        ("at least 540.0 M downloads", "कम से कम 54 करोड़ डाउनलोड"),
        ("1150.0 M downloads", "115 करोड़ डाउनलोड"),
        ("1.3 M downloads", "13 लाख डाउनलोड"),
        ("at least 352.5 M downloads, whatever was not observed",
         "कम से कम 35.25 करोड़ डाउनलोड, बाक़ी जो नहीं देखा गया, वह चाहे जो हो"),
        ("between 9 and 53, whatever was not observed",
         "9 और 53 के बीच, बाक़ी जो नहीं देखा गया, वह चाहे जो हो"),
        ("$5.6 M", "56 लाख डॉलर"),
        ("80.39 B parameters", "80.39 अरब पैरामीटर"),
        ("3.4e24 FLOP", "3.4e24 FLOP"),
        ("no value", "कोई मान नहीं"),
    ],
)  # fmt: skip
def test_values_are_said_in_hindi(english: str, hindi: str) -> None:
    assert value_in_hindi(english) == hindi


def test_every_value_of_the_ledger_is_said_in_hindi(sampled: tuple[Path, str]) -> None:
    """No English word is left in what a claim's page says in Hindi."""
    said = ClaimTexts(words("hi"))
    with duckdb.connect(str(sampled[0] / "observatory.duckdb"), read_only=True) as con:
        rows = con.sql("FROM mart.claims").pl().to_dicts()
    assert len(rows) >= 2 * len(claims()) - 5
    english = re.compile(r"\b(at least|at most|rank|no value|points|downloads|parameters|or:)\b")
    for row in rows:
        for column in ("stated_text", "recomputed_text"):
            assert not english.search(said.values(row, column) or ""), (row["claim_id"], column)
        for column in ("definition", "holds_under"):
            text = said.definitions(row, column) or ""
            assert not english.search(text), (row["claim_id"], column, text)
