"""The generated Hub: reproducible from a seed, in the API's format, with realistic tails."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from flows.sources.hub.columns import columns
from flows.sources.hub.models import parse_models
from infra.bench.generate import FIRST_DAY, GeneratedHub, main
from warehouse.archive.archive import Archive
from warehouse.database import duckdb_file

MODELS = 20_000
NEXT_DAY = FIRST_DAY + timedelta(days=1)
OPTIONAL = {"pipeline_tag", "library_name", "safetensors"}
Item = dict[str, Any]


@cache
def listing(day: date = FIRST_DAY, models: int = MODELS) -> list[Item]:
    pages = GeneratedHub(models).pages(day)
    return [item for page, _ in pages for item in orjson.loads(page)]


def by_object(day: date) -> dict[str, Item]:
    return {item["_id"]: item for item in listing(day)}


def parents(item: Item) -> list[str]:
    """Models with the plain tag, which every derived model has."""
    tags = [tag.removeprefix("base_model:") for tag in item["tags"] if "base_model:" in tag]
    return [tag for tag in tags if ":" not in tag]


def share(condition: Any) -> float:
    items = listing()
    return sum(map(bool, map(condition, items))) / len(items)


def test_a_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again = (list(GeneratedHub(3000).pages(NEXT_DAY)) for _ in range(2))
    assert first == again
    assert first != list(GeneratedHub(3000, seed=2).pages(NEXT_DAY))


def test_pages_have_a_thousand_models_for_any_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(GeneratedHub(3500).pages(FIRST_DAY))
    assert [rows for _, rows in whole] == [1000, 1000, 1000, 500]
    assert [len(orjson.loads(page)) for page, _ in whole] == [1000, 1000, 1000, 500]
    monkeypatch.setattr("infra.bench.wire.CHUNK_ROWS", 1000)
    assert list(GeneratedHub(3500).pages(FIRST_DAY)) == whole


def test_items_have_the_keys_of_the_expanded_listing_and_no_others() -> None:
    always = {"_id", "id", *columns("hub")} - OPTIONAL
    assert all(always <= item.keys() <= always | OPTIONAL for item in listing())
    assert {item["gated"] for item in listing()} == {False, "auto", "manual"}
    assert any('"' in tag for item in listing() for tag in item["tags"])


def test_the_listing_is_newest_first_and_object_ids_contain_the_creation_time() -> None:
    items = listing()
    keys = [(item["createdAt"], item["_id"]) for item in items]
    assert keys == sorted(sorted(keys, key=lambda k: k[1]), key=lambda k: k[0], reverse=True)
    for item in items:
        created = datetime.fromisoformat(item["createdAt"])
        assert int(item["_id"][:8], 16) == int(created.timestamp())
        assert item["id"].rpartition("/")[0] == item["author"]
    assert items[-1]["createdAt"] == "2022-03-02T23:29:04.000Z"
    assert len({item["_id"] for item in items}) == len(items)
    assert len({item["id"].lower() for item in items}) == len(items)


def test_shares_and_tails_match_the_real_listing() -> None:
    assert share(lambda i: i["downloads"] == 0) == pytest.approx(0.64, abs=0.03)
    assert share(lambda i: i["downloadsAllTime"]) == pytest.approx(0.60, abs=0.03)
    assert share(lambda i: i["baseModels"]) == pytest.approx(0.27, abs=0.03)
    assert share(lambda i: "safetensors" in i) == pytest.approx(0.234, abs=0.03)
    sizes = sorted(len(orjson.dumps(item)) for item in listing())
    assert sum(sizes) / len(sizes) == pytest.approx(580, rel=0.1)
    assert sizes[-1] > 20 * sizes[len(sizes) // 2]
    counts = sorted(Counter(item["author"] for item in listing()).values())
    assert counts[len(counts) // 2] <= 3
    assert counts[-1] > 100


def test_lineage_has_depth_merges_and_dead_and_self_parents() -> None:
    up = {item["id"]: parents(item) for item in listing()}

    def depth(model: str, seen: tuple[str, ...] = ()) -> int:
        above = [p for p in up.get(model, ()) if p not in (model, *seen)]
        return 1 + max(depth(p, (*seen, model)) for p in above) if above else 0

    assert 5 <= max(map(depth, up)) <= 15
    assert max(map(len, up.values())) >= 3
    assert any(p not in up for above in up.values() for p in above)
    assert any(model in above for model, above in up.items())
    relations = {i["baseModels"]["relation"] for i in listing() if i["baseModels"]}
    assert relations == {"adapter", "finetune", "quantized", "merge"}


def test_days_change_as_on_the_hub() -> None:
    today, tomorrow = by_object(FIRST_DAY), by_object(NEXT_DAY)
    both = today.keys() & tomorrow.keys()
    assert len(tomorrow.keys() - today.keys()) == round(MODELS * 4000 / 3_300_000)
    counters = ("downloads", "downloadsAllTime", "likes")
    changed = sum(any(today[o][c] != tomorrow[o][c] for c in counters) for o in both)
    assert 0.08 < changed / len(both) < 0.40
    month = by_object(FIRST_DAY + timedelta(days=30))
    assert today.keys() - month.keys(), "somebody deleted a model within a month"
    moved = [o for o in today.keys() & month.keys() if today[o]["id"] != month[o]["id"]]
    assert moved, "somebody renamed a model within a month"
    for o in today.keys() & month.keys():  # all of the window is what came in thirty days
        assert month[o]["downloadsAllTime"] - today[o]["downloadsAllTime"] == month[o]["downloads"]


def test_the_parser_accepts_every_item_of_a_sealed_day(tmp_path: Path) -> None:
    assert main(["--models=2500", "--days=2", f"--into={tmp_path / 'archive'}"]) == 0
    archive = Archive(tmp_path / "archive")
    first, second = archive.snapshots("hub")
    assert (first.rows_seen, len(first.files), first.snapshot_date) == (2500, 3, FIRST_DAY)
    con = duckdb_file.create(tmp_path / "build.duckdb")
    for snapshot in (first, second):
        parse_models(con, archive, snapshot)
    counted = "SELECT count(*), count(created_at), count(author) FROM raw.hub_models"
    rows = first.rows_seen + second.rows_seen
    assert _one(con, counted) == (rows, rows, rows)
    assert _one(con, "SELECT count(*) FROM raw.quarantine") == (0,)
    con.close()


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return con.execute(sql).fetchone()
