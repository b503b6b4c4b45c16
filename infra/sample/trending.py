"""The sample's selection of trending lists: our own strips, and a third party's recording."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from infra.sample.recordings import Recordings, sample_draft
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import read_moment
from warehouse.contracts.source import card
from warehouse.database.read_files import csv_frame

TRENDING_TOP = 10
TRENDING_EVERY = 14  # days from one list to the next, or more where none was recorded
TRENDING_KEYS = ("id", "author", "downloads", "likes", "lastModified", "pipeline_tag", "gated")
FOLDER = "trending_2025"


def write_trending(recordings: Recordings, archive: Archive) -> None:
    """Snapshots hub_trending/<minute> of the first list of a day, every TRENDING_EVERY days."""
    for name in _lists(recordings):
        recording = recordings.get(name)
        items = orjson.loads(recording.path.read_bytes())["recentlyTrending"]
        chosen = list(_first_models(items))
        day, slot = read_moment(Path(name).stem)
        with sample_draft(archive, "hub_trending", day, slot=slot) as draft:
            draft.notes += [
                f"sample of {len(chosen)} of {len(items)} items; selection: the list down to its "
                f"{TRENDING_TOP}th model, on the first list of a day, every {TRENDING_EVERY} days",
                f"recording: {recording}",
                f"keys left out: all but {', '.join(TRENDING_KEYS)}, numParameters and the kind of "
                "the author",
            ]
            draft.add_file(
                "trending.json",
                orjson.dumps({"recentlyTrending": chosen}),
                url=card("hub_trending").urls["strip"],
                rows_seen=len(chosen),
                retrieved_at=recording.retrieved_at,
                compress=True,
            )


def _lists(recordings: Recordings) -> list[str]:
    """Names of the recorded lists that are selected."""
    listed = csv_frame(recordings.root / "MANIFEST.csv")["path"]
    chosen: list[str] = []
    last = date.min
    for name in sorted(n for n in listed if n.startswith("hub/trending/")):
        day, _ = read_moment(Path(name).stem)
        if (day - last).days >= TRENDING_EVERY:
            chosen, last = [*chosen, name], day
    return chosen


def _first_models(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items down to the last of the first TRENDING_TOP models, with the keys that are read."""
    models = 0
    for item in items:
        models += item["repoType"] == "model"
        repo = {key: item["repoData"][key] for key in TRENDING_KEYS if key in item["repoData"]}
        if kind := item["repoData"].get("authorData", {}).get("type"):
            repo["authorData"] = {"type": kind}
        if (size := item["repoData"].get("numParameters")) is not None:
            repo["numParameters"] = size
        yield {"repoType": item["repoType"], "repoData": repo}
        if models == TRENDING_TOP:
            return


def write_trending_feed(histories: Recordings, archive: Archive) -> None:
    """Snapshots hub_trending_feed/<day> of every recorded day."""
    commits = {row["observed_at"]: row["origin_commit"] for row in _rows(histories, "origins.csv")}
    terms = card("hub_trending_feed")
    for at, rows in groupby(_rows(histories, "trending.csv"), lambda row: row["observed_at"]):
        recorded, commit = list(rows), commits[at]
        moment = datetime.fromisoformat(at).astimezone(UTC)
        links = [f"{terms.map['address']}{row['model_id']}" for row in recorded[:TRENDING_TOP]]
        items = [{"id": link, "link": link} for link in links]
        with sample_draft(archive, "hub_trending_feed", moment.date()) as draft:
            draft.notes += [
                f"sample of {len(items)} of {len(recorded)} items; selection: the first "
                f"{TRENDING_TOP} of every recorded day from 2025-01-20 to 2025-02-28",
                f"recording: github.com/{terms.map['repository']}@{commit}:{terms.map['file']}",
            ]
            draft.add_file(
                f"{moment:%Y%m%dT%H%M%SZ}.{commit[:12]}/feed.json",
                orjson.dumps({"items": items}),
                url=terms.urls["file"].format(commit=commit),
                rows_seen=len(items),
                retrieved_at=moment,
                compress=True,
            )


def _rows(histories: Recordings, name: str) -> list[dict[str, str]]:
    with histories.path(f"{FOLDER}/{name}").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
