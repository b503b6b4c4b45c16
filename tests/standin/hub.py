"""The Hub's model listing, model details and trending strip, from one recorded day each."""

from __future__ import annotations

import base64
import io
import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import zstandard

from tests.standin.web import (
    Answer,
    Call,
    RecordingError,
    RefusalError,
    day_folders,
    digest,
    json_answer,
    span,
)

Row = dict[str, Any]
Key = Any  # text or a number, the same within one sort

SERVER_MAXIMUM = 1000
SORTS: dict[str, type | tuple[type, ...]] = {
    "createdAt": str,
    "lastModified": str,
    "downloads": (int, float),
    "likes": (int, float),
    "trendingScore": (int, float),
}
_LISTED = """_id id likes trendingScore private downloads tags pipeline_tag library_name createdAt
modelId"""
_LISTED_FULL = "author gated lastModified sha siblings"
_EXPANDABLE = """author baseModels cardData childrenModelCount config createdAt disabled downloads
downloadsAllTime evalResults gated gguf inference inferenceProviderMapping lastModified library_name
likes mask_token model-index pipeline_tag private resourceGroup safetensors sha siblings spaces tags
transformersInfo trendingScore usedStorage widgetData xetEnabled"""
_LISTED_DATASETS = """_id id likes trendingScore private downloads tags createdAt author gated
lastModified sha disabled description"""
_EXPANDABLE_DATASETS = """author cardData citation createdAt description disabled downloads
downloadsAllTime gated lastModified likes mainSize paperswithcode_id private resourceGroup sha
siblings tags trendingScore usedStorage"""
SHAPES = {
    "models": (_LISTED, _EXPANDABLE),
    "datasets": (_LISTED_DATASETS, _EXPANDABLE_DATASETS),
}
NOT_ANSWERED = ["apps", "gated", "inference", "inference_provider", "num_parameters", "skip"]
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{4}(\d{2})?)?")


@dataclass(frozen=True)
class Wanted:
    """The filters of a listing; an empty one accepts every model."""

    author: str | None
    search: str | None
    pipeline_tag: str | None
    tags: tuple[str, ...]

    def accepts(self, row: Row) -> bool:
        """Whether a model passes all of them (`filter` covers tags, task and library alike)."""
        labels = {*(row.get("tags") or ()), row.get("pipeline_tag"), row.get("library_name")}
        return (
            (self.author is None or row["id"].rpartition("/")[0] == self.author)
            and (self.search is None or self.search.lower() in row["id"].lower())
            and (self.pipeline_tag is None or row.get("pipeline_tag") == self.pipeline_tag)
            and labels.issuperset(self.tags)
        )


class Listing:
    """GET /api/models or /api/datasets of one day: sorted once per view, then cut into pages."""

    def __init__(
        self, rows: Sequence[Row], page_size: int = SERVER_MAXIMUM, what: str = "models"
    ) -> None:
        self.rows = rows
        self.page_size = page_size
        self._listed, expandable = SHAPES[what]
        self._expandable = {*expandable.split()}.union(*rows) - {"_id", "id", "modelId"}
        self._by_author: dict[str, list[Row]] = {}
        for row in rows:
            self._by_author.setdefault(row["id"].rpartition("/")[0], []).append(row)
        self._views: dict[tuple[str, Wanted], list[Row]] = {}

    def answer(self, call: Call, base_url: str) -> Answer:
        """One page, and in `Link` the address of the next one unless this is the last."""
        sort, keys = self._sort(call), self._keys(call)
        view = self._view(sort, _wanted(call))
        cursor = call.value("cursor")
        start = _position(view, sort, cursor) if cursor is not None else 0
        stop = min(start + self._limit(call), len(view))
        while 0 < stop < len(view) and _place(view[stop], sort) == _place(view[stop - 1], sort):
            stop += 1  # a repository recorded twice: a key cursor between the two would lose one
        page = [{key: row[key] for key in keys if key in row} for row in view[start:stop]]
        headers = {}
        if stop < len(view):
            cursor = cursor_behind(view[stop - 1], sort)
            headers["Link"] = f'<{next_url(call, base_url, cursor)}>; rel="next"'
        return json_answer(page, headers=headers)

    def _sort(self, call: Call) -> str:
        for name in NOT_ANSWERED:
            if call.value(name) is not None:
                raise RefusalError(501, f"The stand-in has no recording to filter by {name!r}")
        if call.value("direction") not in {None, "-1"}:
            raise RefusalError(400, "✖ Invalid direction: listings are in descending order")
        sort = call.value("sort") or "trendingScore"
        if sort not in SORTS:
            raise RefusalError(400, f"✖ Invalid sort parameter: {sort}")
        return sort

    def _keys(self, call: Call) -> list[str]:
        expand = call.values("expand")
        unknown = [name for name in expand if name not in self._expandable]
        if unknown:
            options = "|".join(f'"{name}"' for name in sorted(self._expandable))
            raise RefusalError(400, f"✖ Invalid option: {unknown[0]!r}, expected one of {options}")
        if expand:
            return ["_id", "id", *expand]
        extra = [key for key in ("cardData", "config") if call.flag(key)]
        full = _LISTED_FULL.split() if call.flag("full") else []
        return [*self._listed.split(), *full, *extra]

    def _limit(self, call: Call) -> int:
        asked = call.value("limit")
        if asked is None:
            return self.page_size
        if not re.fullmatch(r"[0-9]{1,9}", asked) or int(asked) < 1:
            raise RefusalError(400, f"✖ Invalid limit: {asked}")
        return min(int(asked), self.page_size)

    def _view(self, sort: str, wanted: Wanted) -> list[Row]:
        view = self._views.get((sort, wanted))
        if view is None:
            if len(self._views) >= 64:
                self._views.clear()
            rows = self.rows if wanted.author is None else self._by_author.get(wanted.author, [])
            view = _ordered([row for row in rows if wanted.accepts(row)], sort)
            self._views[sort, wanted] = view
        return view


class ModelDetails:
    """GET /api/models/{id}: the recorded answers, with their bytes and status."""

    def __init__(self, folder: Path) -> None:
        listing = folder / "responses.json"
        try:
            recorded = json.loads(listing.read_text("utf-8")) if listing.is_file() else []
            self._answers = {
                urlsplit(entry["url"]).path.removeprefix("/api/models/"): _recorded(folder, entry)
                for entry in recorded
            }
        except (KeyError, TypeError, ValueError) as error:
            raise RecordingError(f"{listing} is not a list of responses: {error!r}") from error

    def answer(self, call: Call, model: str) -> Answer:
        """The recorded answer; with `expand`, only those keys of it; 404 for any other model."""
        answer = self._answers.get(model)
        if answer is None:
            raise RefusalError(404, "Repository not found", "RepoNotFound")
        headers = dict(answer.headers)
        if "Location" in headers and call.query:
            headers["Location"] += "?" + urlencode(call.query)
        if answer.status == 200 and (expand := call.values("expand")):
            detail = json.loads(answer.body)
            return json_answer({k: detail[k] for k in ("_id", "id", *expand) if k in detail})
        return Answer(answer.status, answer.body, headers)


def listing_day(folder: Path, hub_date: str | None) -> Path | None:
    """The recorded day to serve: `hub_date`, or the newest; None when no day is recorded."""
    days = {
        day: path / "models.ndjson.zst"
        for day, path in day_folders(folder).items()
        if (path / "models.ndjson.zst").is_file()
    }
    if hub_date is None:
        return days[max(days)] if days else None
    if hub_date not in days:
        raise RecordingError(f"no Hub day {hub_date} in {folder}; recorded: {span(days)}")
    return days[hub_date]


def read_datasets(folder: Path, hub_date: str | None) -> list[Row]:
    """The datasets of a day, or of the newest day up to it; else those in trending strips.

    A strip has no createdAt, so there is none if only strips were recorded.
    """
    days = {d: p / "datasets.ndjson.zst" for d, p in day_folders(folder).items()}
    there = [d for d, p in days.items() if p.is_file() and d <= (hub_date or d)]
    if there:
        return read_rows(days[max(there)])
    return _trending_datasets(folder / "trending", hub_date)


def _trending_datasets(folder: Path, hub_date: str | None) -> list[Row]:
    """Every dataset of the strips up to the day, with the values of the newest strip."""
    found: dict[str, Row] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        if hub_date is not None and path.stem[:10] > hub_date:
            continue
        try:
            strip = json.loads(path.read_bytes())["recentlyTrending"]
            repos = [item["repoData"] for item in strip if item["repoType"] == "dataset"]
            found |= {repo["id"]: {"_id": _object_id(repo), **repo} for repo in repos}
        except (LookupError, TypeError, ValueError):  # served as it is, but without datasets
            continue
    return list(found.values())


def trending_file(folder: Path, hub_date: str | None, at: str | None) -> Path | None:
    """The trending strip to serve.

    `at` (a day or a UTC minute) asks for the newest recording up to then and fails if there is
    none. Otherwise the newest one up to the end of `hub_date`, or simply the newest.
    """
    found = folder.glob("*.json") if folder.is_dir() else ()
    recorded = {path.stem: path for path in found if _MINUTE.fullmatch(path.stem)}
    limit = (at or hub_date or "").replace(":", "").removesuffix("Z")
    if at is not None and not _MINUTE.fullmatch(limit):
        raise RecordingError(f"{at!r} is neither YYYY-MM-DD nor YYYY-MM-DDTHHMM")
    in_time = [stem for stem in recorded if not limit or stem[: len(limit)] <= limit]
    if at is not None and not in_time:
        raise RecordingError(f"no trending by {at} in {folder}; recorded: {span(recorded)}")
    return recorded[max(in_time or recorded)] if recorded else None


def read_rows(path: Path) -> list[Row]:
    """The rows of one day, each with its `_id`; fails with file and line on a broken one."""
    about = path.stat()
    return list(_rows_of(path, about.st_mtime_ns, about.st_size))


@lru_cache(maxsize=4)  # each test starts a server for the same recorded day
def _rows_of(path: Path, _changed: int, _size: int) -> list[Row]:
    try:
        return [_row(line, f"{path}, line {number}") for number, line in _lines(path)]
    except (zstandard.ZstdError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path} cannot be unpacked: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as packed:
        unpacked = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        for number, line in enumerate(io.TextIOWrapper(unpacked, encoding="utf-8"), 1):
            if line.strip():
                yield number, line


def _row(line: str, where: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RecordingError(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise RecordingError(f"{where}: it must be an object with a text `id`")
    return {"_id": _object_id(row), **row}


def _object_id(row: Row) -> str:
    """A Mongo ObjectId in the Hub's form: its first 8 digits are createdAt in seconds."""
    try:
        created = datetime.fromisoformat(row["createdAt"])
        seconds = int((created if created.tzinfo else created.replace(tzinfo=UTC)).timestamp())
    except (KeyError, TypeError, ValueError):
        seconds = 0
    return f"{min(max(seconds, 0), 0xFFFFFFFF):08x}" + digest(row["id"].encode())[:16]


def _recorded(folder: Path, entry: dict[str, Any]) -> Answer:
    kept = {"Content-Type", "ETag", "Location"}
    headers = {name: value for name, value in entry["headers"].items() if name in kept}
    return Answer(entry["status"], (folder / Path(entry["file"]).name).read_bytes(), headers)


def _wanted(call: Call) -> Wanted:
    author, search, task = (call.value(name) for name in ("author", "search", "pipeline_tag"))
    return Wanted(author, search, task, tuple(sorted(set(call.values("filter")))))


def _place(row: Row, sort: str) -> tuple[Key | None, str]:
    """Sort key and tie-break; a key that is absent, null or of another type counts as null."""
    value = row.get(sort)
    good = isinstance(value, SORTS[sort]) and not isinstance(value, bool)
    return (value if good else None), row["_id"]


def _ordered(rows: list[Row], sort: str) -> list[Row]:
    """Descending by key, ties ascending by `_id`, rows without the key last."""
    placed = sorted(((*_place(row, sort), row) for row in rows), key=lambda item: item[1])
    keyed = [(key, row) for key, _, row in placed if key is not None]
    keyed.sort(key=lambda item: item[0], reverse=True)  # stable also when reversed
    return [row for _, row in keyed] + [row for key, _, row in placed if key is None]


def cursor_behind(row: Row, sort: str) -> str:
    """The Hub's cursor behind a row: a keyset on the sort key with `_id` as tie-break."""
    key, mongo_id = _place(row, sort)
    branches: list[Row] = [{sort: key, "_id": {"$gt": mongo_id}}]
    if key is not None:
        branches += [{sort: {"$lt": key}}, {sort: None}]
    keyset = json.dumps({"$or": branches}, separators=(",", ":")).encode()
    return base64.b64encode(keyset).decode()


def next_url(call: Call, base_url: str, cursor: str) -> str:
    """The same request, brackets and all, with this cursor."""
    kept = [(name, value) for name, value in call.query if name != "cursor"]
    return f"{base_url}{urlsplit(call.target).path}?{urlencode([*kept, ('cursor', cursor)])}"


def _position(view: list[Row], sort: str, cursor: str) -> int:
    """Index of the first row behind a cursor, by bisection."""
    key, mongo_id = _cursor(cursor, sort)

    def behind(index: int) -> bool:
        other, other_id = _place(view[index], sort)
        if other == key:
            return other_id > mongo_id
        return other is None or (key is not None and bool(other < key))

    return bisect_left(range(len(view)), True, key=behind)


def _cursor(cursor: str, sort: str) -> tuple[Key | None, str]:
    try:
        branch = json.loads(base64.b64decode(cursor, validate=True))["$or"][0]
        key, mongo_id = branch[sort], branch["_id"]["$gt"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise RefusalError(400, "✖ Invalid cursor") from error
    if not isinstance(mongo_id, str) or not (key is None or isinstance(key, SORTS[sort])):
        raise RefusalError(400, f"✖ Invalid cursor: not one of sort={sort}")
    return key, mongo_id
