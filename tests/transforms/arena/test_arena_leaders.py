"""Who leads LMArena's boards: by hand, against the definitions, and against drawn boards."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from statistics import NormalDist
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from flows.reports.headline import leaders_table
from tests.support.frames import DAY, PROPERTY, Row, all_countries, compute, rows, shuffled
from transforms.arena.probability_best import log_normal_cdf, with_probability_best
from transforms.arena.scale import BOARD
from transforms.mart.arena_leader_changes import DOUBT_DEVIATIONS, N_BOARDS
from warehouse.contracts.table import contract

COUNTRIES = compute("core.countries", raw_registry_countries=all_countries()).lazy()
WHERE = {"alpha": "US", "beta": "CN", "gamma": "FR", "delta": "US", "omega": "ZZ", None: "XX"}
LABS = rows(
    "core.labs",
    *({"lab_id": lab, "lab_name": lab.title(), "country_code": WHERE[lab]} for lab in WHERE if lab),
    country_name="x",
    kind="lab",
    valid_from=date(1900, 1, 1),
    known_from=date(2026, 1, 1),
    basis="test",
    reviewer="test",
    confidence="low",
)
WIDTH = 1.959963984540054


def model(name: str, rating: float | None, lab: str | None = None, **more: Any) -> Row:
    """A line of a board; `sd` gives variance and bounds."""
    sd = more.pop("sd", None)
    if sd is not None and rating is not None:
        more |= {
            "rating_lower": rating - WIDTH * sd,
            "rating_upper": rating + WIDTH * sd,
        }
        more |= {"variance": float(sd) ** 2}
    about = {"model_name_arena": name, "model_id": name, "rating": rating, "lab_id": lab}
    return {**about, "country_code": WHERE[lab], **more}


def board(*models: Row, **shared: Any) -> list[Row]:
    """The models of one board, ranked by rating, then name."""
    rated = sorted((m for m in models if m["rating"] is not None), key=_place)
    points = [m["rating"] for m in rated]
    ranks = {m["model_name_arena"]: 1 + points.index(m["rating"]) for m in rated}
    about = {"board": "text", "category": "overall", "publish_date": DAY, "segment_id": 1}
    about |= {"board_source": "lmarena", "has_catalog_rows": False, "snapshot_id": f"lmarena/{DAY}"}
    about |= {"is_style_controlled": False, "is_org_carried": False, "n_missing": 0, **shared}
    tied = Counter(m["rating"] for m in rated)
    return [
        {
            **about,
            "rank_ordinal": ranks.get(m["model_name_arena"]),
            "n_tied": tied.get(m["rating"]),
            **m,
        }
        for m in models
    ]


def _place(line: Row) -> tuple[float, str]:
    return -float(str(line["rating"])), str(line["model_name_arena"])


def ratings(*boards: Sequence[Row]) -> pl.LazyFrame:
    """core.arena_ratings, with the probabilities that belong to the ratings."""
    table = "core.arena_ratings"
    given = rows(table, *(line for each in boards for line in each))
    made = with_probability_best(given.drop("probability_best", "probability_reason"))
    return made.select(*contract(table).columns).collect().lazy()  # read by several marts


def by_country(found: pl.LazyFrame) -> pl.DataFrame:
    return compute("mart.arena_leaders", arena_ratings=found, countries=COUNTRIES)


def by_lab(found: pl.LazyFrame) -> pl.DataFrame:
    return compute("mart.arena_lab_leaders", arena_ratings=found, labs=LABS)


def leaders(found: pl.LazyFrame, by: str = "country_code") -> dict[str, dict[str, Any]]:
    """The rows of one board by country or lab."""
    made = by_country(found) if by == "country_code" else by_lab(found)
    return {row[by]: row for row in made.iter_rows(named=True)}


def leaders_of_boards(*boards: list[Row]) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of several boards by board and country."""
    made = by_country(ratings(*boards))
    return {(row["board"], row["country_code"]): row for row in made.iter_rows(named=True)}


# ---- the probability of being the best -----------------------------------------------------------


def chances(*models: Row) -> tuple[dict[Any, Any], set[Any]]:
    """Probability by model, and the reasons given."""
    made = ratings(board(*models)).collect()
    assert made.height == len(models)
    return (
        dict(made.select("model_id", "probability_best").iter_rows()),
        set(made["probability_reason"]),
    )


def test_the_normal_distribution_is_that_of_the_standard_library() -> None:
    z = [i / 64 for i in range(-7 * 64, 9 * 64)]
    found = pl.DataFrame({"z": z}).select(log_normal_cdf(pl.col("z"))).to_series().to_list()
    expected = [math.log(math.erfc(-x / math.sqrt(2)) / 2) for x in z]
    assert found == pytest.approx(expected, abs=3e-9)
    assert found[3 * 64 :] == pytest.approx(expected[3 * 64 :], abs=2e-12)  # from -4 on


@pytest.mark.parametrize(("gap", "one", "other"), [(0, 3, 3), (5, 4, 2), (30, 6, 9), (-12, 1, 40)])
def test_of_two_models_the_difference_decides(gap: float, one: float, other: float) -> None:
    found, _ = chances(model("a", 1400.0 + gap, sd=one), model("b", 1400.0, sd=other))
    first = NormalDist().cdf(gap / math.hypot(one, other))
    assert found == pytest.approx({"a": first, "b": 1 - first}, abs=1e-7)


def test_equal_models_share_equally_and_a_model_alone_is_the_best() -> None:
    found, _ = chances(*(model(name, 1400.0, sd=5) for name in "abcd"))
    assert found == pytest.approx(dict.fromkeys("abcd", 0.25), abs=1e-8)
    assert chances(model("a", 1400.0, sd=5))[0] == pytest.approx({"a": 1.0}, abs=1e-8)
    assert chances(model("a", 1114.0, sd=0))[0] == {"a": 1.0}


def test_an_anchor_is_best_if_all_others_are_below_it() -> None:
    found, reasons = chances(
        model("anchor", 1114.0, sd=0), model("b", 1110.0, sd=5), model("c", 1120.0, sd=8)
    )
    anchor = NormalDist().cdf(4 / 5) * NormalDist().cdf(-6 / 8)
    assert found["anchor"] == pytest.approx(anchor, abs=1e-9)
    assert sum(found.values()) == pytest.approx(1, abs=1e-7)
    assert reasons == {None}


def test_anchors_at_one_point_share_and_one_below_another_is_never_best() -> None:
    lines = [model("x", 1114.0, sd=0), model("y", 1114.0, sd=0), model("z", 1113.0, sd=0)]
    assert chances(*lines)[0] == {"x": 0.5, "y": 0.5, "z": 0.0}
    found, _ = chances(*lines, model("b", 1114.0, sd=7))
    assert found == pytest.approx({"x": 0.25, "y": 0.25, "z": 0.0, "b": 0.5}, abs=1e-8)


def test_a_missing_variance_counts_only_where_it_could_matter() -> None:
    first, near, far = model("a", 1400.0, sd=3), model("b", 1390.0), model("c", 1300.0)
    assert chances(first, near) == ({"a": None, "b": None}, {"no_variance"})
    found, reasons = chances(first, far)
    assert (found["a"], found["c"], reasons) == (pytest.approx(1, abs=1e-8), 0.0, {None})
    # were c as uncertain as d, it could be the best
    found, reasons = chances(first, far, model("d", 1250.0, sd=60))
    assert (set(found.values()), reasons) == ({None}, {"no_variance"})
    assert chances(near, far) == ({"b": None, "c": None}, {"no_variance"})


def test_deviations_too_uneven_to_integrate_are_told() -> None:
    found, reasons = chances(model("a", 1400.0, sd=1e-4), model("b", 1400.0, sd=10))
    assert (set(found.values()), reasons) == ({None}, {"uneven_variances"})


DRAWN = st.lists(
    st.tuples(st.integers(1380, 1420), st.sampled_from([0, 2, 5, 9, 30])), min_size=1, max_size=6
)


@PROPERTY
@given(DRAWN)
def test_probabilities_are_those_of_drawn_boards(drawn: list[tuple[int, int]]) -> None:
    """Against 20,000 draws of the standard library's generator, seeded."""
    found, _ = chances(*(model(f"m{i}", float(r), sd=sd) for i, (r, sd) in enumerate(drawn)))
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    generator, n = random.Random(20261009), 20_000
    wins: Counter[int] = Counter()
    for _ in range(n):
        strengths = [generator.gauss(r, sd) for r, sd in drawn]
        best = max(strengths)
        firsts = [i for i, strength in enumerate(strengths) if strength == best]
        wins[firsts[generator.randrange(len(firsts))]] += 1
    for i in range(len(drawn)):
        assert found[f"m{i}"] == pytest.approx(wins[i] / n, abs=0.018)  # five standard errors


def test_many_boards_come_out_the_same_bit_by_bit() -> None:
    generator = random.Random(7)
    boards = [
        board(
            *(
                model(f"m{i}", generator.gauss(1400, 15), lab, sd=generator.uniform(2, 9))
                for i, lab in enumerate(generator.choices(list(WHERE), k=40))
            ),
            category=f"c{j}",
        )
        for j in range(150)
    ]
    found = ratings(*boards)
    first = by_country(found)
    sums = first.group_by(BOARD).agg(pl.col("probability_first").sum())
    assert sums["probability_first"].to_list() == pytest.approx([1.0] * 150, abs=1e-6)
    for seed in range(2):
        assert_frame_equal(by_country(shuffled(found, seed)), first, check_exact=True)


# ---- leaders -------------------------------------------------------------------------------------


def test_the_best_model_of_each_country_leads_for_it() -> None:
    found = leaders(
        ratings(
            board(
                model("a", 1400.0, "beta", rank_ub=2),
                model("b", 1439.0, "alpha", rank_ub=1),
                model("c", 1434.0, "delta", rank_ub=1),
                model("d", 1300.0),
                model("e", 1290.0, "omega"),
                model("f", None, "beta"),
                is_style_controlled=True,
                segment_id=4,
            )
        )
    )
    assert set(found) == {"US", "CN", "XX", "ZZ"}
    us, cn, unexamined = found["US"], found["CN"], found["XX"]
    assert (us["best_model"], us["best_lab_id"], us["best_rank_ordinal"]) == ("b", "alpha", 1)
    assert us["best_rank_ub"] == 1
    assert (us["gap_to_leader"], us["n_models"], us["n_models_board"]) == (0, 2, 5)
    assert (cn["best_model"], cn["best_model_id"], cn["best_rank_ordinal"]) == ("a", "a", 3)
    assert cn["best_rank_ub"] == 2
    assert (cn["country_name"], cn["gap_to_leader"], cn["n_models"]) == ("China", 39, 1)
    assert (unexamined["best_lab_id"], unexamined["best_rank_ub"]) == (None, None)
    assert {(r["is_style_controlled"], r["segment_id"]) for r in found.values()} == {(True, 4)}
    assert {r["probability_reason"] for r in found.values()} == {"no_variance"}
    assert {(r["probability_best"], r["probability_first"]) for r in found.values()} == {
        (None,) * 2
    }


def test_a_model_that_is_on_the_style_controlled_board_alone_counts_there() -> None:
    found = leaders_of_boards(
        board(model("a", 1400.0, "beta", rank_ub=2), model("b", 1439.0, "alpha", rank_ub=1)),
        board(
            model("a", 1380.0, "beta", rank_ub=7),
            model("new", 1430.0, "beta", rank_ub=3),
            board="text_style_control",
            is_style_controlled=True,
        ),
    )
    ranks = {place: row["best_rank_ub_style_control"] for place, row in found.items()}
    assert ranks == {("text", "CN"): 3, ("text", "US"): None, ("text_style_control", "CN"): 3}


@pytest.mark.parametrize(("gap", "rate"), [(0, 0.5), (5, 0.507), (39, 0.556), (400, 10 / 11)])
def test_gaps_are_also_expected_win_rates(gap: float, rate: float) -> None:
    lines = board(model("a", 1400.0 + gap, "alpha"), model("b", 1400.0, "beta"))
    behind = leaders(ratings(lines))["CN"]
    assert behind["gap_to_leader"] == pytest.approx(gap)
    assert behind["expected_win_rate_of_leader"] == pytest.approx(rate, abs=5e-4)


def test_a_country_holds_the_first_place_with_any_of_its_models() -> None:
    lines = [
        model("a", 1410.0, "alpha", sd=4),
        model("b", 1408.0, "beta", sd=4),
        model("c", 1408.0, "beta", sd=4),
        model("d", 1300.0, "gamma", sd=4),
        model("e", 1409.0, sd=3),
    ]
    alone, _ = chances(*lines)
    found = leaders(ratings(board(*lines)))
    assert {c: r["probability_first"] for c, r in found.items()} == pytest.approx(
        {"US": alone["a"], "CN": alone["b"] + alone["c"], "FR": 0, "XX": alone["e"]}
    )
    assert found["CN"]["probability_first"] > found["US"]["probability_first"]  # yet second by rank
    assert (found["CN"]["probability_best"], found["FR"]["probability_best"]) == (alone["b"], 0)
    assert {r["probability_reason"] for r in found.values()} == {None}


def test_tops_are_counted_by_ordinal_rank() -> None:
    lines = [model(f"m{i:03}", 2000.0 - i, "beta" if i % 3 else "alpha") for i in range(120)]
    found = leaders(ratings(board(*lines)))
    tops = ("n_top1", "n_top3", "n_top5", "n_top10", "n_top20", "n_top50", "n_top100", "n_models")
    assert [found["CN"][n] for n in tops] == [0, 2, 3, 6, 13, 33, 66, 80]
    assert [found["US"][n] for n in tops] == [1, 1, 2, 4, 7, 17, 34, 40]


def test_ties_share_a_rank_and_the_name_alone_decides_who_is_named() -> None:
    tied = [model("b", 1500.0, "beta"), model("a", 1500.0, "beta"), model("c", 1500.0, "alpha")]
    found = leaders(ratings(board(*tied, model("d", 1490.0, "gamma", is_open_weights=True))))
    shown = ("best_model", "best_rank_ordinal", "best_n_tied", "gap_to_leader", "n_top1", "n_top3")
    assert [found["CN"][c] for c in shown] == ["a", 1, 3, 0, 2, 2]
    assert [found["US"][c] for c in shown] == ["c", 1, 3, 0, 1, 1]
    assert [found["FR"][c] for c in shown] == ["d", 4, 1, 10, 0, 0]


def test_of_ties_the_published_order_names_the_model() -> None:
    tied = [
        model(n, 1500.0, "beta", rank_published=r) for n, r in (("a", 3), ("b", 2), ("c", None))
    ]
    assert leaders(ratings(board(*tied)))["CN"]["best_model"] == "b"


def test_of_tied_open_models_each_leads() -> None:
    tied = [
        model(n, 1500.0, lab, is_open_weights=True) for n, lab in (("a", "beta"), ("b", "alpha"))
    ]
    found = leaders(ratings(board(*tied)))
    assert {c: r["is_open_weight_leader"] for c, r in found.items()} == {"CN": True, "US": True}


def test_open_weights_have_a_leader_of_their_own() -> None:
    found = leaders(
        ratings(
            board(
                model("a", 1500.0, "alpha", is_open_weights=False),
                model("b", 1480.0, "alpha", is_open_weights=True),
                model("c", 1490.0, "beta", is_open_weights=True),
                model("d", 1470.0, "beta", is_open_weights=True),
                model("e", 1485.0, "gamma"),
            )
        )
    )
    opened = ("best_open_model", "best_open_rank_ordinal", "best_open_rating")
    opened += ("best_open_gap_to_leader", "is_open_weight_leader", "n_open_models")
    unknown = "n_models_license_unknown"
    assert [found["CN"][c] for c in (*opened, unknown)] == ["c", 2, 1490, 10, True, 2, 0]
    assert [found["US"][c] for c in (*opened, unknown)] == ["b", 4, 1480, 20, False, 1, 0]
    assert [found["FR"][c] for c in (*opened, unknown)] == [None, None, None, None, False, 0, 1]


def test_models_without_a_lab_lead_nobody_and_still_count() -> None:
    found = ratings(
        board(
            model("x", 1500.0, sd=5),
            model("a", 1495.0, "alpha", sd=5),
            model("b", 1480.0, "delta", sd=5),
            model("y", None),
        )
    )
    made = leaders(found, "lab_id")
    assert set(made) == {"alpha", "delta"}
    alpha, delta = made["alpha"], made["delta"]
    assert (alpha["best_rank_ordinal"], alpha["gap_to_leader"]) == (2, 5)
    assert (alpha["lab_name"], alpha["country_code"]) == ("Alpha", "US")
    assert (alpha["n_models_board"], alpha["n_models_without_lab"]) == (3, 1)
    alone, _ = chances(model("x", 1500, sd=5), model("a", 1495, sd=5), model("b", 1480, sd=5))
    assert alpha["probability_first"] + delta["probability_first"] == pytest.approx(1 - alone["x"])


def test_a_board_without_ratings_has_no_leader() -> None:
    found = ratings(board(model("a", None, "alpha")))
    assert by_country(found).height == by_lab(found).height == 0
    assert by_country(ratings()).height == by_lab(ratings()).height == 0


LINE = st.tuples(
    st.sampled_from(list(WHERE)), st.none() | st.integers(1000, 1030), st.none() | st.booleans()
)


@PROPERTY
@given(st.lists(LINE, max_size=14), st.integers(0, 2**16))
def test_leaders_are_those_of_the_definitions(
    drawn: list[tuple[str | None, int | None, bool | None]], seed: int
) -> None:
    lines = board(
        *(
            model(f"m{i}", rating and float(rating), lab, is_open_weights=is_open)
            for i, (lab, rating, is_open) in enumerate(drawn)
        )
    )
    other = board(model("x", 1.0, "beta"), model("y", 2.0, "gamma"), category="other")
    found = ratings(lines, other)
    rated = sorted((line for line in lines if line["rank_ordinal"]), key=_place)
    for column, made in (("country_code", by_country(found)), ("lab_id", by_lab(found))):
        expected: dict[Any, list[Row]] = defaultdict(list)
        for line in rated:
            expected[line[column]].append(line)
        expected.pop(None, None)
        top = rated[0]["rating"] if rated else 0
        columns = [column, "best_model", "best_rank_ordinal", "gap_to_leader", "n_models"]
        columns += ["n_top3", "best_open_model", "best_n_tied"]
        assert made.filter(category="overall").select(columns).rows() == [
            (
                holder,
                held[0]["model_id"],
                held[0]["rank_ordinal"],
                top - held[0]["rating"],
                len(held),
                sum(line["rank_ordinal"] <= 3 for line in held),
                next((line["model_id"] for line in held if line["is_open_weights"]), None),
                sum(line["rating"] == held[0]["rating"] for line in rated),
            )
            for holder, held in sorted(expected.items())
        ]
        again = (by_country if column == "country_code" else by_lab)(shuffled(found, seed))
        assert_frame_equal(again, made, check_exact=True)


# ---- lags ----------------------------------------------------------------------------------------


def on(day: int, **best: Any) -> list[Row]:
    """The board of a day by its best ratings; more models of a country by suffix (`beta_2`)."""
    about = {k: best.pop(k) for k in ("segment_id", "has_catalog_rows") if k in best}
    lines = [
        model(name, value if isinstance(value, float) else value[0], name.split("_")[0],
              sd=None if isinstance(value, float) else value[1])
        for name, value in best.items()
    ]  # fmt: skip
    return board(*lines, publish_date=DAY + timedelta(days=day), **about)


def lag_of(country: str, day: int, *boards: list[Row]) -> dict[str, Any]:
    made = by_country(ratings(*boards))
    (row,) = made.filter(country_code=country, publish_date=DAY + timedelta(days=day)).to_dicts()
    return {k: v for k, v in row.items() if k.startswith(("lag", "first_"))}


def test_the_lag_counts_from_the_first_other_country_at_that_level() -> None:
    history = [
        on(0, alpha=1300.0, beta=1200.0, gamma=1290.0),
        on(10, alpha=1350.0, beta=1250.0, gamma=1295.0),
        on(20, alpha=1340.0, beta=1310.0, gamma=1320.0),
        on(30, alpha=1345.0, beta=(1345.0, 3.0), beta_2=(1300.0, 1.0), gamma=1344.0),
    ]
    assert lag_of("CN", 30, *history) == {
        "lag_days": 20,  # 1345: alpha on day 10, though it fell back later
        "lag_days_lower": 0,  # 1350.9: nobody
        "lag_days_upper": 20,  # 1339.1: alpha on day 10
        "lag_is_censored": False,
        "lag_upper_is_censored": False,
        "first_reached_by": "US",
        "first_reached_date": DAY + timedelta(days=10),
    }
    assert lag_of("FR", 30, *history)["lag_days"] == 20
    assert lag_of("FR", 20, *history)["lag_days"] == 10
    assert lag_of("CN", 0, *history)["lag_is_censored"]
    assert lag_of("CN", 0, *history)["lag_days"] == 0
    first = lag_of("US", 10, *history)  # what others reach later does not count
    assert set(first.values()) == {None}
    # on one date: level with each other, so both are reached by the other on the day itself
    assert lag_of("US", 30, *history)["lag_days"] == 0
    assert lag_of("US", 30, *history)["first_reached_by"] == "CN"


def test_no_lag_across_a_break_of_the_scale() -> None:
    history = [
        on(0, alpha=1300.0, beta=1200.0),
        on(10, alpha=1260.0, beta=1255.0, segment_id=2),
        on(20, alpha=1270.0, beta=1256.0, segment_id=2),
    ]
    lag = lag_of("CN", 20, *history)
    assert (lag["lag_days"], lag["lag_is_censored"]) == (10, True)


def test_nobody_in_particular_has_no_lag_and_reaches_nothing_first() -> None:
    history = [on(0, omega=1400.0, alpha=1300.0, beta=1200.0), on(9, alpha=1390.0, beta=1250.0)]
    assert set(lag_of("ZZ", 0, *history).values()) == {None}
    assert lag_of("US", 9, *history)["lag_days"] is None
    assert lag_of("CN", 9, *history)["first_reached_by"] == "US"


def test_a_lag_that_rests_on_catalog_rows_marks_its_whole_board() -> None:
    history = [
        on(0, alpha=1300.0, beta=1200.0, has_catalog_rows=True),
        on(9, alpha=1400.0, beta=1250.0),
        on(18, alpha=1400.0, beta=1350.0),
    ]
    made = (
        by_country(ratings(*history))
        .select("publish_date", "has_catalog_rows")
        .unique()
        .sort("publish_date")
    )
    assert made["has_catalog_rows"].to_list() == [True, True, False]


HISTORY = st.lists(
    st.tuples(
        st.integers(0, 1),  # whether the scale breaks before this board
        st.lists(
            st.tuples(
                st.sampled_from(list(WHERE)), st.integers(0, 12), st.none() | st.integers(0, 3)
            ),
            min_size=1,
            max_size=5,
        ),
    ),
    max_size=7,
)  # fmt: skip


@PROPERTY
@given(HISTORY, st.integers(0, 2**16))
def test_lags_are_those_of_the_definition(
    drawn: list[tuple[int, list[tuple[str | None, int, int | None]]]], seed: int
) -> None:
    segment, boards = 1, []
    for day, (breaks, models) in enumerate(drawn):
        segment += breaks if day else 0
        lines = [model(f"m{i}", 1000.0 + r, lab, sd=sd) for i, (lab, r, sd) in enumerate(models)]
        when = DAY + timedelta(days=3 * day)
        boards.append(board(*lines, publish_date=when, segment_id=segment))
    found = ratings(*boards)
    made = by_country(found)
    for row in made.iter_rows(named=True):
        known = row["country_code"] not in ("ZZ", "XX")
        lower, upper = (row[f"rating_{bound}"] for bound in ("lower", "upper"))
        others = made.filter(
            pl.col("publish_date") <= row["publish_date"],
            ~pl.col("country_code").is_in(["ZZ", "XX", row["country_code"]]),
            segment_id=row["segment_id"],
        )

        def since(level: float | None, row: Any = row, others: Any = others) -> int | None:
            days = others.filter(pl.col("rating") >= level)["publish_date"]
            return None if days.is_empty() else int((row["publish_date"] - days.min()).days)

        expected = since(row["rating"]) if known else None
        assert row["lag_days"] == expected
        near = None if lower is None or not known else since(lower)
        assert row["lag_days_upper"] == near
        assert row["lag_days_lower"] == (None if near is None else since(upper) or 0)
        start = made.filter(segment_id=row["segment_id"])["publish_date"].min()
        is_first = row["first_reached_date"] == start
        assert row["lag_is_censored"] == (None if expected is None else is_first)
    assert_frame_equal(by_country(shuffled(found, seed)), made, check_exact=True)


# ---- changes of the leader -----------------------------------------------------------------------


def changes(found: pl.LazyFrame) -> pl.DataFrame:
    """Every confirmed change, after the two marts it reads."""
    return compute(
        "mart.arena_leader_changes",
        arena_ratings=found,
        arena_leaders=by_country(found).lazy(),
        arena_lab_leaders=by_lab(found).lazy(),
    )


def told(found: pl.LazyFrame, level: str = "country") -> list[tuple[Any, ...]]:
    """Previous holder, holder, and the days of first lead and confirmation, counted from DAY."""
    made = changes(found).filter(level=level)
    return [
        (was, now, (first - DAY).days, (confirmed - DAY).days)
        for was, now, first, confirmed in made.select(
            "previous_holder", "holder", "first_led_date", "confirmed_date"
        ).iter_rows()
    ]


def duel(*margins: float, sd: float = 3.0, every: int = 1) -> list[list[Row]]:
    """Boards on which alpha (US) is so far ahead of beta (CN), never the same twice."""
    return [
        on(every * i, alpha=(1400.0 + i + margin, sd), beta=(1400.0 + i, sd), gamma=(1300.0, sd))
        for i, margin in enumerate(margins)
    ]


def test_a_lead_is_confirmed_on_the_third_new_board_beyond_the_doubt() -> None:
    assert (N_BOARDS, DOUBT_DEVIATIONS) == (3, 1.96)
    doubt = 1.96 * math.sqrt(18)
    found = ratings(*duel(20, 20, 20, 5, 20, 1, -20, -20, 5, -20, -20, -20, -20))
    assert told(found) == [(None, "US", 0, 2), ("US", "CN", 9, 11)]
    assert told(found, "lab") == [(None, "alpha", 0, 2), ("alpha", "beta", 9, 11)]
    last = changes(found).filter(level="country").row(-1, named=True)
    assert (last["best_model"], last["rival_model"], last["rival_holder"]) == (
        "beta",
        "alpha",
        "US",
    )
    assert (last["margin"], last["doubt"]) == (pytest.approx(20), pytest.approx(doubt))
    assert last["expected_win_rate"] == pytest.approx(1 / (1 + 10 ** (-20 / 400)))
    first = NormalDist().cdf(20 / math.sqrt(18))
    assert (last["n_dates"], last["probability_first"]) == (4, pytest.approx(first, abs=1e-6))


def test_two_boards_are_not_enough_and_a_dip_into_doubt_ends_no_lead() -> None:
    assert told(ratings(*duel(20, 20))) == []
    assert told(ratings(*duel(20, 20, 2, 20, 20, 2, 20, 20))) == []
    assert told(ratings(*duel(20, 20, 20, 2, 2, -2, 20, 20, 20))) == [(None, "US", 0, 2)]


def test_a_board_published_again_confirms_nothing() -> None:
    fresh = duel(20, 20, 20, every=10)
    day = timedelta(days=1)
    stale = [
        [{**line, "publish_date": line["publish_date"] + i * day} for line in fresh[n]]
        for n in (0, 1)
        for i in (1, 2, 3)
    ]
    assert told(ratings(*fresh[:2], *stale)) == []
    assert told(ratings(*fresh, *stale)) == [(None, "US", 0, 20)]


def test_a_board_without_variances_confirms_nothing() -> None:
    lines = [on(i, alpha=1500.0 + i, beta=1400.0) for i in range(5)]
    assert told(ratings(*lines)) == []


def without_intervals(lines: list[Row]) -> list[Row]:
    return [{**line, "variance": None} for line in lines]


def test_a_board_without_variances_breaks_a_row_only_where_somebody_else_is_first() -> None:
    """Boards of 2024 come from sources with and without intervals in turn."""
    boards = duel(20, 20, 20, 20, 20)
    boards[1], boards[3] = without_intervals(boards[1]), without_intervals(boards[3])
    assert told(ratings(*boards)) == [(None, "US", 0, 4)]
    made = changes(ratings(*boards)).filter(level="country")
    assert made["n_dates"].to_list() == [3]  # those that say so
    boards = duel(20, 20, -20, 20, 20, 20)
    boards[2] = without_intervals(boards[2])
    assert told(ratings(*boards)) == [(None, "US", 3, 5)]
    # in doubt, then not known: the row does not go on from before the doubt
    boards = duel(20, 20, 5, 20, 20)
    boards[3] = without_intervals(boards[3])
    assert told(ratings(*boards)) == []


def test_nobody_in_particular_stands_in_the_way_and_never_leads() -> None:
    near = [
        on(i, alpha=(1400.0 + i, 3.0), omega=(1398.0 + i, 3.0), beta=(1300.0, 3.0))
        for i in range(4)
    ]
    assert told(ratings(*near)) == []
    assert told(ratings(*near), "lab") == []
    ahead = [on(i, alpha=(1400.0 + i, 3.0), omega=(1450.0 + i, 3.0)) for i in range(4)]
    assert told(ratings(*ahead)) == []
    assert told(ratings(*ahead), "lab") == [(None, "omega", 0, 2)]  # examined, a lab of its own


def test_leads_of_labs_of_one_country_change_by_lab_alone() -> None:
    lines = [
        on(
            i,
            alpha=(1450.0 + i, 3.0),
            delta=(1450.0 + i + (-30 if i < 3 else 30), 3.0),
            beta=(1300.0, 3.0),
        )
        for i in range(6)
    ]
    assert told(ratings(*lines)) == [(None, "US", 0, 2)]
    assert told(ratings(*lines), "lab") == [(None, "alpha", 0, 2), ("alpha", "delta", 3, 5)]


def test_catalog_rows_mark_the_lead_they_are_behind_and_the_one_after() -> None:
    boards = duel(*[20.0] * 3, *[-20.0] * 3, *[20.0] * 3)
    boards[1] = [{**line, "has_catalog_rows": True} for line in boards[1]]
    made = changes(ratings(*boards)).filter(level="country")
    assert made["has_catalog_rows"].to_list() == [True, True, False]


MARGINS = st.lists(st.integers(-25, 25).map(float), max_size=14)
DOUBT = 1.96 * math.sqrt(18)


@PROPERTY
@given(MARGINS.map(lambda margins: [m for m in margins if abs(m) <= DOUBT]))
def test_noise_within_the_doubt_changes_nothing(margins: list[float]) -> None:
    assert told(ratings(*duel(*margins))) == []


@pytest.mark.slow
@PROPERTY
@given(
    MARGINS,
    st.lists(st.booleans(), min_size=14, max_size=14),
    st.lists(st.integers(1, 3), min_size=14, max_size=14),
    st.integers(0, 2**16),
)
def test_changes_are_those_of_the_definition(
    margins: list[float], is_bare: list[bool], copies: list[int], seed: int
) -> None:
    """Boards published up to three times over and the order of rows change nothing."""
    expected, leader, row, of = [], None, [], None
    for i, (margin, bare) in enumerate(zip(margins, is_bare, strict=False)):
        first = "CN" if margin < 0 else "US"  # of equals alpha by its name
        if bare and first == of:
            continue
        holder = first if not bare and abs(margin) > DOUBT else None
        row = [*row, i] if holder and holder == of else [i]
        of = holder
        if holder and holder != leader and len(row) == 3:
            expected.append((leader, holder, 5 * row[0], 5 * row[2]))
            leader = holder
    boards = [
        without_intervals(lines) if bare else lines
        for lines, bare in zip(duel(*margins, every=5), is_bare, strict=False)
    ]
    again = [
        [{**line, "publish_date": line["publish_date"] + timedelta(days=i)} for line in lines]
        for lines, n in zip(boards, copies, strict=False)
        for i in range(n)
    ]
    assert told(ratings(*boards)) == expected
    found = ratings(*again)
    assert told(found) == expected
    assert_frame_equal(changes(shuffled(found, seed)), changes(found), check_exact=True)


# ---- what a run tells ----------------------------------------------------------------------------


def test_the_summary_tells_win_rate_and_probability_and_neither_0_nor_100() -> None:
    row = {"publish_date": DAY, "country_code": "US", "best_model": "a", "best_rank_ordinal": 1}
    row |= {"rating": 1439.0, "gap_to_leader": 39.0, "expected_win_rate_of_leader": 0.5559}
    row |= {"n_top10": 1, "n_top20": 2}
    shown = {None: "–", 0.0: "< 0.1 %", 0.25: "25.0 %", 1.0: "> 99.9 %"}
    for probability, cell in shown.items():
        _, header, (cells,) = leaders_table([{**row, "probability_first": probability}])
        by = dict(zip(header, cells, strict=True))
        assert (by["leader wins"], by["holds #1"]) == ("55.6 %", cell)
