"""Shares of countries, labs and families under every definition."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import polars as pl

from warehouse.site.numbers import thinned, thousandths
from warehouse.site.release_tables import Tables

DAYS = 30  # per series: 120 definitions of three tables stay below half a megabyte
LISTED, DRAWN = 10, 5  # names in a table and bar chart, lines in a chart over time
UNKNOWN = ("ZZ", "XX", "unexamined", "none")  # always listed last
ATTRIBUTIONS = ("publisher", "base")  # the attribution of families by name is only in the tables
CHOICES = ("population", "metric", "attribution", "credit")
DEFAULT = {
    "population": "all",
    "metric": "downloads_30d",
    "attribution": "publisher",
    "credit": "fractional",
}


class Kind(NamedTuple):
    """One table of shares."""

    name: str
    who: str
    label: str
    definition: tuple[str, ...]

    @property
    def table(self) -> str:
        """Name of the table."""
        return f"mart.{self.name}_share_daily"


KINDS = (
    Kind("country", "country_code", "country_name", CHOICES),
    Kind("lab", "lab_id", "lab_name", CHOICES[:3]),
    Kind("family", "family_id", "family_name", CHOICES[:3]),
)


def shares(tables: Tables) -> dict[str, Any]:
    """`days` of the series, `choices` of the switch, and the definitions of each kind.

    `panels` has the number of each day's panel (core.hub_panels); lines do not cross panels.
    `panel` describes the newest one.

    The key of a definition is `population|metric|attribution[|credit]`. `now` has the newest day,
    `series` the days of the charts. Shares are in thousandths: `[share, lower, upper]` if there are
    bounds. By base, `lineage` is the part with recorded lineage; if nothing is recorded, `missing`
    is the reason why `now` is empty.
    """
    frames = {kind: tables.read(kind.table) for kind in KINDS}
    seen = sorted({day for f in frames.values() for day in f["as_of_date"].unique()})
    days = thinned(seen, DAYS)
    newest = _newest(frames[KINDS[0]], days)
    return {
        "days": days,
        "n_days": len(seen),
        "panels": _panels(frames[KINDS[0]], days),
        "panel": _panel(frames[KINDS[0]], days),
        "choices": {c: newest[c].unique(maintain_order=True).to_list() for c in CHOICES},
        "default": DEFAULT,
        **{kind.name: _definitions(kind, frame, days) for kind, frame in frames.items()},
        "range": _ranges(tables, days),
    }


def _newest(frame: pl.DataFrame, days: list[date]) -> pl.DataFrame:
    return frame.filter(pl.col("as_of_date") == days[-1]) if days else frame.clear()


def _definitions(kind: Kind, frame: pl.DataFrame, days: list[date]) -> dict[str, Any]:
    frame = frame.filter(pl.col("attribution").is_in(ATTRIBUTIONS))
    if frame.is_empty():
        return {}
    values: list[str] = [v for v in ("share", "share_lower", "share_upper") if v in frame.columns]
    frame = frame.with_columns(
        *map(thousandths, values),
        thousandths("lineage_coverage"),
        is_unknown=pl.col(kind.who).is_in(UNKNOWN),
        definition=pl.concat_str(kind.definition, separator="|"),
    )
    newest = _newest(frame, days)
    # Sorted by the exact numerator, because rounded shares can be equal.
    ranked = newest.sort(
        "definition", "is_unknown", "numerator", kind.who, descending=[False, False, True, False]
    )
    known = pl.col("is_unknown").cum_count().over("definition", "is_unknown")
    listed = ranked.filter(pl.col("is_unknown") | (known <= LISTED))
    has_share = pl.col("share").is_not_null()
    drawn = ranked.filter(has_share & ~pl.col("is_unknown") & (known <= DRAWN))
    lists, series = _listed(kind, listed, values), _series(kind, frame, drawn, days, values)
    sizes = _sizes(frame, days) if "n_models_population" in frame.columns else {}
    return {
        name: {**about, "series": series.get(name, {}), "sizes": sizes.get(name, [])}
        for name, about in lists.items()
    }


def _listed(kind: Kind, listed: pl.DataFrame, values: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    about: list[str] = [
        c for c in ("n_models_population", "n_models_without_counter") if c in listed.columns
    ]
    has_country = kind.name == "lab"
    for row in listed.iter_rows(named=True):
        one = found.setdefault(row["definition"], {"now": [], **{c: row[c] for c in about}})
        one["lineage"], one["missing"] = row["lineage_coverage"], row["share_missing"]
        if row["share"] is None:
            continue
        who = {"id": row[kind.who], "name": row[kind.label], "n": row["n_models"]}
        if has_country:
            who["country"] = row["country_code"]
        shown = {v.removeprefix("share_"): row[v] for v in values}
        one["now"].append(who | shown)
    return found


def _series(
    kind: Kind, frame: pl.DataFrame, drawn: pl.DataFrame, days: list[date], values: list[str]
) -> dict[str, Any]:
    """Definition -> id -> one list per value, by day; null = not observed."""
    key = ["definition", kind.who]
    wanted = drawn.select(*key, rank=pl.int_range(pl.len()))
    grid = wanted.join(pl.DataFrame({"as_of_date": days}), how="cross")
    rows = grid.join(frame.select(*key, "as_of_date", *values), on=[*key, "as_of_date"], how="left")
    lists = rows.sort("rank", "as_of_date").group_by(key, maintain_order=True).agg(values)
    found: dict[str, Any] = {}
    for definition, who, *columns in lists.iter_rows():
        found.setdefault(definition, {})[who] = columns
    return found


def _sizes(frame: pl.DataFrame, days: list[date]) -> dict[str, list[int | None]]:
    """Definition -> number of models observed on each day."""
    wide = frame.group_by("definition", "as_of_date").agg(pl.col("n_models_population").max())
    at: dict[tuple[str, date], int] = {(name, day): n for name, day, n in wide.iter_rows()}
    return {name: [at.get((name, day)) for day in days] for name in wide["definition"].unique()}


def _panels(frame: pl.DataFrame, days: list[date]) -> list[int]:
    """One number per day; days of the same panel have the same number."""
    sizes = pl.DataFrame({"as_of_date": days}, schema={"as_of_date": pl.Date}).join(
        _panel_of(frame).select("as_of_date", "panel_id"),
        on="as_of_date", how="left", maintain_order="left",
    )  # fmt: skip
    return sizes.select(pl.col("panel_id").forward_fill().rle_id()).to_series().to_list()


def _panel_of(frame: pl.DataFrame) -> pl.DataFrame:
    """The panel of each day."""
    columns = ("panel_id", "panel_models", "hub_models_total", "panel_share_of_models")
    return frame.group_by("as_of_date").agg(pl.col(columns).first())


def _panel(frame: pl.DataFrame, days: list[date]) -> dict[str, Any]:
    """How much of the Hub the newest listing covers: `models` of `total`, as a `share`."""
    for row in _panel_of(_newest(frame, days)).iter_rows(named=True):
        return {
            "id": row["panel_id"],
            "models": row["panel_models"],
            "total": row["hub_models_total"],
            "share": row["panel_share_of_models"],
        }
    return {}


def _ranges(tables: Tables, days: list[date]) -> dict[str, Any]:
    """Metric -> country -> lowest and highest share over all definitions, on the newest day."""
    frame = tables.read("mart.attribution_range", "population = 'any'")
    newest = _newest(frame, days)
    found: dict[str, Any] = {}
    for row in newest.with_columns(
        thousandths("share_lowest"), thousandths("share_highest")
    ).iter_rows(named=True):
        found.setdefault(row["metric"], {})[row["country_code"]] = {
            "lowest": row["share_lowest"],
            "highest": row["share_highest"],
            "lowest_by": row["definition_lowest"],
            "highest_by": row["definition_highest"],
            "n": row["n_definitions"],
        }
    return found


def trending(tables: Tables) -> dict[str, Any]:
    """Places in the trending top ten: `days`, and attribution -> country -> places per day.

    A country without a place on an observed day has 0 places.
    """
    frame = tables.read("mart.trending_share_daily", "top_n = 10")
    if frame.is_empty():
        return {}
    days = thinned(frame["as_of_date"].unique(), 2 * DAYS)
    frame = frame.filter(pl.col("as_of_date").is_in(days))
    total = (
        frame.group_by("country_code")
        .agg(
            pl.col("n_places").sum().round(6)
        )  # rounded, so that the order of addition does not matter
        .sort("n_places", "country_code", descending=[True, False])
    )
    known = total.filter(~pl.col("country_code").is_in(UNKNOWN))["country_code"].head(4).to_list()
    grid = (
        frame.select("attribution")
        .unique()
        .join(pl.DataFrame({"country_code": [*known, "ZZ", "XX"]}), how="cross")
        .join(pl.DataFrame({"as_of_date": days}), how="cross")
    )
    key = ["attribution", "country_code", "as_of_date"]
    rows = grid.join(frame.select(*key, "n_places"), on=key, how="left").sort(key)
    lists = (
        rows.with_columns(pl.col("n_places").fill_null(0).round(2))
        .group_by(key[:2], maintain_order=True)
        .agg("n_places")
    )
    places: dict[str, Any] = {name: {} for name in ("publisher", "base")}
    for attribution, code, n in lists.iter_rows():
        places.setdefault(attribution, {})[code] = n
    ordered = {a: {c: by[c] for c in [*known, "ZZ", "XX"]} for a, by in places.items()}
    return {"days": days, "places": ordered}
