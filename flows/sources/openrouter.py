"""OpenRouter's daily rankings: tokens per model and day, as JSON.

A snapshot has the days that the archive lacks and the last seven days, which the producer may have
restated. Today is never requested, since it is not complete. A row that cannot be used rejects its
whole day, because shares of an incomplete day would be wrong; the other days are loaded.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import orjson
import polars as pl

from flows.settings import Settings, today
from flows.sources.arrival import arriving
from flows.sources.formats.damage import naming
from flows.sources.formats.json_text import read_document
from flows.sources.http import SourceError, get
from flows.sources.quarantine import load_records
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.source import card
from warehouse.contracts.table import contract, quote

log = logging.getLogger("observatory.openrouter")

NAME, TABLE, PATH = "openrouter", "raw.openrouter_rankings", "/api/v1/datasets/rankings-daily"
VERSION = "v1"
ADVICE = "run again later; if it fails again, OpenRouter's API has changed"
DAY = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SLUG = re.compile(r"other|[^\s/]{1,100}/[^\s/]{1,200}")
_TOKENS = re.compile(r"[0-9]{1,18}")  # less than 2**63


@dataclass(frozen=True)
class Row:
    """A record of a response: its number, its cells, and why it cannot be used."""

    line: int
    day: date | None
    slug: str | None
    tokens: int | None
    problem: str | None
    record: str


@dataclass(frozen=True)
class Response:
    """A response of the API, read."""

    rows: tuple[Row, ...]
    as_of: str | None
    problems: dict[date, str]  # day -> why it is rejected

    def refusal(self, row: Row) -> str | None:
        """Why a row is rejected: its own problem, or that of its day."""
        return row.problem or (self.problems.get(row.day) if row.day else None)

    @property
    def days(self) -> set[date]:
        """The days that can be used."""
        return {row.day for row in self.rows if row.day and not self.refusal(row)}


def fetch_rankings(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores one response per range of days. Notes the days that a response lacks."""
    draft.reset()  # the responses of one observation belong together
    last = last_day(draft)
    address = settings.address(NAME) + PATH
    wanted = _wanted(archive, last)
    if not wanted:
        raise SourceError(NAME, f"no figures before {draft.day}", address, "choose a later day")
    for first, end in _ranges(sorted(wanted)):
        _store(settings, draft, f"{address}?start_date={first}&end_date={end}", first, end)


def last_day(draft: Draft) -> date:
    """The last day that an observation requests: the day before it, and never today."""
    return min(draft.day, today()) - DAY


def _store(settings: Settings, draft: Draft, url: str, first: date, end: date) -> None:
    response, name = get(NAME, url, settings), f"rankings-daily_{first}_{end}.json"
    with arriving(draft, name, response.content, url, ADVICE):
        found = read_response(response.content, first, end)
        if not found.rows and end == last_day(draft):  # an old day may have no figures
            raise ValueError("`data` is empty")
    rows = len(found.rows)
    draft.add_file(
        name,
        response.content,
        url=url,
        status=response.status_code,
        rows_seen=rows,
        compress=True,
    )
    if missing := sorted({*_days(first, end)} - found.days - found.problems.keys()):
        draft.notes.append(f"{len(missing)} days are missing, the first is {missing[0]}")
    draft.notes.extend(f"{day} is rejected: {why}" for day, why in found.problems.items())
    log.info("openrouter: %s to %s, %s rows", first, end, f"{rows:,}")


def _wanted(archive: Archive, last: date) -> set[date]:
    """The days up to `last` that no snapshot has, and the last days, which may be restated."""
    held = {
        day
        for snapshot in archive.snapshots(NAME)
        for file in snapshot.files
        for day in _stored(archive, file).days
    }
    terms = card(NAME).map
    every = {*_days(terms["first_day"], last)}
    return every - held | {day for day in every if day > last - terms["days_again"] * DAY}


def _days(first: date, last: date) -> Iterator[date]:
    return (first + n * DAY for n in range((last - first).days + 1))


def _ranges(days: list[date]) -> Iterator[tuple[date, date]]:
    """The fewest ranges that cover the sorted days, none longer than the API allows."""
    longest = card(NAME).map["days_per_request"]
    while days:
        covered = [day for day in days if (day - days[0]).days < longest]
        yield covered[0], covered[-1]
        days = days[len(covered) :]


def _stored(archive: Archive, file: ArchivedFile) -> Response:
    first, end = file.name.removesuffix(".json").split("_")[1:]
    return read_response(archive.read(file), date.fromisoformat(first), date.fromisoformat(end))


def read_response(content: bytes, first: date, end: date) -> Response:
    """The rows of a response to a request for the days from `first` to `end`.

    Raises ValueError, LookupError or TypeError if it is not such a response.
    """
    document = read_document(content)[0]
    items, meta = document["data"], document["meta"]
    if not isinstance(items, list):
        raise TypeError("`data` is not a list of rows")
    if meta.get("version") != VERSION:
        raise ValueError(f"version {meta.get('version')!r} of the API, expected {VERSION!r}")
    rows = tuple(_checked(_row(n, item, first, end) for n, item in enumerate(items, 1)))
    as_of = meta.get("as_of")
    return Response(rows, None if as_of is None else str(as_of), _rejected_days(rows))


def _row(line: int, item: object, first: date, end: date) -> Row:
    cells = item if isinstance(item, dict) else {}
    day, slug, tokens = (cells.get(n) for n in ("date", "model_permaslug", "total_tokens"))
    found = _day(day)
    is_requested = found is not None and first <= found <= end
    is_slug = isinstance(slug, str) and _SLUG.fullmatch(slug) is not None
    is_number = isinstance(tokens, str) and _TOKENS.fullmatch(tokens) is not None
    problems = (
        (found is None, "date: expected YYYY-MM-DD"),
        (not is_requested, "date: not one of the requested days"),
        (not is_slug, "model_permaslug: expected <publisher>/<model> or other"),
        (not is_number, "total_tokens: expected a text of digits"),
    )
    problem = next((text for is_wrong, text in problems if is_wrong), None)
    number = int(str(tokens)) if is_number else None
    known = found if is_requested else None
    return Row(
        line, known, str(slug) if is_slug else None, number, problem, orjson.dumps(item).decode()
    )


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) and _DATE.fullmatch(text) else None
    except ValueError:  # 2026-02-30
        return None


def _checked(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows; one that repeats the model of an earlier row of its day cannot be used."""
    seen: set[tuple[date | None, str | None]] = set()
    for row in rows:
        key = (row.day, row.slug)
        is_repeated = row.slug is not None and key in seen
        seen.add(key)
        text = "model_permaslug: repeated on the same day"
        yield Row(**vars(row) | {"problem": text}) if is_repeated and not row.problem else row


def _rejected_days(rows: tuple[Row, ...]) -> dict[date, str]:
    """The days of rows that cannot be used, each with the reason.

    A row without a usable date may belong to the day before it or the one after it: both go.
    """
    rejected: dict[date, str] = {}
    for place, row in enumerate(rows):
        if row.problem:
            near = [row.day] if row.day else [_near(rows[:place][::-1]), _near(rows[place:])]
            why = f"record {row.line} of the day cannot be used ({row.problem})"
            rejected |= {day: why for day in near if day and day not in rejected}
    return rejected


def _near(rows: tuple[Row, ...]) -> date | None:
    return next((row.day for row in rows if row.day), None)


def parse_rankings(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.openrouter_rankings: one row per day and model.

    Rejected: all rows of a day with a row that cannot be used.
    """
    rows: list[tuple[Any, ...]] = []
    for file in snapshot.find("rankings-daily_"):
        with naming(file.name):
            rows += _cells(file.name, _stored(archive, file))
    table = contract(TABLE)
    schema = pl.Schema(list(table.polars_schema.items())[2:])
    schema |= {"refusal": pl.String(), "record": pl.String()}
    con.register("ranking_rows", pl.DataFrame(rows, schema=schema, orient="row"))
    columns = {name: quote(name) for name in list(table.columns)[2:]}
    records = "(SELECT *, file_name AS file FROM ranking_rows)"
    load_records(con, snapshot, table, records, columns, {})
    con.unregister("ranking_rows")


def _cells(name: str, response: Response) -> Iterator[tuple[Any, ...]]:
    """The columns of the contract after the snapshot's; refusal and record."""
    for row in response.rows:
        about = (name, row.line, row.day, row.slug, row.tokens, response.as_of)
        yield *about, response.refusal(row), row.record
