"""Rows of raw.hub_evolution_counters: from the study's file, or from made-up models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from tests.support.frames import rows

SNAPSHOT = {"snapshot_id": "hub_evolution/2026-08-22", "snapshot_date": date(2026, 8, 22)}
FROM_FILE = {
    "author": "author",
    "org_country": "org_country_single",
    "derived_org_country": "derived_org_country_single",
    "country_group": "merged_country_groups_single",
    "derived_country_group": "merged_derived_country_groups_single",
    "org_type": "org_type",
}


def raw_study(path: Path) -> pl.LazyFrame:
    """The rows of a file of the study, as the source loads them."""
    read = pl.read_parquet(path)
    return (
        read.select(
            **{k: pl.lit(v) for k, v in SNAPSHOT.items()},
            line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
            model_id_hf="model",
            as_of_date=pl.col("time").dt.date(),
            created_at=pl.col("created").dt.replace_time_zone(None),
            downloads_all_time="downloadsAllTime",
            downloads_fell_by=pl.lit(None, pl.Int64),
            **FROM_FILE,
        )
        .select(*rows("raw.hub_evolution_counters").collect_schema().names())
        .lazy()
    )


@dataclass(frozen=True)
class Model:
    """A made-up model: downloads per day from its creation on."""

    name: str
    country: str | None  # the study's name of it
    created: date
    per_day: Callable[[date], int]

    def counter(self, day: date) -> int:
        """All downloads up to the end of a day."""
        return self.between(self.created - timedelta(days=1), day)

    def between(self, start: date, end: date) -> int:
        """Downloads after `start`, up to `end`."""
        first = max(start + timedelta(days=1), self.created)
        days = (end - first).days + 1
        return sum(self.per_day(first + timedelta(days=n)) for n in range(days))

    def young_between(self, start: date, end: date) -> int:
        """Those of them while it is at most a year old: up to its 365th day."""
        return self.between(start, min(end, self.created + timedelta(days=364)))


def raw_counters(models: Iterable[Model], days: Iterable[date]) -> pl.LazyFrame:
    """The counters of made-up models on some days, without models that do not exist yet."""
    days = list(days)
    given: list[Mapping[str, object]] = [
        {
            "line": line,
            "model_id_hf": m.name,
            "author": m.name.split("/")[0],
            "as_of_date": day,
            "created_at": datetime.combine(m.created, time(12)),
            "downloads_all_time": m.counter(day),
            **dict.fromkeys(("org_country", "derived_org_country"), m.country),
        }
        for line, (m, day) in enumerate(((m, d) for m in models for d in days), start=1)
        if m.created <= day
    ]
    return rows("raw.hub_evolution_counters", *given, **SNAPSHOT)
