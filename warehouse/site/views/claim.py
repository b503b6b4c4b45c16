"""The page of one published statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warehouse.releases.manifest import Manifest
from warehouse.site.claim_texts import ClaimTexts
from warehouse.site.i18n import Words
from warehouse.site.render import Page
from warehouse.site.structured import claim_review


def claim(
    entry: dict[str, Any], data: dict[str, Any], manifest: Manifest, t: Words, said: ClaimTexts
) -> Page:
    """What was said, how it is tested, what the data showed then and shows now."""
    stated = entry["stated"]
    statement = said.statement(stated)
    answer = answer_of(stated, t, said)
    labs = [lab for lab in data["labs"] if entry["id"] in lab["claims"]]
    return Page(
        template="claim.html",
        stem=f"claims/{entry['id']}",
        title=f"{t('verdict.' + stated['verdict']).capitalize()}: {statement}",
        description=answer,
        values={"e": entry, "s": stated, "said": said, "statement": statement, "labs": labs,
                "answer": answer},
        structured=(claim_review(stated, statement, answer, manifest, t),),
    )  # fmt: skip


def answer_of(row: Mapping[str, Any], t: Words, said: ClaimTexts) -> str:
    """One plain sentence: what the data shows, or what is missing to know it."""
    if row["verdict"] == "not_testable":
        return t("claims.missing", needed=said.text(row, "data_needed") or "")
    found = said.values(row, "recomputed_text") or t("claims.withheld")
    return f"{t('reason.' + row['reason_code'])} {found} ({t.day(row['observed_on'])})"
