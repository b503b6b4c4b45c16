"""Histories of a small Hub: snapshots that say little, applied in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from hypothesis import strategies as st

from warehouse.contracts.table import contract
from warehouse.database.duckdb_file import insert_frame
from warehouse.hub_history.ledger import Sweep
from warehouse.hub_history.past import counters_on
from warehouse.hub_history.store import History

FIRST = date(2026, 1, 25)  # histories of a dozen days cross the end of a month
COUNTERS = ("downloads_30d", "downloads_all_time", "likes", "trending_score")
Listing = list[dict[str, Any]]  # the rows of one snapshot


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def model(name: str, object_id: str | None = None, **values: Any) -> dict[str, Any]:
    return {"model_id_hf": name, "object_id_hf": object_id, **values}


def sweep(when: date, *, whole: bool = True, sidecar: str = "") -> Sweep:
    digest = f"{sidecar}{when:%Y%m%d}".rjust(64, "0")
    return Sweep(
        snapshot_id=f"hub/{when}", snapshot_date=when, sidecar_sha256=digest, is_whole=whole
    )


def raw(con: duckdb.DuckDBPyConnection, listings: dict[date, Listing]) -> pl.LazyFrame:
    """raw.hub_models with these snapshots; all other raw tables are empty."""
    for table in ("models", "known_models", "history_days", "absences", "counter_steps"):
        con.execute(f"TRUNCATE {contract(f'raw.hub_{table}').sql_name}")
    con.execute(f"TRUNCATE {contract('raw.hub_earlier_counters').sql_name}")
    held = contract("raw.hub_models")
    rows = [
        {
            **dict.fromkeys(held.columns),
            "snapshot_id": f"hub/{when}",
            "snapshot_date": when,
            "file_name": "000001.json",
            **row,
        }
        for when, listing in listings.items()
        for row in listing
    ]
    frame = pl.DataFrame(rows, schema=held.polars_schema)
    insert_frame(con, held, frame)
    return frame.lazy()


def applied(
    con: duckdb.DuckDBPyConnection, root: Path, sweeps: Sequence[Sweep], stop: int | None = None
) -> History:
    """The history of these snapshots, whose rows are in raw.hub_models."""
    history = History(root, sweeps)
    with history.locked():
        for each in history.missing()[:stop]:
            history.apply(con, each)
    return history


def recorded_counters(
    con: duckdb.DuckDBPyConnection, history: History, when: date
) -> list[tuple[Any, ...]]:
    columns = ", ".join(("model_id_hf", *COUNTERS))
    return con.execute(
        f"SELECT {columns} FROM ({counters_on(history, when)}) ORDER BY 1"
    ).fetchall()


def given_counters(listing: Listing) -> list[tuple[Any, ...]]:
    return sorted((m["model_id_hf"], *(m.get(counter) for counter in COUNTERS)) for m in listing)


NUMBER = st.none() | st.sampled_from([0, 1, 9, 10, 11, 99, 100, 250, 3_000_000_000])
VALUES = st.fixed_dictionaries(
    {
        "downloads_30d": NUMBER,
        "downloads_all_time": NUMBER,
        "likes": NUMBER,
        "trending_score": st.none() | st.sampled_from([0.0, 0.1, 7.0]),
        "author": st.none() | st.sampled_from(["a", "b"]),
        "pipeline_tag": st.none() | st.just("text-generation"),
        "tags_json": st.none()
        | st.sampled_from(['["license:mit", "base_model:x/y"]', '["region:us"]', '["license:o"]']),
        "base_models_json": st.none()
        | st.sampled_from(['{"relation": "merge", "models": [{"id": "x/z"}]}', '{"models": []}']),
    }
)


@st.composite
def histories(draw: st.DrawFn) -> dict[date, Listing]:
    """Models that appear, stay, change, lose counters, disappear, return and are renamed."""
    names = {f"{n:024x}": f"a/m{n}" for n in range(draw(st.integers(1, 5)))}
    has_ids = draw(st.booleans())  # most recordings know no object ids
    now: dict[str, dict[str, Any]] = {}
    listings: dict[date, Listing] = {}
    at = 0
    for _ in range(draw(st.integers(1, 6))):
        listing = []
        for object_id in list(names):
            if draw(st.sampled_from(["listed", "listed", "listed", "absent"])) == "absent":
                continue
            if has_ids and draw(st.integers(0, 5)) == 0:
                names[object_id] = f"a/moved-{at}-{object_id[-1]}"
            if object_id not in now or draw(st.booleans()):
                now[object_id] = draw(VALUES)
            shown = object_id if has_ids else None
            listing.append(model(names[object_id], shown, **now[object_id]))
        listings[day(at)] = listing
        at += draw(st.sampled_from([1, 1, 2, 9]))
    return listings


def contents(history: History) -> dict[str, bytes]:
    return {
        p.relative_to(history.folder).as_posix(): p.read_bytes()
        for p in sorted(history.folder.rglob("*.parquet"))
    }


def three_days() -> dict[date, Listing]:
    return {
        day(n): [model(f"a/m{i}", f"{i:024x}", downloads_30d=i * n) for i in range(4 + n)]
        for n in range(9)
    }
