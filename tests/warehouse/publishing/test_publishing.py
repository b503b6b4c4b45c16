"""Publishing the bundled sample: validation of what storage returns, and management of releases."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import Result
from typer.testing import CliRunner

from expectations.copies import RELEASE_ID, SAME_ROWS, validate_copies
from expectations.report import ValidationError
from flows.cli.app import app
from flows.steps import publish
from tests.support.releases import build_warehouse
from tests.support.s3_places import reader_sees
from tests.warehouse.releases.test_release import stage
from warehouse.database.build_files import remove_dead_builds
from warehouse.publishing.channels import latest_manifest, set_pointer
from warehouse.publishing.pointer import read_pointer
from warehouse.publishing.release_objects import DamagedError
from warehouse.publishing.upload import read_back, repair, upload
from warehouse.publishing.verify import verify
from warehouse.releases.manifest import Manifest
from warehouse.storage.local import LocalStorage

Staged = tuple[Path, Manifest]


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    folder = tmp_path / "staged"
    return folder, stage(build_warehouse(tmp_path / "wh.duckdb"), folder)


@pytest.fixture
def sample(sampled: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the replayed and published sample that a test may change."""
    return shutil.copytree(sampled[0], tmp_path / "sample")


def call(folder: Path, *arguments: object) -> Result:
    place = f"--publish-to={folder / 'published'}"
    return CliRunner().invoke(app, [*map(str, arguments), place], env={"COLUMNS": "200"})


def publish_as_of(folder: Path, day: date) -> str:
    """Publishes the warehouse as one of another day; returns the release's id."""
    with duckdb.connect(str(folder / "observatory.duckdb")) as con:
        con.execute("UPDATE meta.build SET as_of = ?", [day])
    done = call(folder, "publish", f"--warehouse={folder / 'observatory.duckdb'}", "--json")
    assert done.exit_code == 0, done.output
    return str(json.loads(done.stdout)["published"][0]["release_id"])


# --- the DuckDB file is what the Parquet files are --------------------------------------------


def copies(staged: Staged) -> dict[tuple[str, str], str]:
    folder, manifest = staged
    files = {t.name: folder / t.path for t in manifest.tables}
    report = validate_copies(folder / "observatory.duckdb", files, manifest.release_id, "published")
    return {(r.table_name, r.expectation): r.outcome for r in report.results}


def test_every_table_of_the_duckdb_file_is_compared_with_its_parquet(staged: Staged) -> None:
    found = copies(staged)
    assert set(found.values()) == {"passed"}
    assert {table for table, what in found if what == SAME_ROWS} == {
        t.name for t in staged[1].tables
    }


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core.counts SET downloads = downloads + 1 WHERE day = '2026-08-01'",
        "DELETE FROM core.counts WHERE model = 'lab/m1'",
        "INSERT INTO core.counts FROM core.counts LIMIT 1",
        "UPDATE core.counts SET model = NULL WHERE model = 'lab/m0'",
        "ALTER TABLE core.counts ALTER downloads TYPE INTEGER",
    ],
)
def test_a_row_that_differs_is_found(staged: Staged, change: str) -> None:
    with duckdb.connect(str(staged[0] / "observatory.duckdb")) as con:
        con.execute("ALTER TABLE core.counts ALTER model DROP NOT NULL")
        con.execute(change)
    found = copies(staged)
    assert [table for (table, _), outcome in found.items() if outcome != "passed"] == [
        "core.counts"
    ]


def test_a_missing_table_and_a_wrong_release_id_are_found(staged: Staged) -> None:
    with duckdb.connect(str(staged[0] / "observatory.duckdb")) as con:
        con.execute("UPDATE meta.release SET release_id = 'another'")
        con.execute("ALTER TABLE core.counts DROP COLUMN is_open")
    found = copies(staged)
    assert found["meta.release", RELEASE_ID] == "failed"
    assert found["core.counts", SAME_ROWS] == "failed"


def test_an_invalid_database_file_is_an_error(staged: Staged) -> None:
    (staged[0] / "observatory.duckdb").write_bytes(b"<html>" * 100)
    with pytest.raises(ValidationError, match=r"cannot read observatory\.duckdb of release"):
        copies(staged)


def test_a_warehouse_changed_after_its_build_is_not_published(
    sampled: tuple[Path, str], tmp_path: Path
) -> None:
    """A run trusts what it has just built; `publish` cannot know who opened the file since."""
    folder = shutil.copytree(sampled[0], tmp_path / "sampled")
    with duckdb.connect(str(folder / "observatory.duckdb")) as con:
        con.execute("UPDATE mart.country_share_daily SET share = 2 WHERE country_code = 'CN'")
    places = [f"--archive={folder / 'archive'}", f"--publish-to={tmp_path / 'elsewhere'}"]
    places.append(f"--warehouse={folder / 'observatory.duckdb'}")
    done = CliRunner().invoke(app, ["publish", *places], env={"COLUMNS": "200"})
    assert done.exit_code == 4
    assert "mart.country_share_daily" in done.stderr
    assert "share" in done.stderr
    assert not (tmp_path / "elsewhere" / "latest.json").exists()


# --- damage is mended where the bytes are at hand ------------------------------------------------


def test_lost_objects_are_uploaded_again(staged: Staged, tmp_path: Path) -> None:
    folder, manifest = staged
    storage = LocalStorage(tmp_path / "published")
    upload(folder, manifest, storage)
    place = storage.root / "releases" / manifest.release_id
    damaged = place / "core.counts.parquet"
    damaged.write_bytes(damaged.read_bytes()[::-1])
    (place / "raw.figures.parquet").unlink()
    sent = repair(folder, storage, manifest, trust_checksums=False)
    assert {e.path for e in sent} == {"core.counts.parquet", "raw.figures.parquet"}
    assert verify(storage, manifest.release_id).is_intact
    read_back(storage, manifest.release_id, tmp_path / "back")


def test_a_lost_file_is_restored_from_its_copy_under_a_stable_name(
    staged: Staged, tmp_path: Path
) -> None:
    """A DuckDB file differs from run to run: staging again gives other bytes of the same tables."""
    folder, manifest = staged
    storage = LocalStorage(tmp_path / "published")
    upload(folder, manifest, storage)
    set_pointer(storage, manifest.release_id)
    stored = storage.root / "releases" / manifest.release_id / "observatory.duckdb"
    stored.unlink()
    repair(tmp_path / "nothing", storage, manifest)
    assert verify(storage, manifest.release_id).is_intact
    stored.unlink()
    (storage.root / "latest" / "observatory.duckdb").write_bytes(b"damaged too")
    with pytest.raises(DamagedError, match="does not have the right bytes"):
        repair(tmp_path / "nothing", storage, manifest)


class Overtaken(LocalStorage):
    """Storage in which another publisher acts just before our DuckDB file is stored."""

    def __init__(self, root: Path, act: Callable[[], object]) -> None:
        super().__init__(root)
        self.act = act

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        if key.endswith("observatory.duckdb"):
            self.act()
        return super().put_file(key, path, sha256, if_absent)


@pytest.fixture
def other(staged: Staged, tmp_path: Path) -> Staged:
    """The same release, staged by another run: its DuckDB file has other bytes."""
    folder = tmp_path / "other"
    manifest = stage(build_warehouse(tmp_path / "other.duckdb"), folder)
    assert manifest.release_id == staged[1].release_id
    ours, theirs = (f / "observatory.duckdb" for f in (staged[0], folder))
    assert ours.read_bytes() != theirs.read_bytes()
    return folder, manifest


def test_the_first_publisher_to_complete_a_release_decides_its_bytes(
    staged: Staged, other: Staged, tmp_path: Path
) -> None:
    root = tmp_path / "published"
    done = upload(*staged, Overtaken(root, lambda: upload(*other, LocalStorage(root))))
    assert (done.already_complete, done.manifest) == (True, other[1])
    assert verify(LocalStorage(root), done.manifest.release_id).is_intact


def test_the_duckdb_file_of_another_publisher_is_not_replaced(
    staged: Staged, other: Staged, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path / "published")
    key = f"releases/{staged[1].release_id}/observatory.duckdb"
    storage.put_file(key, other[0] / "observatory.duckdb")
    done = upload(*staged, storage)
    assert "observatory.duckdb" not in done.uploaded
    assert storage.get_bytes(key) == (other[0] / "observatory.duckdb").read_bytes()
    assert verify(storage, done.manifest.release_id).is_intact
    late = upload(*other, storage)  # the one that was slow
    assert late.manifest == done.manifest


@pytest.mark.parametrize("left", [b"", b"half a file", "of another release"])
def test_an_invalid_duckdb_file_is_replaced(
    staged: Staged, tmp_path: Path, left: bytes | str
) -> None:
    storage = LocalStorage(tmp_path / "published")
    key = f"releases/{staged[1].release_id}/observatory.duckdb"
    if isinstance(left, str):
        storage.put_file(key, build_warehouse(tmp_path / "bigger.duckdb", models=60))
    else:
        storage.put_bytes(key, left)
    done = upload(*staged, storage)
    assert storage.get_bytes(key) == (staged[0] / "observatory.duckdb").read_bytes()
    assert done.manifest == staged[1]
    assert verify(storage, done.manifest.release_id).is_intact


# --- the command line, on the sample -------------------------------------------------------------


def test_a_release_of_several_places_is_compared_once(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What storage returns is proved by SHA-256, so nothing is downloaded."""
    compared: list[Path] = []
    real = publish.validate_copies

    def spy(database: Path, *arguments: Any, **more: Any) -> Any:
        compared.append(database)
        return real(database, *arguments, **more)

    monkeypatch.setattr(publish, "validate_copies", spy)
    monkeypatch.setattr(LocalStorage, "download", None)
    warehouse = f"--warehouse={sample / 'observatory.duckdb'}"
    places = [f"--publish-to={tmp_path / name}" for name in "ab"]
    done = CliRunner().invoke(app, ["publish", warehouse, *places], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert len(compared) == 1
    ids = {reader_sees(LocalStorage(tmp_path / name)) for name in "ab"}
    assert len(ids) == 1


def swap_row(file: Path) -> None:
    """A Another value in one row of a Parquet file."""
    new = file.with_suffix(".new")
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * REPLACE (coalesce(downloads, 0) + (row_number() OVER () = 1)::INT "
            f"AS downloads) FROM '{file}') TO '{new}' (FORMAT parquet)"
        )
    new.replace(file)


def drop_row(file: Path) -> None:
    new = file.with_suffix(".new")
    with duckdb.connect() as con:
        con.execute(f"COPY (FROM '{file}' OFFSET 1) TO '{new}' (FORMAT parquet)")
    new.replace(file)


def change_table(file: Path) -> None:
    with duckdb.connect(str(file.parent / "observatory.duckdb")) as con:
        con.execute("UPDATE core.counts SET downloads = downloads + 1 WHERE day = '2026-08-01'")


@pytest.mark.parametrize("fault", [swap_row, drop_row, change_table])
def test_a_staged_release_whose_copies_differ_is_not_published(
    staged: Staged, tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    folder, manifest = staged
    fault(folder / "core.counts.parquet")
    with pytest.raises(ValidationError, match=f"core.counts: {SAME_ROWS} failed"):
        publish.publish_to(str(tmp_path / "published"), folder, manifest)
    assert not (tmp_path / "published" / "latest.json").exists()
    assert not LocalStorage(tmp_path / "published").keys("releases/")


class Flipping(LocalStorage):
    """Storage that changes one byte of an object when it is stored, as often as it is stored."""

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        done = super().put_file(key, path, sha256, if_absent)
        if key.endswith("core.counts.parquet"):
            stored = self.root / key
            data = bytearray(stored.read_bytes())
            data[len(data) // 2] ^= 1
            stored.write_bytes(data)
        return done


def test_a_byte_flipped_in_storage_is_an_error_and_the_pointer_stays(
    staged: Staged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Flipping(tmp_path / "published")
    monkeypatch.setattr(publish, "open_storage", lambda _: storage)
    with pytest.raises(DamagedError, match=r"core\.counts\.parquet is damaged"):
        publish.publish_to(storage.url, *staged)
    assert read_pointer(storage) is None


def test_the_duckdb_file_of_another_publisher_is_compared_too(
    staged: Staged, other: Staged, tmp_path: Path
) -> None:
    """It has the right number of rows, so it is not replaced; one of them is another."""
    storage = LocalStorage(tmp_path / "published")
    key = f"releases/{staged[1].release_id}/observatory.duckdb"
    change_table(other[0] / "core.counts.parquet")
    storage.put_file(key, other[0] / "observatory.duckdb")
    with pytest.raises(ValidationError, match=f"core.counts: {SAME_ROWS} failed"):
        publish.publish_to(storage.url, *staged)
    assert read_pointer(storage) is None


# Two countries in each other's place: other shares, and every rule still holds.
SWAPPED = """
UPDATE mart.country_share_daily SET
    country_code = CASE country_code WHEN 'CN' THEN 'US' ELSE 'CN' END,
    country_name = CASE country_code WHEN 'CN' THEN 'United States' ELSE 'China' END
WHERE country_code IN ('CN', 'US')
"""


def test_releases_are_listed_compared_moved_and_cleaned(sample: Path) -> None:
    storage = LocalStorage(sample / "published")
    first = reader_sees(storage)
    with duckdb.connect(str(sample / "observatory.duckdb")) as con:
        con.execute(SWAPPED)
    second = publish_as_of(sample, date(2026, 8, 16))
    listed = json.loads(call(sample, "releases", "list", "--json").stdout)[storage.url]
    assert [(r["release_id"], r["pointers"]) for r in listed] == [(second, "latest"), (first, None)]
    assert listed[0]["as_of"] == "2026-08-16"
    told = json.loads(call(sample, "releases", "diff", first, "latest", "--json").stdout)
    (table,) = told["tables"]
    assert table["table"] == "mart.country_share_daily"
    assert table["changed"] > 0
    assert table["added"] == table["removed"]
    largest = told["shares"][0]
    assert largest["key"]["country_code"] in ("CN", "US")
    assert largest["after"] != largest["before"]
    assert "largest changes of a share" in call(sample, "releases", "diff", first, second).stdout

    assert call(sample, "releases", "promote").exit_code == 0
    assert call(sample, "releases", "rollback", first).exit_code == 0
    assert reader_sees(storage) == first
    moves = json.loads(call(sample, "releases", "log", "--json").stdout)[storage.url]
    assert [(m["channel"], m["action"], m["to"]) for m in moves] == [
        ("latest", "publish", first),
        ("latest", "publish", second),
        ("latest", "rollback", first),
        ("stable", "promote", second),
    ]
    plan = json.loads(call(sample, "releases", "clean", "--keep=1", "--json").stdout)[storage.url]
    assert plan["expired"] == []
    assert plan["kept"][second] == "named by stable.json"
    assert "kept" in call(sample, "releases", "clean", "--yes").stdout
    assert call(sample, "releases", "pin", first, "--reason", "cited").exit_code == 0
    assert call(sample, "releases", "pin", first).exit_code == 2
    assert json.loads(call(sample, "releases", "list", "--json").stdout)[storage.url][1][
        "kept_for"
    ] == ("pinned: cited")
    assert call(sample, "releases", "pin", first, "--undo").exit_code == 0


def test_damage_in_storage_is_an_error_and_the_pointer_stays(sample: Path) -> None:
    storage = LocalStorage(sample / "published")
    first = reader_sees(storage)
    done = call(sample, "releases", "verify")
    assert done.exit_code == 0
    assert f"release {first} intact" in done.stdout
    key = f"releases/{first}/mart.arena_leaders.parquet"
    done = call(sample, "releases", "verify", "--full")
    assert done.exit_code == 0, done.output
    assert "expectations passed" in done.stdout
    path = storage.root / key
    path.write_bytes(path.read_bytes()[:-4] + b"PAR2")
    done = call(sample, "releases", "verify", first)
    assert done.exit_code == 6
    assert f"damaged: {key}" in done.stdout
    assert "observatory releases rollback" in " ".join(done.stderr.split())
    done = call(sample, "releases", "promote", first)
    assert done.exit_code == 6
    assert "the pointer was not moved" in " ".join(done.stderr.split())
    assert read_pointer(storage, "stable") is None
    for name in ("2026-01-01-000000000000", "../../etc", "stable"):
        assert call(sample, "releases", "rollback", name).exit_code == 6
    assert call(sample, "releases", "rollback", first, "--channel=nightly").exit_code == 2


@pytest.mark.slow
def test_a_public_release_has_data_docs_of_its_own_tables(sample: Path, tmp_path: Path) -> None:
    place = tmp_path / "open"
    warehouse = f"--warehouse={sample / 'observatory.duckdb'}"
    done = CliRunner().invoke(
        app, ["publish", warehouse, f"--publish-to={place}", "--audience=public", "--json"]
    )
    assert done.exit_code == 0, done.output
    storage = LocalStorage(place)
    manifest = latest_manifest(storage)
    assert manifest is not None
    pages = [e.path for e in manifest.files if e.path.startswith("validation/")]
    assert "validation/index.html" in pages
    tables = {t.name for t in manifest.tables}
    shown = {p.rsplit("/", 1)[1].removesuffix(".html") for p in pages if "/validations/" in p}
    assert shown == {*tables, "meta.release"}
    left_out = {x.table for x in manifest.left_out if x.predicate is None}
    text = storage.get_bytes("latest/validation/index.html").decode()
    assert left_out
    assert not [table for table in left_out if table in text]
    pointer = read_pointer(storage)
    assert pointer is not None
    assert pointer.moved_by is None  # public pointers do not name a machine


def test_files_of_killed_builds_are_removed(tmp_path: Path) -> None:
    warehouse = tmp_path / "observatory.duckdb"
    names = [f".observatory.duckdb.{pid}.build" for pid in (1, os.getpid())]
    dead, own = (tmp_path / name for name in names)
    endings = (".wal", ".unpublished", ".unpublished.wal", ".tmp")
    *files, spill = (dead.with_name(dead.name + ending) for ending in endings)
    others = (".observatory.duckdb.x.build", ".other.duckdb.1.build", ".observatory.duckdb.lock")
    strangers = {tmp_path / name for name in others}
    for path in (dead, own, *files, *strangers, warehouse):
        path.touch()
    spill.mkdir()
    (spill / "block").touch()
    assert set(remove_dead_builds(warehouse)) == {dead, *files, spill}
    assert set(tmp_path.iterdir()) == {own, *strangers, warehouse}
