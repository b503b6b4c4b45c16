"""The Hub's trending models as a third party recorded them: one feed per day, from its commits.

Optional: observed only when named. A day is read from its last commit, never from a branch.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from flows.settings import Settings
from flows.sources.formats.damage import naming
from flows.sources.formats.json_text import read_document
from flows.sources.github import MOMENT, SHA, Commit, GitHubRepository, read_commits, read_tree
from flows.sources.http import SourceError
from flows.sources.quarantine import load_records
from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.source import card
from warehouse.contracts.table import contract, literal, quote

NAME, TABLE, FILE = "hub_trending_feed", "raw.hub_trending_feed", "feed.json"
ADVICE = "choose another day (--as-of), or leave out hub_trending_feed: it is an optional recording"
_STORED = re.compile(rf"(?P<moment>\d{{8}}T\d{{6}}Z)\.[0-9a-f]{{12}}/{re.escape(FILE)}")
_ID = re.compile(r"(?:(?P<author>[A-Za-z0-9_.-]{1,96})/)?[A-Za-z0-9_.-]{1,96}")


def fetch_feed(settings: Settings, archive: Archive, draft: Draft) -> None:
    """Stores the feed of the day's last commit. An empty one is a failed recording."""
    terms = card(NAME).map
    path = terms["file"]
    github = GitHubRepository(settings, draft, terms["repository"])
    draft.reset()
    commit = _last_of_day(github, draft, path)
    tree = f"git/trees/{commit.sha}?recursive=1"
    files = github.query(tree, f"{commit.folder}/tree.json", read_tree)
    url, name = github.raw_url(commit.sha, path), f"{commit.folder}/{FILE}"
    if path not in files:
        raise SourceError(NAME, f"{draft.day} commit {commit.sha} has no {path}", url, ADVICE)
    data, items = github.download(url, name, files[path], _items)
    if not items:
        what = (
            f"{path} of {draft.day} is empty: the third party failed to read the page on that day"
        )
        raise SourceError(NAME, what, url, ADVICE)
    if (missing := terms["items"] - len(items)) > 0:
        draft.notes.append(
            f"{missing} of {terms['items']} models are missing; positions below them are too small"
        )
    draft.add_file(name, data, url=url, etag=files[path], rows_seen=len(items))
    draft.notes.append(f"commit {commit.sha} of {commit.moment:%Y-%m-%d %H:%M} UTC")


def _last_of_day(github: GitHubRepository, draft: Draft, path: str) -> Commit:
    after = draft.day + timedelta(days=1)
    query = f"commits?path={path}&since={draft.day}T00:00:00Z&until={after}T00:00:00Z&per_page=100"
    found = github.query(query, "commits.json", lambda content: read_commits(content, "committer"))
    of_day = [commit for commit in found if commit.moment.date() == draft.day]
    if not of_day:
        url = f"{github.settings.github_api_url}/repos/{github.repo}/{query}"
        what = f"{draft.day} no commit changed {path} on that day"
        raise SourceError(NAME, what, url, ADVICE)
    return max(of_day, key=lambda commit: commit.moment)


def _items(data: bytes) -> list[Any]:
    """The items of a feed. Raises ValueError, LookupError or TypeError if it is not one."""
    items = read_document(data)[0]["items"]
    if not isinstance(items, list):
        raise TypeError("`items` is not a list")
    return items


def parse_feed(con: duckdb.DuckDBPyConnection, archive: Archive, snapshot: Snapshot) -> None:
    """Loads raw.hub_trending_feed: one row per item, numbered as in the feed.

    Rejected: an item that is not the address of a repository on the Hub, and one that repeats an
    earlier item.
    """
    (file,) = snapshot.find(suffix=FILE)
    data = archive.read(file)
    with naming(file.name):
        rows = _rows(file, data)
    schema = pl.Schema(list(contract(TABLE).polars_schema.items())[2:])
    schema |= dict.fromkeys(("refusal", "record"), pl.String())
    con.register("feed_rows", pl.DataFrame(rows, schema=schema, orient="row"))
    columns = {name: quote(name) for name in list(contract(TABLE).columns)[2:]}
    records = f"(SELECT *, {literal(file.name)} AS file, position AS line FROM feed_rows)"
    load_records(con, snapshot, contract(TABLE), records, columns, {})
    con.unregister("feed_rows")


def _rows(file: ArchivedFile, data: bytes) -> list[tuple[Any, ...]]:
    """The columns of the contract after the snapshot's; refusal and record."""
    match = _STORED.fullmatch(file.name)
    if not match:
        raise ValueError(f"{file.name} is not <time>.<commit>/{FILE}")
    commit = next(part for part in file.url.split("/") if SHA.fullmatch(part))
    about = (datetime.strptime(match["moment"], MOMENT), commit)
    seen: set[str] = set()
    rows = []
    for position, item in enumerate(_items(data), 1):
        model, author = _model(item)
        refusal = "id: expected the address of a model" if model is None else None
        refusal = "duplicate" if model in seen else refusal
        seen |= {model} if model else set()
        rows.append((*about, position, model, author, refusal, str(item) if refusal else None))
    return rows


def _model(item: object) -> tuple[str | None, str | None]:
    """Id and namespace of an item's model; null if it is not one."""
    address = item.get("id") if isinstance(item, dict) else None
    prefix = card(NAME).map["address"]
    if not isinstance(address, str) or not address.startswith(prefix):
        return None, None
    match = _ID.fullmatch(address.removeprefix(prefix).rstrip("/"))
    return (match[0], match["author"]) if match else (None, None)
