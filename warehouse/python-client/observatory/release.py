"""One release, opened for reading."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl
from pydantic import ValidationError

from observatory.places import WHERE, Place, PlaceError
from warehouse.contracts.table import quote
from warehouse.database import read_files
from warehouse.database.duckdb_file import connect
from warehouse.publishing.pointer import Channel, Pointer, pointer_key
from warehouse.publishing.release_objects import release_key
from warehouse.releases.manifest import (
    DATABASE,
    MANIFEST,
    FileEntry,
    Manifest,
    ReleaseError,
    TableEntry,
    is_release_id,
    parse_manifest,
)
from warehouse.storage.files import file_sha256
from warehouse.storage.protocol import check_key

Frame = Literal["polars", "pandas"]
_TABLE = re.compile(r"(?i)\b(raw|core|mart|meta)\s*\.\s*\"?(\w+)")
LAYERS = ("mart", "core", "raw")  # results first
_DEFINITION = ("population", "metric", "attribution", "credit")


def open(
    address: str | Path,
    *,
    channel: Channel = "latest",
    release: str | None = None,
    frames: Frame = "polars",
    cache: str | Path | None = None,
) -> Release:
    """Opens a published place: `https://…`, `s3://bucket/prefix` or a folder.

    `channel` is `latest` or `stable`; `release` is the id of an older release. Results are Polars
    frames, or those of pandas. Downloaded tables are stored in `cache` (default:
    `~/.cache/origin-observatory`). Raises PlaceError.
    """
    place = Place(address)
    if release is None:
        pointer = _pointer(place, channel)
        manifest = _manifest(place, pointer.release_id, pointer.manifest_sha256)
    else:
        manifest = _manifest(place, release, None)
    return Release(place, manifest, Path(cache) if cache else _default_cache(), frames)


class Release:
    """A release: its tables, and questions to them. Close it, or use it in a `with` statement."""

    def __init__(self, place: Place, manifest: Manifest, cache: Path, frames: Frame) -> None:
        self.manifest = manifest
        self._place, self._cache, self._frames = place, cache, frames
        self._tables = {table.name: table for table in manifest.tables}
        self._known: set[str] = set()

    @property
    def id(self) -> str:
        """The id of the release, for citation."""
        return self.manifest.release_id

    @property
    def as_of(self) -> date:
        """The last day of observations that the release considers."""
        return self.manifest.as_of

    def __repr__(self) -> str:
        return f"<Release {self.id} of {self._place}: {len(self._tables)} tables>"

    def __enter__(self) -> Release:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. Downloaded tables remain in the cache."""
        if "_connection" in self.__dict__:
            self._connection.close()
            del self.__dict__["_connection"]
            self._known.clear()

    def tables(self) -> Any:  # noqa: ANN401  the frame that was chosen
        """One row per table, results first: name, rows, bytes, description and grain."""
        order = {layer: n for n, layer in enumerate(LAYERS)}
        found = sorted(
            self.manifest.tables, key=lambda t: (order.get(t.name.split(".")[0], 3), t.name)
        )
        return self._listed(found, "name", "rows", "bytes", "description", "grain")

    def columns(self, table: str) -> Any:  # noqa: ANN401
        """One row per column of a table: name, type, unit and description."""
        return self._listed(self._entry(table).columns, "name", "type", "unit", "description")

    def path(self, table: str) -> Path:
        """The local Parquet file of a table, downloaded at the first call. Raises PlaceError."""
        return self._local(self._entry(table))

    def database(self) -> Path:
        """The local DuckDB file with all tables, downloaded at the first call."""
        return self._local(next(f for f in self.manifest.files if f.path == DATABASE))

    def sql(self, query: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:  # noqa: ANN401
        """The rows of a query in DuckDB's SQL, with the tables as `mart.claims` and so on.

        Tables that the query names are downloaded first. Raises PlaceError, duckdb.Error.
        """
        for table in named_in(query):
            self._provide(table)
        return self._frame(query, parameters)

    def share(
        self,
        countries: str | Iterable[str] = (),
        *,
        day: date | str | None = None,
        population: str = "all",
        metric: str = "downloads_30d",
        attribution: str = "publisher",
        credit: str = "fractional",
    ) -> Any:  # noqa: ANN401
        """Shares of countries on the Hub with their bounds, under one definition.

        One row per day and country; `day` chooses one day, `"newest"` the last one. Raises
        ValueError for a value that the table does not have.
        """
        chosen = dict(zip(_DEFINITION, (population, metric, attribution, credit), strict=True))
        codes = [countries] if isinstance(countries, str) else list(countries)
        wanted = {**chosen, "country_code": codes or None}
        return self._select(
            "mart.country_share_daily", wanted, "as_of_date", day, "share DESC, country_code"
        )

    def rankings(
        self, board: str = "text", *, day: date | str | None = "newest", top: int | None = None
    ) -> Any:  # noqa: ANN401
        """The models of a board of LMArena with lab, country and ranks, best first."""
        wanted: dict[str, object] = {"board": board}
        order = "rank_ordinal NULLS LAST, model_name"
        return self._select("mart.model_rankings", wanted, "publish_date", day, order, top)

    def claim(self, claim_id: str | None = None) -> Any:  # noqa: ANN401
        """Published statements with their verdicts: all of them, or one. One row per moment."""
        wanted: dict[str, object] = {"claim_id": claim_id}
        return self._select("mart.claims", wanted, "", None, "claim_id, moment DESC")

    def _select(
        self,
        table: str,
        wanted: Mapping[str, object],
        day_column: str,
        day: date | str | None,
        order: str,
        top: int | None = None,
    ) -> Any:  # noqa: ANN401
        """Rows of a table that match; every wanted value must exist in it."""
        self._provide(table)
        where, values = ["true"], list[object]()
        for column, value in wanted.items():
            each = value if isinstance(value, list) else [] if value is None else [value]
            for one in each:
                self._require_value(table, column, str(one))
            if each:
                where.append(f"{quote(column)} IN (SELECT unnest(?))")
                values.append([str(one) for one in each])
        matching = f"SELECT * FROM {table} WHERE {' AND '.join(where)}"
        if day_column and day == "newest":
            matching += f" QUALIFY {day_column} = max({day_column}) OVER ()"
        elif day_column and day is not None:
            matching += f" AND {day_column} = ?::DATE"
            values.append(str(day))
        days = f"{day_column}, " if day_column else ""
        limit = f" LIMIT {int(top)}" if top is not None else ""
        return self._frame(f"{matching} ORDER BY {days}{order}{limit}", values)

    def _require_value(self, table: str, column: str, value: str) -> None:
        query = f"SELECT DISTINCT {quote(column)}::VARCHAR FROM {table} ORDER BY 1"
        known = [name for (name,) in self._connection.execute(query).fetchall()]
        if value not in known:
            near = difflib.get_close_matches(value, known, 3) or known[:12]
            raise ValueError(
                f"{table} has no {column} {value!r}; did you mean {', '.join(map(str, near))}?"
            )

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        con = connect()
        for layer in LAYERS:
            con.execute(f"CREATE SCHEMA {layer}")
        return con

    def _provide(self, table: str) -> None:
        """Makes a table known to the connection."""
        if table not in self._known:
            path = read_files.parquet(self.path(table))
            name = ".".join(quote(part) for part in table.split("."))
            self._connection.execute(f"CREATE VIEW {name} AS FROM {path}")
            self._known.add(table)

    def _frame(self, query: str, parameters: Sequence[object] | Mapping[str, object]) -> Any:  # noqa: ANN401
        found = self._connection.execute(query, parameters or None)
        return found.pl() if self._frames == "polars" else found.df()

    def _listed(self, entries: Iterable[object], *fields: str) -> Any:  # noqa: ANN401
        rows = [{field: getattr(entry, field) for field in fields} for entry in entries]
        frame = pl.DataFrame(rows, schema=fields, infer_schema_length=None)
        return frame if self._frames == "polars" else frame.to_pandas()

    def _entry(self, table: str) -> TableEntry:
        if entry := self._tables.get(table):
            return entry
        if table.startswith("meta."):
            raise PlaceError(f"{table} is only in the DuckDB file; open release.database() instead")
        near = difflib.get_close_matches(table, self._tables, 3)
        hint = f"did you mean {', '.join(near)}?" if near else "release.tables() lists all"
        raise PlaceError(f"release {self.id} has no table {table!r}; {hint}")

    def _local(self, entry: FileEntry) -> Path:
        """The file of the place if that is a folder, else the one in the cache."""
        key = release_key(self.id, check_key(entry.path))
        if path := self._place.local(key):
            if not path.is_file() or file_sha256(path) != entry.sha256:
                raise PlaceError(f"{path} is not the file that the manifest names; copy it again")
            return path
        path = self._cache / f"{entry.sha256}{Path(entry.path).suffix}"
        if not path.is_file() or path.stat().st_size != entry.bytes:
            self._place.save(key, path, entry.bytes, entry.sha256)
        return path


def _pointer(place: Place, channel: Channel) -> Pointer:
    key = pointer_key(channel)
    try:
        return Pointer.model_validate(json.loads(place.text(key)))
    except (ValueError, ValidationError) as error:
        raise PlaceError(
            f"{place}/{key} is not the pointer of a published place; {WHERE}"
        ) from error


def _manifest(place: Place, release_id: str, digest: str | None) -> Manifest:
    if not is_release_id(release_id):
        raise PlaceError(f"{release_id!r} is not a release id, such as 2026-08-15-0123456789ab")
    key = release_key(release_id, MANIFEST)
    data = place.text(key)
    if digest is not None and sha256(data).hexdigest() != digest:
        raise PlaceError(f"{place}/{key} is not the manifest that the pointer names; try again")
    try:
        manifest = parse_manifest(data, f"{place}/{key}")
    except ReleaseError as error:
        raise PlaceError(str(error)) from error
    if manifest.release_id != release_id:
        raise PlaceError(
            f"{place}/{key} is the manifest of {manifest.release_id}; tell the publisher"
        )
    return manifest


def named_in(query: str) -> list[str]:
    """The tables that a query may read, each once."""
    return list(dict.fromkeys(f"{layer}.{name}".lower() for layer, name in _TABLE.findall(query)))


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "origin-observatory"
