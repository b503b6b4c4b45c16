"""Listings of the Hub by hand, and the shares computed from them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
from hypothesis import strategies as st

from tests.support.frames import (
    DAY,
    Row,
    registry,
    rows,
    table_of,
)

BEFORE = DAY - timedelta(days=8)
MOVED = DAY - timedelta(days=3)
GROUP = ["as_of_date", "population", "metric", "metric_window", "attribution", "credit"]
LABS: dict[str, Any] = {
    "us-lab": "US",
    "cn-lab": "CN",
    "de-lab": "DE",
    "nowhere": "ZZ",
    "mover": [("FR", date(1900, 1, 1), MOVED), ("SG", MOVED, None)],
}
REGISTRY = registry(LABS)


def listing(*models: Row, day: date = DAY) -> list[Row]:
    """One sweep: `parents` become the field `baseModels`, the author is what the id says."""
    return [_listed(dict(model), day) for model in models]


def _listed(model: dict[str, object], day: date) -> Row:
    name = str(model["model_id_hf"])
    parents = model.pop("parents", None)
    declared = {"relation": "finetune", "models": [{"_id": "0", "id": p} for p in parents or ()]}  # type: ignore[attr-defined]
    return {
        "snapshot_id": f"hub/{day}",
        "snapshot_date": day,
        "file_name": "000001.json",
        "author": name.rpartition("/")[0] or None,
        "base_models_json": json.dumps(declared) if parents else None,
        **model,
    }


def hub(models: Sequence[Row]) -> pl.LazyFrame:
    return rows("raw.hub_models", *models)


def model(name: str, downloads: int | None = 1, parents: Sequence[str] = (), **more: Any) -> Row:
    return {"model_id_hf": name, "downloads_30d": downloads, "parents": list(parents), **more}


def shares(*models: Row, labs: Mapping[str, pl.LazyFrame] = REGISTRY) -> pl.DataFrame:
    """mart.country_share_daily of one or more sweeps."""
    return shares_of(hub(models), labs)


def shares_of(found: pl.LazyFrame, labs: Mapping[str, pl.LazyFrame] = REGISTRY) -> pl.DataFrame:
    """Of 30-day downloads, in the three populations that need no kinds of namespaces."""
    # Every record holds its whole list of tags, so that its lineage is recorded.
    recorded = found.with_columns(pl.col("tags_json").fill_null('["region:us"]'))
    made = table_of("mart.country_share_daily", **labs, raw_hub_models=recorded)
    return made.filter(
        pl.col("metric") == "downloads_30d",
        pl.col("population").is_in(["all", "llm_vlm", "created_1y"]),
    )


def share_of(
    frame: pl.DataFrame,
    population: str = "all",
    attribution: str = "publisher",
    credit: str = "fractional",
    day: date = DAY,
) -> dict[str, float]:
    one = frame.filter(
        as_of_date=day, population=population, attribution=attribution, credit=credit
    )
    return dict(one.select("country_code", "share").iter_rows())


def roots(found: pl.LazyFrame) -> pl.DataFrame:
    return table_of("core.hub_model_roots", raw_hub_models=found)


def roots_of(*models: Row, start: str) -> list[tuple[Any, ...]]:
    """(root, weight, depth, end_reason) of one model."""
    made = roots(hub(listing(*models)))
    return made.filter(model_id_hf=start).drop("model_id_hf").rows()


NODES = [f"org/m{i}" for i in range(6)]
GONE = ["gone/p", "gone/q"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Some models with up to three parents each: loops, self parents and lost parents included."""
    nodes = NODES[: draw(st.integers(1, len(NODES)))]
    parents = st.lists(st.sampled_from(nodes + GONE), max_size=3)
    return {node: draw(parents) for node in nodes}


def walked(graph: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], tuple[Fraction, int, str]]:
    """(model, root) -> (weight, depth, reason), by following every way; few models, so no cut."""
    up = {m: sorted({p.lower() for p in found} - {m}) for m, found in graph.items()}

    def above(node: str) -> set[str]:
        seen: set[str] = set()
        rest = list(up.get(node, ()))
        while rest:
            if (next_one := rest.pop()) not in seen:
                seen.add(next_one)
                rest += up.get(next_one, ())
        return seen

    cyclic = {node for node in up if node in above(node)}

    def ways(path: list[str], part: Fraction) -> Iterator[tuple[str, Fraction, int, str]]:
        node, steps = path[-1], len(path) - 1
        if node in cyclic:
            yield path[0], part, steps, "cycle"
        elif not up.get(node):
            yield node, part, steps, "root" if node in up else "stub"
        else:
            share = part / len(up[node])
            for parent in up[node]:
                yield from ways([*path, parent], share)

    ends: dict[tuple[str, str], list[tuple[Fraction, int, str]]] = defaultdict(list)
    for start in graph:
        for root, *end in ways([start], Fraction(1)):
            ends[start, root].append(tuple(end))  # type: ignore[arg-type]
    return {
        key: (sum((w for w, _, _ in found), Fraction(0)), max(d for _, d, _ in found), found[0][2])
        for key, found in ends.items()
    }
