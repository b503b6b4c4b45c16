"""The bundled sample: whole, small, loadable, and true to the recordings it was taken from."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.sources import SOURCES
from infra.sample.__main__ import main, make_sample
from infra.sample.arena import ARENA_TOPS
from infra.sample.recordings import SampleError
from tests.conftest import ROOT
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot
from warehouse.contracts.source import card
from warehouse.database import duckdb_file
from warehouse.storage.files import file_sha256, sha256

SAMPLE = ROOT / "warehouse" / "sample"
DAYS = {  # source -> snapshots, and the first and the last of them
    "epoch": (6, "2025-02-24", "2026-05-02"),
    "hub": (2, "2026-08-07", "2026-08-15"),
    "hub_evolution": (1, "2026-08-15", "2026-08-15"),
    "hub_trending": (11, "2026-03-02T1217", "2026-07-21T0829"),
    "hub_trending_feed": (29, "2025-01-20", "2025-02-28"),
    "lmarena": (1, "2026-06-26", "2026-06-26"),
}
TABLES = {
    "hub": ["hub_models"],
    "hub_evolution": ["hub_evolution_counters"],
    "hub_trending": ["hub_trending"],
    "hub_trending_feed": ["hub_trending_feed"],
    "lmarena": ["arena_leaderboards"],
    "epoch": ["epoch_models", "epoch_capabilities"],
}
SNAPSHOTS = [s.snapshot_id for s in Archive(SAMPLE).snapshots()]
LARGE = {
    "Qwen",
    "deepseek-ai",
    "zai-org",
    "moonshotai",
    "MiniMaxAI",
    "tencent",
    "baidu",
    "ByteDance",
}
LARGE |= {"meta-llama", "google", "openai", "microsoft", "nvidia", "xai-org", "ibm-granite"}
LARGE |= {"mistralai", "stabilityai", "tiiuae", "CohereLabs"}
# What the sample was taken from.
NEEDED = [
    *(f"hub/{day}/models.ndjson.zst" for day in ("2026-08-07", "2026-08-15", "2026-10-15")),
    *(f"hub/{day}/models.ndjson.zst" for day in ("2025-11-10", "2025-11-27")),
    "lmarena/leaderboard-dataset/text/full-00000-of-00001.parquet",
    "epoch/2026-05-02/notable_ai_models.csv",
]
COMPLETE = {
    "notable_ai_models.csv": "Publication date",
    "epoch_capabilities_index.csv": "Release date",
}
REMAKE = "remake it with `python -m infra.sample` and look at what changed"


@pytest.fixture(scope="module")
def recordings() -> Path:
    """The folder of real recordings; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("OBSERVATORY_RECORDINGS", ROOT.parent / "shared" / "archive"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip(f"no recordings at {folder} (set OBSERVATORY_RECORDINGS)")
    if not folder.with_name(f"{folder.name}2").is_dir():
        pytest.skip(f"no second folder of recordings beside {folder}")
    if lacking := [name for name in NEEDED if not (folder / name).is_file()]:
        pytest.skip(f"the recordings at {folder} lack {lacking}")
    return folder


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A fresh warehouse with the sample in its raw tables."""
    con = duckdb_file.create(tmp_path_factory.mktemp("warehouse") / "sample.duckdb")
    archive = Archive(SAMPLE)
    for snapshot in archive.snapshots():
        SOURCES[snapshot.source].parse(con, archive, snapshot)
    yield con
    con.close()


def snapshots() -> list[Snapshot]:
    return Archive(SAMPLE).snapshots()


def files_below(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def recorded_digests(recordings: Path) -> set[str]:
    with (recordings / "MANIFEST.csv").open(encoding="utf-8", newline="") as lines:
        return {row["sha256"] for row in csv.DictReader(lines)}


# ------------------------------------------------------------------------------ as an archive


def test_the_sample_is_a_sealed_archive_that_verifies() -> None:
    archive = Archive(SAMPLE)
    for source, (number, first, last) in DAYS.items():
        days = [s.snapshot_id.partition("/")[2] for s in archive.snapshots(source)]
        assert (len(days), days[0], days[-1]) == (number, first, last)
    assert {s.source for s in archive.snapshots()} == set(DAYS)
    assert archive.unfinished() == []
    for file in (f for s in archive.snapshots() for f in s.files):
        archive.verify_file(file)
        received = archive.read(file)
        assert (sha256(received), len(received)) == (file.sha256, file.bytes), file.name


def test_sample_contains_only_files_that_a_sidecar_names() -> None:
    named = {f.path for s in snapshots() for f in s.files}
    sidecars = {f"{s.snapshot_id}/snapshot.json" for s in snapshots()}
    assert set(files_below(SAMPLE)) == named | sidecars


def test_it_is_small() -> None:
    assert sum(map(len, files_below(SAMPLE).values())) < 3_000_000


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_sidecar_says_sample_source_and_date(name: str) -> None:
    snapshot = next(s for s in snapshots() if s.snapshot_id == name)
    terms = card(snapshot.source)
    assert snapshot.is_sample
    assert (snapshot.license, snapshot.url) == (terms.license.raw, terms.homepage)
    assert snapshot.redistribution == terms.license.redistribution
    # The study's file was read a week after the last day of it that is selected.
    at_most = 7 if snapshot.source == "hub_evolution" else 1
    assert 0 <= (snapshot.retrieved_at.date() - snapshot.snapshot_date).days <= at_most
    assert snapshot.notes[0].startswith("sample of ")
    assert "selection: " in snapshot.notes[0]
    assert any("github.com/" in note for note in snapshot.notes[1:])
    official = {terms.homepage.split("/")[2], "raw.githubusercontent.com"}
    assert {f.url.split("/")[2] for f in snapshot.files} <= official


# ---------------------------------------------------------------------------- what it tells


def test_every_record_loads_and_none_is_refused(loaded: duckdb.DuckDBPyConnection) -> None:
    assert loaded.sql("SELECT * FROM raw.quarantine").fetchall() == []
    for snapshot in snapshots():
        counts = [
            loaded.execute(
                f"SELECT count(*) FROM raw.{table} WHERE snapshot_id = ?", [snapshot.snapshot_id]
            ).fetchall()[0][0]
            for table in TABLES[snapshot.source]
        ]
        assert sum(counts) == snapshot.rows_seen, snapshot.snapshot_id


def test_hub_models_are_the_same_on_both_days(loaded: duckdb.DuckDBPyConnection) -> None:
    day = "SELECT model_id_hf FROM raw.hub_models WHERE snapshot_date = DATE '{}' ORDER BY 1"
    first, last = (
        loaded.sql(day.format(d)).fetchall() for d in (date(2026, 8, 7), date(2026, 8, 15))
    )
    assert first == last
    assert 300 <= len(first) <= 500
    moved = """SELECT count(DISTINCT model_id_hf) FROM raw.hub_models
        GROUP BY model_id_hf HAVING count(DISTINCT downloads_30d) > 1"""
    assert len(loaded.sql(moved).fetchall()) > len(first) / 2


def test_the_large_labs_are_there(loaded: duckdb.DuckDBPyConnection) -> None:
    found = {a for (a,) in loaded.sql("SELECT DISTINCT author FROM raw.hub_models").fetchall()}
    assert LARGE - found == set()


def test_hub_base_models_are_repository_ids(loaded: duckdb.DuckDBPyConnection) -> None:
    tags = loaded.sql("""
        WITH tags AS (SELECT DISTINCT model_id_hf, unnest(tags_json::VARCHAR[]) AS tag
            FROM raw.hub_models WHERE tags_json IS NOT NULL)
        SELECT model_id_hf, regexp_extract(tag, '^base_model:[a-z]+:(.*)$', 1) AS base
        FROM tags WHERE tag LIKE 'base_model:%:%'""").fetchall()
    assert len(tags) >= 25
    assert [t for t in tags if t[1].count("/") != 1 or " " in t[1]] == []
    fields = loaded.sql("""
        SELECT DISTINCT model_id_hf, base_models_json ->> '$.models[0].id'
        FROM raw.hub_models WHERE base_models_json IS NOT NULL""").fetchall()
    assert fields
    assert set(fields) <= set(tags)


def test_pages_are_a_sweep_without_empty_keys() -> None:
    archive = Archive(SAMPLE)
    for snapshot in archive.snapshots("hub"):
        items = [i for f in snapshot.find("pages/") for i in json.loads(archive.read(f))]
        created = [i["createdAt"] for i in items]
        assert created == sorted(created, reverse=True)
        assert not [i["id"] for i in items if any(v in (None, [], "") for v in i.values())]


def test_arena_boards_are_the_published_tops(loaded: duckdb.DuckDBPyConnection) -> None:
    """No model is missing above the last one of a board, so that first places are sure."""
    boards = loaded.execute("""
        SELECT subset, leaderboard_publish_date, count(*), max(rank), count(DISTINCT category)
        FROM raw.arena_leaderboards GROUP BY ALL ORDER BY ALL""").fetchall()
    for board, day, n, last, categories in boards:
        assert n >= last, (board, day)  # ties share a rank
        assert last <= ARENA_TOPS[board]
        assert categories == 1
    assert len([b for b in boards if b[0] == "text"]) > 200
    best = loaded.sql("""
        SELECT model_name, rank FROM raw.arena_leaderboards
        WHERE leaderboard_publish_date = DATE '2025-10-16' AND subset = 'text' AND organization IN
            ('alibaba', 'deepseek', 'zai', 'moonshot') ORDER BY rank LIMIT 1""").fetchone()
    assert best == ("qwen3-max-preview", 2)


def test_notable_models_are_those_since_2023(loaded: duckdb.DuckDBPyConnection) -> None:
    years = loaded.sql("SELECT DISTINCT year(publication_date) FROM raw.epoch_models").fetchall()
    assert {y for (y,) in years if y} == set(range(2023, 2027))
    countries = loaded.sql("""
        SELECT split_part(country_name, ',', 1) AS country, count(*) AS n
        FROM raw.epoch_models WHERE country_name IS NOT NULL GROUP BY 1 ORDER BY n DESC
        """).fetchall()
    assert [c for c, _ in countries[:2]] == ["United States of America", "China"]
    assert len(countries) >= 15


def test_a_sample_that_calls_itself_complete_from_a_day_is(recordings: Path) -> None:
    """Every recorded model since then is in it, and the recording lacks none that is known."""
    for snapshot in snapshots():
        if snapshot.complete_from is None:
            continue
        ((name, day),) = [(f.name, COMPLETE[f.name]) for f in snapshot.files]
        with duckdb.connect() as con:
            recorded = con.execute(
                f"""SELECT count(*) FROM read_csv(?, all_varchar = true, quote = '"', escape = '"')
                WHERE coalesce("{day}", '9') >= ?""",
                [str(recordings / snapshot.snapshot_id / name), str(snapshot.complete_from)],
            ).fetchall()
        assert recorded == [(snapshot.rows_seen,)], snapshot.snapshot_id


def test_trending_lists_are_the_first_ten_models(loaded: duckdb.DuckDBPyConnection) -> None:
    for table, kind in (("hub_trending", "repo_type = 'model'"), ("hub_trending_feed", "true")):
        lists = loaded.execute(
            f"SELECT count(*) FILTER ({kind}), max(position) FROM raw.{table} GROUP BY snapshot_id"
        ).fetchall()
        assert {n for n, _ in lists} == {10}


def test_the_csv_ends_with_a_newline() -> None:
    archive = Archive(SAMPLE)
    files = [f for s in archive.snapshots("epoch") for f in s.files]
    assert all(archive.read(file).endswith(b"\n") for file in files)


# ------------------------------------------------------------------------ against the recordings


def test_hub_figures_are_the_recorded_ones(recordings: Path) -> None:
    archive = Archive(SAMPLE)
    days = ("2025-11-10", "2025-11-27", "2026-10-15")
    details = [json_lines(recordings / f"hub/{day}/models.ndjson.zst") for day in days]
    for snapshot in archive.snapshots("hub"):
        recorded = json_lines(recordings / f"{snapshot.snapshot_id}/models.ndjson.zst")
        for item in json.loads(archive.read(snapshot.files[0])):
            others = [d[item["id"]] for d in details if item["id"] in d]
            tags = {t for o in others for t in o.get("tags", ())}
            assert set(item.pop("tags", ())) <= tags, item["id"]
            if (base := item.pop("baseModels", None)) is not None:
                assert base in [o.get("baseModels") for o in others], item["id"]
            assert item == {k: v for k, v in recorded[item["id"]].items() if k != "modelId"}


def json_lines(path: Path) -> dict[str, dict[str, object]]:
    """The recorded items by id, with nothing but the keys that were recorded."""
    query = "SELECT json FROM read_ndjson_objects(?)"
    with duckdb.connect() as con:
        items = [json.loads(line) for (line,) in con.sql(query, params=[str(path)]).fetchall()]
    return {item["id"]: item for item in items}


def _tables() -> list[tuple[str, str]]:
    """Stored tables of the sample, and the recorded files that their rows are from."""
    places = {
        "lmarena": "lmarena/leaderboard-dataset/{name}",
        "epoch": "{snapshot}/{name}",
        "hub_evolution": "{more}/hub_evolution/{name}",
    }
    return [
        (f.path, places[s.source].format(snapshot=s.snapshot_id, name=f.name, more="{more}"))
        for s in snapshots()
        for f in s.files
        if s.source in places
    ]


@pytest.mark.parametrize(("name", "recorded"), _tables())
def test_every_row_of_a_table_is_a_recorded_row(recordings: Path, name: str, recorded: str) -> None:
    read = (
        "read_parquet(?)"
        if name.endswith(".parquet")
        else "read_csv(?, all_varchar = true, header = true, quote = '\"', escape = '\"')"
    )
    with duckdb.connect() as con:
        sample = con.sql(f"FROM {read}", params=[str(SAMPLE / name)])
        types = dict(zip(sample.columns, sample.types, strict=True))
        cast = ", ".join(f'"{c}"::{types[c]} AS "{c}"' for c in sample.columns)
        path = str(recordings / recorded).replace("/{more}/", "2/")
        whole = con.sql(f"SELECT {cast} FROM {read}", params=[path])
        assert len(sample) > 0
        assert sample.except_(whole).fetchall() == []


def test_trending_feeds_are_the_recorded_ones(
    recordings: Path, loaded: duckdb.DuckDBPyConnection
) -> None:
    ours = loaded.execute(
        "SELECT snapshot_date::VARCHAR, position::VARCHAR, model_id_hf FROM raw.hub_trending_feed"
    ).fetchall()
    with (recordings.with_name(f"{recordings.name}2") / "trending_2025/trending.csv").open() as f:
        recorded = [(r["observed_on"], r["position"], r["model_id"]) for r in csv.DictReader(f)]
    assert sorted(ours) == sorted(row for row in recorded if int(row[1]) <= 10)


def test_trending_lists_are_the_recorded_ones(recordings: Path) -> None:
    archive = Archive(SAMPLE)
    for snapshot in archive.snapshots("hub_trending"):
        path = recordings / f"hub/trending/{snapshot.snapshot_id.partition('/')[2]}.json"
        recorded = json.loads(path.read_bytes())["recentlyTrending"]
        for ours, theirs in zip(
            json.loads(archive.read(snapshot.files[0]))["recentlyTrending"], recorded, strict=False
        ):
            found = ours["repoData"] | {"authorData": theirs["repoData"].get("authorData")}
            assert found.items() <= theirs["repoData"].items()


def test_no_file_is_a_recorded_file(recordings: Path) -> None:
    theirs = recorded_digests(recordings)
    ours = {f.sha256 for s in snapshots() for f in s.files}
    ours |= {file_sha256(p) for p in SAMPLE.rglob("*") if p.is_file()}
    assert ours & theirs == set()


def test_making_it_again_gives_the_same_bytes(recordings: Path, tmp_path: Path) -> None:
    made = tmp_path / "sample"
    make_sample(recordings, made)
    first = files_below(made)
    make_sample(recordings, made)  # in place of the first
    assert files_below(made) == first
    assert [p.name for p in tmp_path.iterdir()] == ["sample"]
    differing = {n for n in first if first[n] != files_below(SAMPLE).get(n)}
    assert first.keys() == files_below(SAMPLE).keys(), REMAKE
    assert differing == set(), f"{REMAKE}: other code, or other versions of the writers"


# ------------------------------------------------------------------------------------- the tool


def test_it_replaces_nothing_but_a_sample(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(SAMPLE, archive)
    sidecar = archive / "hub/2026-08-15/snapshot.json"
    sidecar.write_text(sidecar.read_text().replace('"is_sample": true', '"is_sample": false'))
    before = files_below(archive)
    assert main(["--recordings", str(tmp_path), "--into", str(archive)]) == 1
    assert "more than a sample" in capsys.readouterr().err
    assert files_below(archive) == before


def test_it_leaves_a_stranger_file_alone(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    (tmp_path / "sample" / "notes.txt").write_text("mine")
    with pytest.raises(SampleError, match=r"notes\.txt"):
        make_sample(tmp_path, tmp_path / "sample")


def test_a_recording_that_is_not_as_listed_is_refused(tmp_path: Path) -> None:
    name = "hub/2026-08-07/models.ndjson.zst"
    row = [name, "hub", "2026-08-07", "somewhere", "none", "0" * 64, "1", "1", "no"]
    listing = io.StringIO()
    head = "path source observation_date origin license sha256 bytes rows original_bytes"
    csv.writer(listing).writerows([head.split(), row])
    (tmp_path / "MANIFEST.csv").write_text(listing.getvalue())
    with pytest.raises(SampleError, match="is not the file"):
        make_sample(tmp_path, tmp_path / "sample")
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"other bytes")
    with pytest.raises(SampleError, match="is not the file"):
        make_sample(tmp_path, tmp_path / "sample")
    assert not (tmp_path / "sample").exists()


def test_a_folder_without_recordings_is_an_error_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = tmp_path / "sample"
    assert main(["--recordings", str(tmp_path), "--into", str(target)]) == 1
    assert "MANIFEST.csv" in capsys.readouterr().err
    assert not target.exists()
