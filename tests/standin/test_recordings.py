"""The real recordings, served by the stand-in and read by real clients."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections import Counter
from datetime import UTC
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import HfApi

from tests.standin import StandIn
from tests.support.standin_client import (
    DATASET,
    THIN,
    ask,
    everything,
    recorded_rows,
    same_rows,
    walk,
)

# --------------------------------------------------------------------------- real recordings


def recorded_days(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / "hub").glob("*/models.ndjson.zst"))


def test_every_recorded_day_is_served_whole(recordings: Path) -> None:
    for day in recorded_days(recordings):
        rows = recorded_rows(recordings, day)
        with StandIn(recordings, hub_date=day) as standin:
            for sort, limit in (("createdAt", 100), ("downloads", 97)):
                size = limit if len(rows) < 2000 else 1000
                pages = walk(standin, f"/api/models?sort={sort}&limit={size}&{everything(rows)}")
                bare = [{k: v for k, v in row.items() if k != "modelId"} for row in rows]
                assert same_rows([row for page in pages for row in page], bare), (day, sort)
                assert {len(page) for page in pages[:-1]} <= {size}


def test_the_real_client_lists_the_newest_day(recordings: Path) -> None:
    rows = recorded_rows(recordings, recorded_days(recordings)[-1])
    with StandIn(recordings) as standin:
        api = HfApi(endpoint=standin.url, token=False)
        models = list(api.list_models(sort="created_at", expand=THIN))  # type: ignore[arg-type]
    assert Counter(model.id for model in models) == Counter(row["id"] for row in rows)
    created = [model.created_at for model in models]
    known = [day for day in created if day is not None]
    assert known == sorted(known, reverse=True)
    assert created[len(known) :] == [None] * (len(models) - len(known))
    assert len(known) == sum("createdAt" in row for row in rows)
    assert all(day.tzinfo == UTC for day in known[:5])


def manifest(recordings: Path, below: str, column: str = "sha256") -> dict[str, str]:
    with (recordings / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
        return {
            row["path"].removeprefix(below): row[column]
            for row in csv.DictReader(lines)
            if row["path"].startswith(below)
        }


def test_every_board_downloads_with_the_listed_digest(recordings: Path, tmp_path: Path) -> None:
    listed = manifest(recordings, "lmarena/leaderboard-dataset/")
    with StandIn(recordings) as standin:
        api = HfApi(endpoint=standin.url, token=False)
        tree = api.list_repo_tree(DATASET, repo_type="dataset", recursive=True)
        found = {e.path: e.lfs.sha256 for e in tree if getattr(e, "lfs", None)}  # type: ignore[union-attr]
        folder = api.snapshot_download(DATASET, repo_type="dataset", cache_dir=tmp_path)
        modified = api.dataset_info(DATASET).last_modified
    observed = manifest(recordings, "lmarena/leaderboard-dataset/", "observation_date")
    assert modified is not None
    assert modified.date().isoformat() == max(days[-10:] for days in observed.values())
    assert found == listed
    on_disk = {name: (Path(folder) / name).read_bytes() for name in listed}
    assert {name: hashlib.sha256(body).hexdigest() for name, body in on_disk.items()} == listed


def test_every_edition_is_zipped_whole_and_unmodified(recordings: Path) -> None:
    with StandIn(recordings) as standin:
        editions = ask(standin, "/ai_index/").json()
        bodies = {edition: ask(standin, f"/ai_index/{edition}.zip").body for edition in editions}
    assert editions
    for edition, body in bodies.items():
        archive = zipfile.ZipFile(io.BytesIO(body))
        root = f"PUBLIC DATA_ {edition} AI INDEX REPORT/"
        found = {name.removeprefix(root): archive.read(name) for name in archive.namelist()}
        listed = manifest(recordings, f"ai_index/{edition}/")
        listed.pop("figure_catalog.csv", None)
        assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == listed


def test_recorded_epoch_trending_and_samples_come_back_verbatim(recordings: Path) -> None:
    newest = {path.name: path for path in sorted((recordings / "epoch").glob("*/*.csv"))}
    trending = sorted((recordings / "hub/trending").glob("*.json"))[-1]
    samples = json.loads((recordings / "hub/samples/responses.json").read_text())
    with StandIn(recordings) as standin:
        for name, path in newest.items():
            assert ask(standin, f"/data/epochdb/{name}").body == path.read_bytes()
        assert ask(standin, "/api/trending").body == trending.read_bytes()
        for sample in samples:
            reply = ask(standin, urlsplit(sample["url"]).path)
            assert reply.status == sample["status"]
            assert reply.body == (recordings / "hub/samples" / sample["file"]).read_bytes()
