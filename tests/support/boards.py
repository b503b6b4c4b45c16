"""Boards of LMArena by hand, and the marts of leaders computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from tests.support.frames import DAY, Row, compute, rows
from transforms.arena.probability_best import with_probability_best
from warehouse.contracts.table import contract

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
    evidence_kind="none",
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
    return compute("mart.arena_leaders", arena_ratings=found, labs=LABS)


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


def chances(*models: Row) -> tuple[dict[Any, Any], set[Any]]:
    """Probability by model, and the reasons given."""
    made = ratings(board(*models)).collect()
    assert made.height == len(models)
    return (
        dict(made.select("model_id", "probability_best").iter_rows()),
        set(made["probability_reason"]),
    )


def on(day: int, **best: Any) -> list[Row]:
    """The board of a day by its best ratings; more models of a country by suffix (`beta_2`)."""
    about = {k: best.pop(k) for k in ("segment_id", "has_catalog_rows") if k in best}
    lines = [
        model(name, value if isinstance(value, float) else value[0], name.split("_")[0],
              sd=None if isinstance(value, float) else value[1])
        for name, value in best.items()
    ]  # fmt: skip
    return board(*lines, publish_date=DAY + timedelta(days=day), **about)
