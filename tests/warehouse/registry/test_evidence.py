"""Evidence of a row: which rules it must keep, and which kind it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.support.registry_edits import Rows, edit, line_of, row
from warehouse.contracts.evidence import GENERIC_LISTS, MOST_LABS, evidence_kind
from warehouse.registry import load
from warehouse.registry.read import RegistryError

LIST = GENERIC_LISTS[0]
PAGE = {"evidence_url": "https://example.org/about", "evidence_read_on": "2026-11-30"}
NEW = {"known_from": "2026-11-30", "confidence": "medium"}
BREACHES: dict[str, tuple[dict[str, str], str]] = {
    "sure without a page": (
        {"confidence": "high"},
        "confidence is high without evidence; add evidence_url and evidence_read_on, or set",
    ),
    "page without a day": (
        PAGE | {"evidence_read_on": ""},
        "evidence_read_on is blank; give the day on which the page at evidence_url was read",
    ),
    "day without a page": (
        {"evidence_read_on": "2026-11-30"},
        "evidence_read_on is given without evidence_url; add the page that was read",
    ),
    "read in the future": (
        PAGE | {"evidence_read_on": "2999-01-01"},
        "evidence_read_on 2999-01-01 is in the future; give the day",
    ),
    "new row with a list": (
        NEW | {"evidence_url": LIST, "evidence_read_on": "2026-11-30"},
        "evidence_url is a list of many labs, and the row is known from 2026-11-30; give a page",
    ),
    "new row with a page of a list": (
        NEW | {"evidence_url": f"{LIST}?view=table"},
        "evidence_url is a list of many labs, and the row is known from 2026-11-30; give a page",
    ),
    "home page of a shared site": (
        PAGE | {"evidence_url": "https://huggingface.co/"},
        "evidence_url https://huggingface.co/ is the home page of a shared site; give the page",
    ),
}
ALLOWED: dict[str, dict[str, str]] = {
    "new row with a page and its day": NEW | PAGE,
    "new row of low confidence with a list": NEW | {"confidence": "low", "evidence_url": LIST},
    "old row with a list": {"confidence": "medium", "evidence_url": LIST},
    "no evidence and low confidence": {},
    "the lab's own home page": PAGE | {"evidence_url": "https://example.org"},
}
BARE = {"confidence": "low", "evidence_url": "", "evidence_read_on": "", "known_from": "2026-11-21"}


def with_evidence(folder: Path, file: str, name: str, cells: dict[str, str]) -> None:
    edit(folder / f"{file}.csv", lambda rows: row(rows, name).update(BARE | cells))


@pytest.mark.parametrize(("file", "name"), [("labs", "deepseek"), ("namespaces", "Qwen")])
@pytest.mark.parametrize("breach", BREACHES)
def test_evidence_that_breaks_a_rule_is_refused(
    folder: Path, breach: str, file: str, name: str
) -> None:
    cells, message = BREACHES[breach]
    with_evidence(folder, file, name, cells)
    start = {"labs": "deepseek,", "namespaces": "hub,Qwen,"}[file]
    place = f"{file}.csv:{line_of(folder / f'{file}.csv', start)}: "
    with pytest.raises(RegistryError) as caught:
        load.registry_tables()
    (found,) = (t.strip() for t in str(caught.value).split("\n") if t.startswith("  "))
    assert found.startswith(place)
    assert message in found


@pytest.mark.parametrize("more", [0, 1])
def test_page_given_for_many_labs_is_a_list(folder: Path, more: int) -> None:
    def same_page(rows: Rows) -> None:
        for each in [r for r in rows if not r["known_to"]][: MOST_LABS + more]:
            each.update(PAGE)

    edit(folder / "labs.csv", same_page)
    if not more:
        load.registry_tables()
        return
    message = "https://example.org/about is given for more than 10 labs; give a page about each"
    with pytest.raises(RegistryError, match=message):
        load.registry_tables()


@pytest.mark.parametrize("case", ALLOWED)
def test_evidence_that_keeps_the_rules_is_accepted(folder: Path, case: str) -> None:
    with_evidence(folder, "labs", "deepseek", ALLOWED[case])
    load.registry_tables()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (None, "none"),
        *((url, "list") for url in GENERIC_LISTS),
        ("https://GitHub.com/interconnects-ai/tracked-models/blob/main/README.md", "list"),
        ("https://epoch.ai/data/ai-models/", "list"),
        ("https://epoch.ai/data/ai-models-of-somebody", "specific"),
        ("https://github.com/deepseek-ai", "specific"),
    ],
)
def test_kind_of_evidence_follows_from_the_page(url: str | None, kind: str) -> None:
    frame = pl.DataFrame({"evidence_url": [url]}, schema={"evidence_url": pl.String})
    assert frame.select(evidence_kind())["evidence_kind"].to_list() == [kind]
