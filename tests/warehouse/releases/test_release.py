"""A release: reproducible, complete or absent, and without content that a license forbids."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.releases import AS_OF, CODE, build_warehouse, small_cards, small_tables
from tests.support.s3_places import add_copy_of_earlier_release
from warehouse.contracts.source import CardError, cards, read_card
from warehouse.contracts.table import Contract, contracts
from warehouse.publishing.channels import latest_manifest, set_pointer
from warehouse.publishing.pointer import read_pointer
from warehouse.publishing.release_objects import DamagedError, read_manifest
from warehouse.publishing.upload import UploadReport, read_back, upload
from warehouse.releases.manifest import Manifest, ReleaseError, compare_with_previous
from warehouse.releases.parquet import write_table
from warehouse.releases.stage import stage_release
from warehouse.storage.local import LocalStorage
from warehouse.storage.protocol import StorageError

PARQUET_V1 = {"PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY"}


def stage(database: Path, folder: Path, audience: str = "internal", **changes: Any) -> Manifest:
    settings: dict[str, Any] = {
        "as_of": AS_OF,
        "code": CODE,
        "sample": False,
        "tables": small_tables(),
        "source_cards": small_cards(),
    }
    return stage_release(database, folder, audience=audience, **(settings | changes))  # type: ignore[arg-type]


def publish(manifest: Manifest, folder: Path, storage: LocalStorage) -> UploadReport:
    report = upload(folder, manifest, storage)
    set_pointer(storage, report.manifest.release_id)
    return report


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return build_warehouse(tmp_path / "wh.duckdb")


@pytest.fixture
def staged(database: Path, tmp_path: Path) -> tuple[Path, Manifest]:
    folder = tmp_path / "staged"
    return folder, stage(database, folder)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "published")


def digests(manifest: Manifest) -> dict[str, str]:
    return {t.name: t.sha256 for t in manifest.tables}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


# --- the same rows give the same bytes -------------------------------------------------------


def test_parquet_does_not_depend_on_threads_or_row_order(tmp_path: Path) -> None:
    contract = small_tables()["core.counts"]
    found = set()
    for threads in (1, 2, 4):
        for backwards in (False, True):
            database = tmp_path / f"{threads}{backwards}.duckdb"
            # Over two row groups, and the key on its own does not settle the order of every row.
            build_warehouse(database, models=300_000, backwards=backwards)
            with duckdb.connect(str(database)) as con:
                con.execute(
                    "INSERT INTO core.counts FROM core.counts SELECT * REPLACE (0 AS downloads)"
                    " WHERE model = 'lab/m7'"
                )
                con.execute(f"SET threads = {threads}")
                path = tmp_path / "out.parquet"
                assert write_table(con, contract, path) == 300_009
            found.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(found) == 1


def test_parquet_is_readable_by_bi_tools(staged: tuple[Path, Manifest]) -> None:
    folder, manifest = staged
    for table in manifest.tables:
        with duckdb.connect() as con:
            query = "FROM parquet_metadata(?) SELECT DISTINCT encodings, compression"
            rows = con.execute(query, [str(folder / table.path)]).fetchall()
        used = {e.strip() for encodings, _ in rows for e in encodings.split(",")}
        assert used <= PARQUET_V1
        assert {c for _, c in rows} == {"ZSTD"}


def test_rows_are_sorted_by_key_and_columns_as_in_the_contract(
    staged: tuple[Path, Manifest],
) -> None:
    folder, _ = staged
    with duckdb.connect() as con:
        result = con.execute(f"FROM read_parquet('{folder}/core.counts.parquet')")
        names = [d[0] for d in result.description]
        keys = [row[:2] for row in result.fetchall()]
    assert names == list(small_tables()["core.counts"].columns)
    assert keys == sorted(keys)


def test_the_release_id_follows_from_the_content(database: Path, tmp_path: Path) -> None:
    first = stage(database, tmp_path / "1")
    again = stage(build_warehouse(tmp_path / "b.duckdb", backwards=True), tmp_path / "2")
    assert (again.release_id, digests(again)) == (first.release_id, digests(first))
    others = [
        stage(database, tmp_path / "3", audience="public"),
        stage(database, tmp_path / "4", as_of=date(2026, 8, 16)),
        stage(database, tmp_path / "5", code=CODE | {"digest": "other"}),
        stage(build_warehouse(tmp_path / "c.duckdb", models=51), tmp_path / "6"),
    ]
    assert len({first.release_id, *(o.release_id for o in others)}) == 5


def test_the_manifest_is_stable_and_matches_the_files(
    staged: tuple[Path, Manifest], database: Path, tmp_path: Path
) -> None:
    folder, manifest = staged
    data = (folder / "manifest.json").read_bytes()
    assert data == manifest.to_json()
    assert Manifest.model_validate_json(data) == manifest
    for entry in manifest.objects:
        stored = (folder / entry.path).read_bytes()
        assert (len(stored), hashlib.sha256(stored).hexdigest()) == (entry.bytes, entry.sha256)
    again = stage(database, tmp_path / "again")
    ours, theirs = json.loads(data), json.loads(again.to_json())
    del ours["files"], theirs["files"]  # DuckDB writes a random number into its file
    assert ours == theirs


def test_the_manifest_has_what_a_reader_needs(staged: tuple[Path, Manifest]) -> None:
    _, manifest = staged
    counts = next(t for t in manifest.tables if t.name == "core.counts")
    assert (counts.rows, counts.key, counts.warnings) == (50, ("day", "model"), ("ci_suspect",))
    assert [(c.name, c.type, c.unit, c.nullable) for c in counts.columns][3] == (
        "downloads", "BIGINT", "downloads", True,
    )  # fmt: skip
    assert [x.source for x in counts.licenses] == ["open"]
    source = next(s for s in manifest.sources if s.source == "open")
    assert (source.files, source.bytes, source.citation) == (2, 1000, "open, example.org")
    assert source.snapshots[0].retrieved_at == datetime(2026, 8, 15, 1, 2, 3, tzinfo=UTC)
    assert not any(t.name.startswith(("meta.", "raw.refused")) for t in manifest.tables)


# --- the DuckDB file ------------------------------------------------------------------------


def test_the_duckdb_file_has_the_same_rows(staged: tuple[Path, Manifest]) -> None:
    folder, manifest = staged
    assert not list(folder.glob("*.wal"))
    with duckdb.connect(str(folder / "observatory.duckdb"), read_only=True) as con:
        for table in manifest.tables:
            parquet = f"read_parquet('{folder / table.path}')"
            for one, other in ((table.name, parquet), (parquet, table.name)):
                query = f"(FROM {one}) EXCEPT ALL (FROM {other})"
                assert con.execute(query).fetchall() == []
        assert con.execute("FROM meta.release").fetchall() == [
            (manifest.release_id, AS_OF, "internal", False, CODE["version"], CODE["digest"])
        ]
        assert con.execute("FROM meta.snapshots SELECT count(*)").fetchall() == [(2,)]
        details = con.execute("FROM meta.validation_results SELECT details").fetchall()
        assert ('{"n": 1729}',) in details
        (tags,) = con.execute(
            "FROM duckdb_databases() SELECT tags WHERE database_name = 'observatory'"
        ).fetchall()[0]
        assert tags["storage_version"].startswith("v1.4.0")


def test_the_duckdb_file_matches_the_contracts(staged: tuple[Path, Manifest]) -> None:
    folder, _ = staged
    wanted = {n: c for n, c in small_tables().items() if c.published}
    with duckdb.connect(str(folder / "observatory.duckdb"), read_only=True) as con:
        found = con.execute(
            "FROM duckdb_columns() SELECT schema_name || '.' || table_name, column_name, data_type,"
            " is_nullable, comment WHERE NOT internal"
        ).fetchall()
        comments = dict(
            con.execute("FROM duckdb_tables() SELECT schema_name || '.' || table_name, comment")
            .fetchall()
        )  # fmt: skip
    assert {t for t, *_ in found} == set(wanted)
    for table, column, kind, nullable, comment in found:
        contract = wanted[table].columns[column]
        assert (kind, nullable) == (contract.type, contract.nullable)
        assert contract.description in comment
    assert "Warnings: ci_suspect." in comments["core.counts"]


# --- what a release refuses -----------------------------------------------------------------


def test_a_forbidden_null_fails_staging(tmp_path: Path) -> None:
    loose = small_tables()
    nullable = {
        "model": loose["core.counts"].columns["model"].model_copy(update={"nullable": True})
    }
    columns = loose["core.counts"].columns | nullable
    loose["core.counts"] = loose["core.counts"].model_copy(update={"columns": columns})
    database = build_warehouse(tmp_path / "wh.duckdb", tables=loose)
    with duckdb.connect(str(database)) as con:
        con.execute("UPDATE core.counts SET model = NULL WHERE model = 'lab/m1'")
    with pytest.raises(ReleaseError, match="NOT NULL"):
        stage(database, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_wrong_column_type_fails_staging(database: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(database)) as con:
        con.execute("ALTER TABLE core.counts ALTER downloads TYPE HUGEINT")
    with pytest.raises(ReleaseError, match=r"core\.counts does not match its contract: downloads"):
        stage(database, tmp_path / "out")


def test_a_missing_table_fails_staging(database: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(database)) as con:
        con.execute("DROP TABLE mart.by_country")
    with pytest.raises(ReleaseError, match=r"no table mart\.by_country"):
        stage(database, tmp_path / "out")


def test_staging_needs_an_empty_folder(staged: tuple[Path, Manifest], database: Path) -> None:
    with pytest.raises(ReleaseError, match="not empty"):
        stage(database, staged[0], audience="public")


def test_documents_are_part_of_the_release(
    database: Path, tmp_path: Path, storage: LocalStorage
) -> None:
    (tmp_path / "page.html").write_text("<p>hello")
    documents = {"docs/index.html": tmp_path / "page.html"}
    manifest = stage(database, tmp_path / "out", documents=documents)
    publish(manifest, tmp_path / "out", storage)
    assert storage.get_bytes("latest/docs/index.html") == b"<p>hello"
    with pytest.raises(ReleaseError, match="rename it"):
        stage(database, tmp_path / "b", documents={"manifest.json": tmp_path / "page.html"})


# --- licenses -------------------------------------------------------------------------------


def test_a_public_release_leaves_out_what_licenses_forbid(database: Path, tmp_path: Path) -> None:
    manifest = stage(database, tmp_path / "out", audience="public")
    assert set(digests(manifest)) == {"core.counts", "mart.by_country"}
    assert [(x.table, x.source, x.rows, x.predicate) for x in manifest.left_out] == [
        ("raw.figures", "strict", 2, None),
        ("mart.by_country", "strict", 3, "source LIKE 'strict%'"),  # the row without source too
    ]
    assert [s.source for s in manifest.sources] == ["open"]
    with duckdb.connect(str(tmp_path / "out" / "observatory.duckdb"), read_only=True) as con:
        assert con.execute("FROM mart.by_country").fetchall() == [("open", "US", 3)]
        assert con.execute("FROM meta.snapshots SELECT source").fetchall() == [("open",)]
        assert con.execute("FROM meta.lineage").fetchall() == [("mart.by_country", "core.counts")]
        results = con.execute(
            "FROM meta.validation_results SELECT table_name, expectation, details ORDER BY ALL"
        ).fetchall()
        names = con.execute("FROM duckdb_tables() SELECT table_name").fetchall()
    # A rule about an open table may quote a figure of a strict one: no result says what it saw.
    assert results == [("core.counts", "not_null", None), ("core.counts", "rule", None)]
    assert manifest.validation == {"core": {"failed": 1, "passed": 1}}
    assert ("figures",) not in names


def test_no_byte_of_a_public_release_has_a_forbidden_value(tmp_path: Path) -> None:
    database = build_warehouse(tmp_path / "wh.duckdb")
    with duckdb.connect(str(database)) as con:
        con.execute("INSERT INTO raw.figures VALUES ('9.9', 'forbidden-value', 1)")
        con.execute("INSERT INTO mart.by_country VALUES ('strict_x', 'forbidden-value', 1)")
    public, internal = tmp_path / "public", tmp_path / "internal"
    stage(database, public, audience="public")
    stage(database, internal)
    assert _holding(internal, b"forbidden-value")  # else this test could not fail
    assert _holding(public, b"forbidden-value") == []


def _holding(folder: Path, text: bytes) -> list[str]:
    return [p.name for p in folder.iterdir() if p.is_file() and text in p.read_bytes()]


def test_an_internal_release_has_everything_and_names_the_licenses(
    staged: tuple[Path, Manifest],
) -> None:
    _, manifest = staged
    terms = {t.name: [x.raw for x in t.licenses] for t in manifest.tables}
    assert terms == {
        "raw.figures": ["license of strict"],
        "core.counts": ["license of open"],
        "mart.by_country": ["license of open", "license of strict"],
    }
    assert manifest.left_out == ()
    assert manifest.validation == {
        "core": {"failed": 1, "passed": 1},
        "mart": {"failed": 1},
        "raw": {"not_run": 1},
    }


def change(tables: dict[str, Contract], name: str, **fields: Any) -> dict[str, Contract]:
    return tables | {name: tables[name].model_copy(update=fields)}


def test_a_contract_that_omits_a_source_fails_a_public_release(
    database: Path, tmp_path: Path
) -> None:
    forgetful = change(small_tables(), "mart.by_country", license_inputs=("open",), license_rows={})
    with pytest.raises(ReleaseError, match=r"mart\.by_country reads raw\.figures"):
        stage(database, tmp_path / "a", audience="public", tables=forgetful)
    silent = change(small_tables(), "core.counts", license_inputs=())
    with pytest.raises(ReleaseError, match=r"core\.counts names no license_inputs"):
        stage(database, tmp_path / "b", audience="public", tables=silent)


def test_a_source_without_a_card_fails(database: Path, tmp_path: Path) -> None:
    unknown = change(small_tables(), "core.counts", license_inputs=("nobody",))
    with pytest.raises(ReleaseError, match="'nobody' has no source card"):
        stage(database, tmp_path / "a", tables=unknown)


def test_every_contract_names_sources_that_have_cards() -> None:
    named = {s for c in contracts().values() for s in (*c.license_inputs, *c.license_rows)}
    assert named <= set(cards())


def test_sources_under_strict_terms() -> None:
    strict = {c.id for c in cards().values() if not c.may_share_derived}
    assert strict == {"ai_index", "arena_catalog", "hub_evolution"}
    assert cards()["arena_catalog"].license.redistribution == "none"
    assert cards()["ai_index"].license.raw == "CC BY-ND 4.0"


def test_an_invalid_card_fails(tmp_path: Path) -> None:
    (tmp_path / "epoch.yml").write_text("id: epoch\nlicense: CC BY\n")
    with pytest.raises(CardError, match=r"epoch\.yml"):
        read_card(tmp_path / "epoch.yml")


# --- storage --------------------------------------------------------------------------------


def test_a_second_upload_reuses_the_release(
    staged: tuple[Path, Manifest], storage: LocalStorage, database: Path, tmp_path: Path
) -> None:
    folder, manifest = staged
    first = publish(manifest, folder, storage)
    assert not first.already_complete
    assert set(first.uploaded) == {"manifest.json", *(e.path for e in manifest.objects)}
    before = contents(storage.root / "releases")
    again = stage(database, tmp_path / "again")
    second = publish(again, tmp_path / "again", storage)
    assert second.already_complete
    assert (second.uploaded, second.uploaded_bytes) == ((), 0)
    assert second.manifest == manifest  # its DuckDB file is the one in storage, not the new one
    assert contents(storage.root / "releases") == before


def test_an_interrupted_upload_is_completed(
    staged: tuple[Path, Manifest], storage: LocalStorage
) -> None:
    folder, manifest = staged
    release = f"releases/{manifest.release_id}"
    storage.put_file(f"{release}/core.counts.parquet", folder / "core.counts.parquet")
    storage.put_bytes(f"{release}/raw.figures.parquet", b"bytes of a disk that was full")
    report = upload(folder, manifest, storage)
    assert "core.counts.parquet" in report.reused
    assert "raw.figures.parquet" in report.uploaded
    assert set(read_back(storage, manifest.release_id, folder.parent / "back")) == set(
        digests(manifest)
    )


def test_a_staged_file_that_changed_is_not_uploaded(
    staged: tuple[Path, Manifest], storage: LocalStorage
) -> None:
    folder, manifest = staged
    (folder / "core.counts.parquet").write_bytes(b"something else")
    with pytest.raises(ReleaseError, match=r"core\.counts\.parquet does not match"):
        upload(folder, manifest, storage)
    assert storage.size(f"releases/{manifest.release_id}/manifest.json") is None


@pytest.mark.parametrize("position", [0, 100, -1])
def test_the_error_names_a_damaged_object(
    staged: tuple[Path, Manifest], storage: LocalStorage, tmp_path: Path, position: int
) -> None:
    folder, manifest = staged
    upload(folder, manifest, storage)
    path = storage.root / "releases" / manifest.release_id / "core.counts.parquet"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(ReleaseError, match=r"releases/.*/core\.counts\.parquet is damaged"):
        read_back(storage, manifest.release_id, tmp_path / "back")
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "core.counts.parquet").write_bytes(b"of another run")
    with pytest.raises(DamagedError, match=r"core\.counts\.parquet is missing or does not"):
        upload(other, manifest, storage)
    assert upload(folder, manifest, storage).uploaded == ("core.counts.parquet",)  # mended
    read_back(storage, manifest.release_id, tmp_path / "back")


def test_the_error_names_a_lost_object(
    staged: tuple[Path, Manifest], storage: LocalStorage, tmp_path: Path
) -> None:
    folder, manifest = staged
    upload(folder, manifest, storage)
    storage.delete(f"releases/{manifest.release_id}/core.counts.parquet")
    with pytest.raises(ReleaseError, match=r"core\.counts\.parquet is missing, although"):
        read_back(storage, manifest.release_id, tmp_path / "back")


def test_paths_in_a_manifest_cannot_escape_the_folder(
    staged: tuple[Path, Manifest], storage: LocalStorage, tmp_path: Path
) -> None:
    _, manifest = staged
    bad = manifest.tables[0].model_copy(update={"path": "../../escaped"})
    hostile = manifest.model_copy(update={"tables": (bad,)})
    storage.put_bytes(f"releases/{manifest.release_id}/manifest.json", hostile.to_json())
    with pytest.raises(StorageError, match="invalid storage key"):
        read_back(storage, manifest.release_id, tmp_path / "a" / "b" / "c")
    assert not list(tmp_path.rglob("escaped"))


# --- latest ---------------------------------------------------------------------------------


def test_latest_has_stable_names_and_the_pointer_names_the_manifest(
    staged: tuple[Path, Manifest], storage: LocalStorage
) -> None:
    folder, manifest = staged
    assert read_pointer(storage) is None
    assert latest_manifest(storage) is None
    add_copy_of_earlier_release(storage, manifest, "mart.gone.parquet")
    publish(manifest, folder, storage)
    pointer = read_pointer(storage)
    assert pointer is not None
    assert storage.keys("latest/") == sorted(
        ["latest/manifest.json", *(f"latest/{e.path}" for e in manifest.objects)]
    )
    data = storage.get_bytes(pointer.manifest)
    assert hashlib.sha256(data).hexdigest() == pointer.manifest_sha256
    assert latest_manifest(storage) == read_manifest(storage, pointer.release_id) == manifest
    assert (pointer.as_of, pointer.audience, pointer.is_sample) == (AS_OF, "internal", False)


def test_the_same_pointer_is_not_written_again_but_copies_are_repaired(
    staged: tuple[Path, Manifest], storage: LocalStorage
) -> None:
    folder, manifest = staged
    publish(manifest, folder, storage)
    before = storage.get_bytes("latest.json")
    storage.put_bytes("latest/core.counts.parquet", b"of another release, by a run that died")
    set_pointer(storage, manifest.release_id, at=datetime(2030, 1, 1, tzinfo=UTC))
    assert storage.get_bytes("latest.json") == before
    assert (
        storage.get_bytes("latest/core.counts.parquet")
        == (folder / "core.counts.parquet").read_bytes()
    )


def test_the_pointer_cannot_name_an_incomplete_release(
    staged: tuple[Path, Manifest], storage: LocalStorage
) -> None:
    with pytest.raises(ReleaseError, match="is missing or incomplete"):
        set_pointer(storage, staged[1].release_id)
    assert read_pointer(storage) is None
    assert not storage.keys("latest/")


class DyingStorage(LocalStorage):
    """A folder whose process crashes before its n-th change."""

    def __init__(self, root: Path, changes: int) -> None:
        super().__init__(root)
        self.left = changes
        self.lock = threading.Lock()

    def _put(self, *args: Any, **kwargs: Any) -> bool:
        self._live()
        return super()._put(*args, **kwargs)

    def delete(self, key: str) -> None:
        self._live()
        super().delete(key)

    def _live(self) -> None:
        with self.lock:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1


def test_after_any_crash_the_pointer_names_a_complete_release(tmp_path: Path) -> None:
    old = stage(build_warehouse(tmp_path / "old.duckdb"), tmp_path / "old")
    new_database = build_warehouse(tmp_path / "new.duckdb", models=60)
    new = stage(new_database, tmp_path / "new", audience="public")  # leaves stale tables behind
    led_to = []
    while True:
        storage = DyingStorage(tmp_path / f"published{len(led_to)}", changes=-1)
        publish(old, tmp_path / "old", storage)
        storage.left = len(led_to)
        try:
            publish(new, tmp_path / "new", storage)
        except KeyboardInterrupt:
            seen = latest_manifest(storage)
            assert seen in (old, new)
            assert set(read_back(storage, seen.release_id, tmp_path / "back")) == set(digests(seen))
            led_to.append(seen == new)
            storage.left = -1
            publish(new, tmp_path / "new", storage)  # the next run mends it
            _assert_latest_is(storage, new)
        else:
            break
    _assert_latest_is(storage, new)
    moved = led_to.index(True)
    assert all(led_to[moved:])  # there is one commit, and no way back behind it
    # Before it two leases, the objects, the manifest and the journal; then copies, a stale table.
    assert moved == 2 + len(new.objects) + 1 + 1 + 1
    assert len(led_to) - moved == len(new.objects) + 1 + 1 - _same_objects(old, new)


def _same_objects(old: Manifest, new: Manifest) -> int:
    return len(
        {(e.path, e.sha256) for e in old.objects} & {(e.path, e.sha256) for e in new.objects}
    )


def _assert_latest_is(storage: LocalStorage, manifest: Manifest) -> None:
    assert latest_manifest(storage) == manifest
    for entry in manifest.objects:
        data = storage.get_bytes(f"latest/{entry.path}")
        assert hashlib.sha256(data).hexdigest() == entry.sha256
    assert len(storage.keys("latest/")) == len(manifest.objects) + 1


# --- against the release before -------------------------------------------------------------


def test_a_table_that_shrank_too_much_is_named(tmp_path: Path) -> None:
    tables = small_tables()
    old = stage(build_warehouse(tmp_path / "a.duckdb", models=100), tmp_path / "a")
    less = stage(build_warehouse(tmp_path / "b.duckdb", models=89), tmp_path / "b")
    bit_less = stage(build_warehouse(tmp_path / "c.duckdb", models=90), tmp_path / "c")
    (shrunk,) = compare_with_previous(less, old, tables)
    assert (shrunk.table, shrunk.rows, shrunk.previous_rows) == ("core.counts", 89, 100)
    assert "11.0 % fewer" in str(shrunk)
    assert compare_with_previous(bit_less, old, tables) == []
    assert compare_with_previous(old, less, tables) == []


@pytest.mark.parametrize(
    ("changed_side", "change_of"),
    [
        ("new", {"is_sample": True}),
        ("old", {"is_sample": True}),
        ("old", {"audience": "public"}),
        ("new", {"as_of": date(2026, 8, 14)}),
    ],
)
def test_incomparable_releases_are_not_compared(
    tmp_path: Path, changed_side: str, change_of: dict[str, Any]
) -> None:
    sides = {
        "old": stage(build_warehouse(tmp_path / "a.duckdb", models=100), tmp_path / "a"),
        "new": stage(build_warehouse(tmp_path / "b.duckdb", models=10), tmp_path / "b"),
    }
    assert compare_with_previous(sides["new"], sides["old"], small_tables())
    sides[changed_side] = sides[changed_side].model_copy(update=change_of)
    assert compare_with_previous(sides["new"], sides["old"], small_tables()) == []
    assert compare_with_previous(sides["new"], None, small_tables()) == []
