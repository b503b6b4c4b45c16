"""A made-up statement `c`, made-up tables to test it on, and the ledger's verdicts on it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import polars as pl

from tests.support.frames import DAY, Row, all_countries, compute, empty, rows
from transforms.plan import plan

STATED = date(2025, 8, 31)
EPOCH_DAY = date(2026, 5, 2)

ABOUT = {
    **{"claim_id": "c", "definition_id": "own", "measure_id": "m", "position": 0},
    **{"definition": "as stated", "is_own": True, "label": "China", "unit": "share"},
    **{"relation": "equals", "stated_value": 0.4, "tolerance": 0.01, "only_stated": False},
    **{"target_date": STATED, "within_days": 15},
}
SHARE = {
    **{"test": "hub_share", "by": "country", "subject": "CN", "population": "all"},
    **{"metric": "downloads_30d", "attribution": "publisher", "credit": "fractional"},
}
HUB = 1000  # models on the made-up Hub

# The tests that each table answers; test_verdicts.py compares them with what the tables select.
ANSWERED = {
    "claim_answers_hub_shares": {"hub_share", "hub_amount", "hub_lead", "hub_rank", "hub_part"},
    "claim_answers_windows": {"window_share", "window_amount", "window_lead", "window_rank"},
    "claim_answers_hub_models": {
        *("repositories_created", "datasets_created", "models_created", "model_rank"),
        *("top_overlap", "download_concentration"),
        *("parameter_ratio", "model_parameters", "hub_counter"),
    },
    "claim_answers_derivatives": {"derivative_share", "derivative_count"},
    "claim_answers_trending": {"trending_days", "trending_weeks"},
    "claim_answers_arena": {
        *("arena_count", "arena_rank", "arena_first", "arena_lead", "arena_spread", "arena_ahead"),
    },
    "claim_answers_epoch": {"notable_count", "models_published", "epoch_value", "frontier_lag"},
    "claim_answers_ai_index": {"ai_index_value"},
    "claim_answers_published": {"published_lead"},
}
UNANSWERED = {"outside"}  # tested by no table


def trial(**given: object) -> Row:
    """One test of the statement `c`."""
    return {**ABOUT, **given}


def listing(day: date, held: dict[str, float], n_models: int = HUB, **cut: Any) -> list[Row]:
    """A day's shares by country, and how many models its listing holds."""
    total = sum(held.values())
    about: dict[str, Any] = {
        **{"as_of_date": day, "metric_window": "30d", "country_name": "x", "denominator": total},
        **{"n_models": 1, "n_models_population": n_models, "n_models_without_counter": 0},
    }
    counters = {**{k: v for k, v in SHARE.items() if k not in ("test", "by", "subject")}, **cut}
    shares = [
        {
            **about,
            **counters,
            "country_code": country,
            "numerator": amount,
            "share": amount / total,
            "share_lower": 0.0,
            "share_upper": 1.0,
        }
        for country, amount in held.items()
    ]
    models = {
        "population": "all",
        "metric": "models",
        "metric_window": "all_time",
        "country_code": "US",
    }
    whole = {"denominator": n_models, "numerator": n_models, "share": 1.0}
    return [*shares, {**shares[0], **models, **whole}]


SIZES = rows(
    "raw.registry_hub_sizes",
    {"as_of_date": STATED, "n_models": HUB},
    basis="test",
    reviewer="test",
    known_from=date(2026, 1, 1),
)


def tried(trials: pl.LazyFrame, as_of: date = DAY, **given: pl.LazyFrame) -> pl.DataFrame:
    """mart.claim_trials with the tables that it needs, from hand-made core and mart tables.

    A table of answers that none of the trials is for is not computed: it is empty.
    """
    tests = set(trials.collect()["test"])
    assert tests <= UNANSWERED.union(*ANSWERED.values()), tests
    tables = {
        "raw_claim_trials": trials,
        "raw_registry_hub_sizes": SIZES,
        "raw_registry_countries": all_countries(),
        **given,
    }
    read: set[str] = set()
    for each in plan():
        name = each.table.removeprefix("mart.")
        if name.startswith("claim_answers_") or name in ("hub_listing_coverage", "claim_trials"):
            inputs = {p: tables[p] for p in each.inputs if p in tables}
            is_needed = tests & ANSWERED.get(name, tests)
            made = compute(each.table, as_of, **inputs).lazy() if is_needed else empty(each.table)
            tables[name] = made
            read |= set(inputs)
    assert set(given) <= read, f"no test reads {sorted(set(given) - read)}"
    return tables["claim_trials"].collect()


def raw_trials(*trials: Row) -> pl.LazyFrame:
    """raw.claim_trials by hand."""
    return rows("raw.claim_trials", *trials)


def ledger(
    *trials: Row, as_of: date = DAY, meaning: str = "plain", **tables: pl.LazyFrame
) -> dict[str, dict[str, Any]]:
    """The two verdicts on the statement `c`, by moment."""
    about = rows(
        "raw.claims",
        {"claim_id": "c", "as_of": STATED, "within_days": 15, "meaning": meaning},
        **dict.fromkeys(
            ("listed_as", "statement", "publisher", "source", "period", "quantity"), "x"
        ),
        data_needed="more data",
        source_definition_language="en",
    )
    found = tried(raw_trials(*trials), as_of, **tables)
    made = compute("mart.claims", as_of, raw_claims=about, claim_trials=found.lazy())
    return {row["moment"]: row for row in made.iter_rows(named=True)}


def shares(*days: list[Row]) -> dict[str, pl.LazyFrame]:
    """mart.country_share_daily of some days, as an argument of `ledger`."""
    return {"country_share_daily": rows("mart.country_share_daily", *(r for d in days for r in d))}


def snapshots(**change: Any) -> pl.LazyFrame:
    """meta.snapshots of the three sources that the claims below rest on; `change` is to all."""
    about = {
        **dict.fromkeys(("producer", "url", "license", "citation", "sidecar_sha256"), "x"),
        **{"redistribution": "derived", "retrieved_at": datetime(2026, 5, 2), "files": 1},
        **{"bytes": 1, "rows_seen": 1, "is_complete": True, "is_sample": False, "is_loaded": True},
    }
    given = [("epoch", EPOCH_DAY), ("hub", STATED), ("lmarena", STATED)]
    return rows(
        "meta.snapshots",
        *(
            {"snapshot_id": f"{s}/{d}", "source": s, "snapshot_date": d, **about, **change}
            for s, d in given
        ),
    )


def board(*given: dict[str, Any], day: date = STATED, **shared: Any) -> list[Row]:
    """Rows of a board: name, rating, country, and whether its weights can be had."""
    about = {
        **{"board": "text", "category": "overall", "publish_date": day, "segment_id": 1},
        **{"board_source": "lmarena", "has_catalog_rows": False, "snapshot_id": "lmarena/x"},
        **{"is_style_controlled": False, "is_org_carried": False, "n_missing": 0, **shared},
    }
    return [
        {
            **about,
            "model_name_arena": m["name"],
            "model_id": m["name"],
            "rating": float(m["rating"]),
            "rating_lower": float(m["rating"]) - 1.96 * m.get("sd", 5),
            "rating_upper": float(m["rating"]) + 1.96 * m.get("sd", 5),
            "variance": float(m.get("sd", 5)) ** 2,
            "country_code": m.get("country", "US"),
            "lab_id": m.get("lab"),
            "is_open_weights": m.get("open"),
            "rank_ub": 1,
        }
        for m in given
    ]


def on_boards(*boards: list[Row]) -> dict[str, pl.LazyFrame]:
    return {"arena_ratings": rows("core.arena_ratings", *(r for b in boards for r in b))}
