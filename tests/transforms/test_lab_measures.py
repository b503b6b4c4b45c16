"""The measures of labs: each with its own day, and a reason where there is none."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.frames import DAY, PROPERTY, Row, compute, rows, shuffled
from transforms.registry.lab_measures import BOARDS, UNITS
from warehouse.contracts.table import contract

WEEK_AGO, YEAR_AGO = DAY - timedelta(days=7), DAY - timedelta(days=365)
EVER = date(1900, 1, 1)


def labs(*ids: str, **more: object) -> pl.LazyFrame:
    about = {
        "lab_name": "A lab",
        "kind": "lab",
        "country_code": "US",
        "country_name": "United States",
        "valid_from": EVER,
        "known_from": EVER,
        "basis": "test",
        "reviewer": "test",
        "confidence": "low",
        "evidence_kind": "none",
        **more,
    }
    return rows("core.labs", *({"lab_id": lab} for lab in ids), **about)


def share(lab: str, value: float, attribution: str = "publisher", day: date = DAY) -> Row:
    return {
        "as_of_date": day,
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": attribution,
        "lab_id": lab,
        "lab_name": "A lab",
        "country_code": "US",
        "country_name": "United States",
        "is_examined": lab != "unexamined",
        "share": value,
        "numerator": value,
        "denominator": 1.0,
        "n_models": 1,
    }


def shares(*given: Row) -> pl.LazyFrame:
    return rows("mart.lab_share_daily", *given)


def rating(lab: str | None, rank: int, value: float, **more: object) -> Row:
    return {
        "lab_id": lab,
        "model_name_arena": f"{lab}-{rank}",
        "rank_ordinal": rank,
        "rating": value,
        **more,
    }


def ratings(*given: Row) -> pl.LazyFrame:
    about: dict[str, object] = {
        "board": "text",
        "category": "overall",
        "publish_date": DAY,
        "snapshot_id": "lmarena/x",
        "country_code": "US",
        "n_missing": 0,
    }
    filled = []
    for row in given:
        own = {**about, **row}
        for name, column in contract("core.arena_ratings").columns.items():
            if name not in own and not column.nullable:
                blank = {"BOOLEAN": False, "INTEGER": 1, "VARCHAR": str(own["model_name_arena"])}
                own[name] = (column.values or (blank[column.type],))[0]
        filled.append(own)
    return rows("core.arena_ratings", *filled)


def epoch(
    *models: tuple[list[str | None], date | None, bool | None], day: date = DAY
) -> dict[str, pl.LazyFrame]:
    """Notable models of one vintage: labs, publication, whether the weights are open."""
    numbered = list(enumerate(models, 1))
    about = {"vintage_date": day, "snapshot_id": f"epoch/{day}"}
    return {
        "notable_models": rows(
            "core.notable_models",
            *(
                {"line": i, "publication_date": published, "is_open_weights": is_open}
                for i, (_, published, is_open) in numbered
            ),
            n_countries=0,
            **about,
        ),
        "notable_model_labs": rows(
            "core.notable_model_labs",
            *(
                {
                    "line": i,
                    "position": place,
                    "lab_id": lab,
                    "n_organizations": len(held),
                    "weight": 1 / len(held),
                }
                for i, (held, _, _) in numbered
                for place, lab in enumerate(held, 1)
            ),
            organization="An organisation",
            country_code="US",
            top_country_code="US",
            **about,
        ),
    }


def card(as_of: date = DAY, **inputs: pl.LazyFrame) -> dict[tuple[str, date], dict[str, object]]:
    """The measures of each lab and day: `<measure>` is the value, `<measure>:<column>` the rest."""
    inputs.setdefault("labs", labs("one", "two", "three"))
    found: dict[tuple[str, date], dict[str, object]] = {}
    for row in compute("mart.lab_measures", as_of, **inputs).iter_rows(named=True):
        held = found.setdefault((row["lab_id"], row["as_of_date"]), {})
        held[row["measure"]] = row["value"]
        held |= {f"{row['measure']}:{column}": value for column, value in row.items()}
    return found


# ---- the Hub ---------------------------------------------------------------------------------


def test_a_lab_has_both_shares_or_the_reason_for_a_missing_one() -> None:
    found = card(
        lab_share_daily=shares(
            share("one", 0.5),
            share("one", 0.25, "base"),
            share("two", 0.3, "base"),
            share("unexamined", 0.1),
        )
    )
    one, two = found["one", DAY], found["two", DAY]
    assert (one["hub_share_publisher"], one["hub_share_base"]) == (0.5, 0.25)
    assert (one["hub_share_publisher:missing_reason"], one["hub_share_base:missing_reason"]) == (
        None,
        None,
    )
    assert (two["hub_share_publisher"], two["hub_share_publisher:missing_reason"]) == (
        None,
        "no_model",
    )
    assert (one["hub_share_publisher:coverage"], one["hub_share_base:coverage"]) == (0.9, 1.0)
    assert {row["hub_share_publisher:observed_on"] for row in found.values()} == {DAY}
    assert set(found) == {("one", DAY), ("two", DAY)}


def test_other_populations_and_metrics_are_not_in_the_share() -> None:
    found = card(
        lab_share_daily=shares(
            share("one", 0.5),
            {**share("one", 0.7), "population": "llm_vlm"},
            {**share("one", 0.9), "metric": "likes", "metric_window": "all_time"},
        )
    )
    assert found["one", DAY]["hub_share_publisher"] == 0.5


def test_every_day_has_a_row_with_the_newest_measures_up_to_it() -> None:
    days = {"lab_share_daily": shares(share("one", 0.5, day=WEEK_AGO), share("one", 0.6))}
    later = DAY + timedelta(days=3)
    found = card(later, **days)
    assert {key: row["hub_share_publisher"] for key, row in found.items()} == {
        ("one", WEEK_AGO): 0.5,
        ("one", DAY): 0.6,
        ("one", later): 0.6,
    }
    assert found["one", later]["hub_share_publisher:observed_on"] == DAY


# ---- the Arena -------------------------------------------------------------------------------


def test_the_best_model_of_a_board_has_rank_gap_and_win_rate() -> None:
    found = card(
        arena_ratings=ratings(
            rating("one", 1, 1400.0),
            rating("two", 3, 1361.0),
            rating("two", 4, 1300.0),
            rating(None, 2, 1390.0),
        )
    )
    one, two = found["one", DAY], found["two", DAY]
    assert (
        one["arena_text:rank_ordinal"],
        one["arena_text:gap_to_leader"],
        one["arena_text:win_rate"],
    ) == (
        1,
        0,
        0.5,
    )
    place = [two[f"arena_text:{c}"] for c in ("model_name", "rank_ordinal", "gap_to_leader")]
    assert place == ["two-3", 3, 39.0]
    # the AI Index's 2.7 % are 39 points: the leader wins 55.6 % (ai_index.md, lmarena.md)
    assert round(100 * (1 - two["arena_text:win_rate"]), 1) == 55.6
    assert set(found) == {("one", DAY), ("two", DAY)}


def test_a_gap_of_five_points_is_a_win_rate_near_one_half() -> None:
    found = card(arena_ratings=ratings(rating("one", 1, 1400.0), rating("two", 2, 1395.0)))
    assert round(100 * (1 - found["two", DAY]["arena_text:win_rate"]), 1) == 50.7


def test_each_board_has_its_own_reason_for_being_null() -> None:
    found = card(
        arena_ratings=ratings(
            rating("one", 1, 1400.0),
            rating("two", 1, 1300.0, board="webdev", publish_date=WEEK_AGO),
            rating("one", 1, 1500.0, category="coding"),
            rating("one", 1, 1600.0, board="search"),
        )
    )
    one, two = found["one", DAY], found["two", DAY]
    assert (one["arena_text"], one["arena_webdev"]) == (1400.0, None)
    assert (one["arena_webdev:missing_reason"], one["arena_vision:missing_reason"]) == (
        "not_on_board",
        "no_board",
    )
    assert (one["arena_webdev:observed_on"], one["arena_vision:observed_on"]) == (WEEK_AGO, None)
    assert (two["arena_text:missing_reason"], two["arena_webdev:missing_reason"]) == (
        "not_on_board",
        None,
    )


def test_a_model_that_left_the_newest_board_is_not_carried_over() -> None:
    found = card(
        arena_ratings=ratings(
            rating("two", 1, 1350.0, publish_date=WEEK_AGO), rating("one", 1, 1400.0)
        ),
        lab_share_daily=shares(share("two", 0.5)),
    )
    assert found["two", DAY]["arena_text:missing_reason"] == "not_on_board"
    assert found["two", DAY]["arena_text:observed_on"] == DAY


def test_a_board_with_catalog_rows_marks_every_row_that_uses_it() -> None:
    board = [rating("one", 1, 1400.0), rating("two", 1, 1400.0, board="webdev")]
    marked = [{**board[0], "has_catalog_rows": True}, board[1]]
    assert {
        r["arena_text:has_catalog_rows"] for r in card(arena_ratings=ratings(*board)).values()
    } == {False}
    assert {
        r["arena_text:has_catalog_rows"] for r in card(arena_ratings=ratings(*marked)).values()
    } == {True}


# ---- Epoch -----------------------------------------------------------------------------------


def test_notable_models_count_once_per_lab_and_openness_uses_known_access() -> None:
    found = card(
        **epoch(
            (["one", "one", "two"], DAY - timedelta(days=30), True),
            (["one"], YEAR_AGO - timedelta(days=30), False),
            (["one"], None, None),
            (["three", None], DAY, None),
        )
    )
    one, two, three = (found[lab, DAY] for lab in ("one", "two", "three"))
    assert (one["notable_models"], one["notable_models_12m"]) == (3, 1)
    assert (one["notable_open_weights_share"], one["notable_open_weights_share:n_known"]) == (
        0.5,
        2,
    )
    assert (two["notable_models"], two["notable_open_weights_share"]) == (1, 1.0)
    assert (
        three["notable_open_weights_share"],
        three["notable_open_weights_share:missing_reason"],
    ) == (None, "access_unknown")
    assert three["notable_open_weights_share:n_known"] == 0
    assert one["notable_models:coverage"] == pytest.approx(3.5 / 4)


def test_a_lab_that_the_vintage_lacks_has_null_not_zero() -> None:
    shared = {"lab_share_daily": shares(share("two", 0.5))}
    listed = card(**epoch((["one"], DAY, True)), **shared)["two", DAY]
    assert (listed["notable_models"], listed["notable_models:missing_reason"]) == (
        None,
        "not_listed",
    )
    assert listed["notable_open_weights_share:missing_reason"] == "not_listed"
    none = card(**shared)["two", DAY]
    assert (
        none["notable_models:missing_reason"],
        none["notable_open_weights_share:missing_reason"],
    ) == ("no_vintage", "no_vintage")


# ---- all of it -------------------------------------------------------------------------------

LAB = st.sampled_from(["one", "two", "three"])


@PROPERTY
@given(
    st.lists(st.tuples(LAB, st.sampled_from([WEEK_AGO, DAY])), unique=True, max_size=4),
    st.lists(
        st.tuples(st.none() | LAB, st.sampled_from(BOARDS), st.sampled_from([WEEK_AGO, DAY])),
        max_size=8,
        unique=True,
    ),
    st.lists(
        st.tuples(
            st.lists(st.none() | LAB, min_size=1, max_size=3),
            st.none() | st.sampled_from([DAY, YEAR_AGO]),
            st.none() | st.booleans(),
        ),
        max_size=5,
    ),
    st.integers(0, 2**16),
)
def test_exactly_the_null_measures_have_a_reason(
    hub: list[tuple[str, date]],
    arena: list[tuple[str | None, str, date]],
    models: list[tuple[list[str | None], date | None, bool | None]],
    seed: int,
) -> None:
    inputs: dict[str, pl.LazyFrame] = {
        "labs": labs("one", "two", "three"),
        "lab_share_daily": shares(*(share(lab, 0.1, day=day) for lab, day in hub)),
        "arena_ratings": ratings(
            *(
                rating(lab, i, 1500.0 - i, board=board, publish_date=day)
                for i, (lab, board, day) in enumerate(arena, 1)
            )
        ),
        **epoch(*models),
    }
    made = compute("mart.lab_measures", **inputs)
    assert (made["value"].is_null() == made["missing_reason"].is_not_null()).all()
    each = made.group_by("lab_id", "as_of_date").agg(pl.col("measure").n_unique(), pl.len())
    assert set(each.select("measure", "len").rows()) <= {(len(UNITS), len(UNITS))}
    assert set(made["as_of_date"]) <= {DAY, *(day for _, day in hub)}
    assert (made["observed_on"].drop_nulls() <= DAY).all()
    mixed = {name: shuffled(frame, seed) for name, frame in inputs.items()}
    assert_frame_equal(compute("mart.lab_measures", **mixed), made, check_exact=True)
