"""core.openrouter_tokens and core.openrouter_restatements."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from tests.support.frames import compute, rows

START, LATER = date(2025, 1, 1), date(2025, 9, 10)
ALWAYS = date(1900, 1, 1)


def ranking(
    day: date, slug: str, tokens: int = 7, snapshot: date | None = None
) -> dict[str, object]:
    of = snapshot or LATER
    return {
        **{"snapshot_id": f"openrouter/{of}", "snapshot_date": of, "file_name": "f", "line": 1},
        **{"day": day, "model_permaslug": slug, "total_tokens": tokens},
    }


def tokens(*given: dict[str, object], **more: pl.LazyFrame) -> pl.DataFrame:
    raw = rows("raw.openrouter_rankings", *given)
    return compute("core.openrouter_tokens", raw_openrouter_rankings=raw, **more)


@pytest.mark.parametrize(
    ("slug", "kind"),
    [
        ("stealth/space-bunny-alpha", "cloaked"),
        ("openrouter/owl-alpha", "cloaked"),
        ("openrouter/horizon-beta:free", "cloaked"),
        ("openrouter/auto", "model"),
        ("lab/alpha", "model"),
        ("lab/model-alpha", "model"),
        ("other", "other"),
        ("other/model", "model"),
    ],
)
def test_kind_of_a_row(slug: str, kind: str) -> None:
    (found,) = tokens(ranking(LATER, slug))["kind"]
    assert found == kind


@pytest.mark.parametrize(
    ("name", "spelling", "day"),
    [
        ("claude-3-7-sonnet-20250219", "yyyymmdd", date(2025, 2, 19)),
        ("gpt-4.1-2025-04-14", "yyyy-mm-dd", date(2025, 4, 14)),
        ("command-r-08-2024", "mm-yyyy", date(2024, 8, 1)),
        ("qwen3-14b-04-28", "mm-dd", date(2025, 4, 28)),
        ("r1-0528", "mmdd", date(2025, 5, 28)),
        ("k2-0910", "mmdd", date(2025, 9, 10)),  # the model's first day itself
        ("k2-0911", "mmdd", date(2024, 9, 11)),  # later than its first day: the year before
        ("devstral-2507", "yymm", date(2025, 7, 1)),
        ("r1-0528:free", "mmdd", date(2025, 5, 28)),
        ("gemini-2.0-flash-001", None, None),
        ("gpt-oss-20b", None, None),
        ("grok-3", None, None),
    ],
)
def test_date_in_a_name(name: str, spelling: str | None, day: date | None) -> None:
    made = tokens(ranking(START, "a/first"), ranking(LATER, f"a/{name}"))
    (row,) = made.filter(pl.col("model_permaslug") != "a/first").to_dicts()
    assert (row["slug_date_spelling"], row["slug_date"], row["slug_date_refusal"]) == (
        *(spelling, day, None),
    )


@pytest.mark.parametrize(
    ("day", "name", "refusal"),
    [
        (START, "grok-2-1212", "year_unknown"),
        (START, "qwen-04-28", "year_unknown"),
        (LATER, "m-9999", "not_a_date"),
        (LATER, "m-20251340", "not_a_date"),
        (LATER, "m-02-30", "not_a_date"),
        (START, "m-9999", "not_a_date"),
    ],
)
def test_a_date_that_cannot_be_read_has_its_reason(day: date, name: str, refusal: str) -> None:
    """A model of the rankings' first day may be years older."""
    made = tokens(ranking(START, "a/first"), ranking(day, f"a/{name}"))
    (row,) = made.filter(pl.col("model_permaslug") != "a/first").to_dicts()
    assert (row["slug_date"], row["slug_date_refusal"]) == (None, refusal)


def test_a_variant_has_the_date_of_its_model() -> None:
    """The year follows the model's first day, not that of the variant."""
    made = tokens(
        ranking(START, "a/first"),
        ranking(date(2025, 3, 1), "a/m-0209"),
        ranking(date(2026, 3, 1), "a/m-0209:free"),
    )
    assert set(made.filter(pl.col("model_slug") == "a/m-0209")["slug_date"]) == {date(2025, 2, 9)}


def test_a_day_is_that_of_its_newest_snapshot() -> None:
    made = tokens(
        ranking(START, "a/m", 7, date(2025, 1, 2)),
        ranking(START, "a/gone", 3, date(2025, 1, 2)),
        ranking(START, "a/m", 8, date(2025, 1, 3)),
        ranking(date(2025, 1, 2), "a/m", 1, date(2025, 1, 3)),
        ranking(date(2025, 1, 3), "a/m", 5, date(2025, 1, 4)),
    )
    assert made.select("day", "model_permaslug", "tokens").sort("day").rows() == [
        (START, "a/m", 8),
        (date(2025, 1, 2), "a/m", 1),
        (date(2025, 1, 3), "a/m", 5),
    ]


def test_restatements_are_the_changes_between_answers() -> None:
    """The first answer about a day restates nothing, and equal answers do not either."""
    raw = rows(
        "raw.openrouter_rankings",
        *(ranking(START, slug, 7, date(2025, 1, 2)) for slug in ("a/m", "a/gone", "a/same")),
        *(
            ranking(START, slug, n, date(2025, 1, 3))
            for slug, n in {"a/m": 8, "a/new": 1, "a/same": 7}.items()
        ),
        *(
            ranking(START, slug, n, date(2025, 1, 5))
            for slug, n in {"a/m": 7, "a/new": 1, "a/same": 7}.items()
        ),
        ranking(date(2025, 1, 2), "a/m", 1, date(2025, 1, 3)),
    )
    made = compute("core.openrouter_restatements", raw_openrouter_rankings=raw)
    second, third = "openrouter/2025-01-03", "openrouter/2025-01-05"
    columns = ("model_permaslug", "snapshot_id", "tokens_before", "tokens_after")
    assert made.select(columns).sort(columns).rows() == [
        ("a/gone", second, 7, None),
        ("a/m", second, 7, 8),
        ("a/m", third, 8, 7),
        ("a/new", second, None, 1),
    ]
    assert set(made["day"]) == {START}
    assert set(made.filter(pl.col("snapshot_id") == third)["previous_snapshot_id"]) == {second}


def test_lab_and_country_are_those_of_the_publisher_on_the_day() -> None:
    lab = {"lab_name": "L", "kind": "lab", "country_name": "C", "known_from": ALWAYS, "basis": "b"}
    lab |= {"evidence_kind": "none", "reviewer": "r", "confidence": "low"}
    name = {"system": "openrouter", "kind": "lab", "known_from": ALWAYS, "basis": "b"}
    name |= {"evidence_kind": "none", "reviewer": "r", "confidence": "low"}
    moved = date(2025, 5, 1)
    labs = rows(
        "core.labs",
        {**lab, "lab_id": "a", "country_code": "US", "valid_from": ALWAYS, "valid_to": moved},
        {**lab, "lab_id": "a", "country_code": "CN", "valid_from": moved},
    )
    names = [
        {**name, "namespace": n, "namespace_key": n, "lab_id": "a", "valid_from": ALWAYS}
        for n in ("a-ai", "stealth")
    ]
    made = tokens(
        ranking(START, "A-AI/m"),
        ranking(LATER, "a-ai/m"),
        ranking(LATER, "nobody/m"),
        ranking(LATER, "stealth/m"),  # cloaked, whatever the registry says
        ranking(LATER, "other"),
        labs=labs,
        namespaces=rows("core.namespaces", *names),
    )
    found = made.select("day", "model_permaslug", "lab_id", "country_code").sort(pl.all()).rows()
    assert found == [
        (START, "A-AI/m", "a", "US"),
        (LATER, "a-ai/m", "a", "CN"),
        (LATER, "nobody/m", None, "XX"),
        (LATER, "other", None, "XX"),
        (LATER, "stealth/m", None, "XX"),
    ]
