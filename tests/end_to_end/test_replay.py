"""The archive alone gives the same release again: no network, no server, another process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from typer.testing import CliRunner

from flows.cli.app import app
from flows.settings import Settings
from flows.steps import sequence
from tests.conftest import DAY, ROOT
from warehouse.archive.archive import Archive
from warehouse.contracts.table import contract
from warehouse.database import build_files, duckdb_file, read_files
from warehouse.database.duckdb_file import WarehouseError

# Runs before the program: every socket that leaves the machine's own files is refused.
pytestmark = pytest.mark.slow  # a whole build of the recordings, twice

ELSEWHERE = "category=text/run=1/a [1]*{x}&b%20#é~'"

FENCE = """
import socket


def refuse(*_, **__):
    raise OSError("this test has no network")


for name in ("connect", "connect_ex", "bind", "sendto"):
    setattr(socket.socket, name, refuse)
for name in ("create_connection", "getaddrinfo", "gethostbyname"):
    setattr(socket, name, refuse)
"""


# --- without any network -------------------------------------------------------------------------


def network_namespace() -> list[str]:
    """The command that starts another in a network namespace without even a loopback, if any."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if shutil.which("unshare"):
            tried = subprocess.run([*command, "true"], capture_output=True, check=False)
            if tried.returncode == 0:
                return command
    return []


@pytest.fixture(scope="module")
def fenced(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Python in an environment from which no socket can be opened, by Python or by C."""
    folder = tmp_path_factory.mktemp("fence")
    (folder / "sitecustomize.py").write_text(FENCE)
    paths = f"PYTHONPATH={folder}{os.pathsep}{ROOT}"
    return [*network_namespace(), "env", paths, sys.executable]


def run(fenced: list[str], *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*fenced, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | env,
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )


def replay(fenced: list[str], *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return run(fenced, "-m", "flows.cli", "replay", "--json", *arguments, **env)


def test_the_fence_holds(fenced: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for address in (f"('127.0.0.1', {port})", "('192.0.2.1', 80)"):
            code = f"import socket; socket.socket().connect({address})"
            done = run(fenced, "-c", code)
            assert done.returncode == 1
            assert "this test has no network" in done.stderr


@dataclass(frozen=True)
class Pair:
    """Two releases of the same archive, day and code: as observed, and replayed elsewhere.

    Elsewhere is also another time zone, locale, umask and encoding of the terminal, in folders
    whose names are patterns, keys or addresses to some library.
    """

    observed: Path
    archive: Path
    replayed: Path
    told: dict[str, Any]

    def manifests(self) -> list[dict[str, Any]]:
        return [
            json.loads((p / "manifest.json").read_bytes()) for p in (self.observed, self.replayed)
        ]


@pytest.fixture(scope="module")
def pair(built: Settings, fenced: list[str], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    observed = tmp_path_factory.mktemp("observed")
    sequence.stage(built, observed, with_history=True)
    shutil.rmtree(observed / "hub_history")  # in storage it lies beside the releases
    folder = tmp_path_factory.mktemp("replayed") / ELSEWHERE
    shutil.copytree(built.archive, folder / "archive")
    (folder / "tmp").mkdir()
    places = [f"--archive={folder / 'archive'}", f"--warehouse={folder / 'observatory.duckdb'}"]
    places += [f"--publish-to={folder / 'published'}", f"--as-of={DAY}"]
    elsewhere = {"TZ": "Etc/GMT+12", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = replay(fenced, *places, TMPDIR=str(folder / "tmp"), HOME=str(folder), **elsewhere)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    release = folder / "published" / "releases" / told["published"][0]["release_id"]
    return Pair(observed, folder / "archive", release, told)


def test_a_replay_gives_the_same_tables(pair: Pair) -> None:
    ours, theirs = ({t["name"]: t["sha256"] for t in m["tables"]} for m in pair.manifests())
    assert len(ours) > 20
    assert ours == theirs


def test_a_replay_gives_the_same_release(pair: Pair) -> None:
    ours, theirs = pair.manifests()
    assert ours["release_id"] == theirs["release_id"] == pair.told["published"][0]["release_id"]
    for manifest in (ours, theirs):  # DuckDB puts a random number into each file's header
        manifest["files"] = [f for f in manifest["files"] if not f["path"].endswith(".duckdb")]
    assert ours == theirs


def test_the_published_files_are_the_same_byte_for_byte(pair: Pair) -> None:
    ours, theirs = (
        {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (pair.observed, pair.replayed)
    )
    assert ours.keys() == theirs.keys()
    differ = {name for name in ours if ours[name] != theirs[name]}
    # The bytes of DuckDB files differ between runs, and the manifest names their digests.
    assert differ <= {"observatory.duckdb", "catalog.duckdb", "manifest.json"}


def test_a_replay_leaves_the_archive_as_it_was(pair: Pair) -> None:
    archive = Archive(pair.archive)
    assert {s.snapshot_date for s in archive.snapshots()} == {DAY}
    assert archive.unfinished() == []


# --- the figures, read off the replayed Parquet ---------------------------------------------------


def parquet(pair: Pair, table: str) -> duckdb.DuckDBPyRelation:
    return duckdb.sql(f"FROM {read_files.parquet(pair.replayed / f'{table}.parquet')}")


def test_the_text_board_of_october_2025(pair: Pair) -> None:
    told = (
        parquet(pair, "mart.arena_leaders")
        .filter(
            "board = 'text' AND category = 'overall' AND publish_date = DATE '2025-10-16' "
            "AND country_code = 'CN'"
        )
        .select("best_model, best_rank_ordinal, n_top20")
    )
    assert told.fetchall() == [("qwen3-max-preview", 2, 11)]


def test_notable_models_of_2024_in_the_edition_of_2025(
    pair: Pair,
) -> None:
    told = (
        parquet(pair, "mart.notable_models_by_country")
        .filter("source = 'ai_index_2025' AND year = 2024 AND country_code IN ('US', 'CN')")
        .select("country_code, n_models")
    )
    assert dict(told.fetchall()) == {"US": 40, "CN": 15}


@pytest.mark.parametrize("population", ["all", "llm_vlm"])
def test_shares_are_parts_of_the_downloads_that_were_recorded(
    pair: Pair, recordings: Path, population: str
) -> None:
    packed = (recordings / f"hub/{DAY}/models.ndjson.zst").read_bytes()
    models = map(json.loads, zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines())
    tags = {"text-generation", "image-text-to-text", "any-to-any"}
    chosen = [m for m in models if population == "all" or m.get("pipeline_tag") in tags]
    downloads = sum(m["downloads"] for m in chosen)
    shares = parquet(pair, "mart.country_share_daily").filter(
        f"as_of_date = DATE '{DAY}' AND population = '{population}' "
        "AND metric = 'downloads_30d' AND credit = 'fractional'"
    )
    sums = shares.aggregate("attribution, sum(share), sum(numerator), max(denominator)").fetchall()
    found = {attribution: rest for attribution, *rest in sums}
    assert found.pop("publisher") == pytest.approx([1, downloads, downloads])
    # the listing of that day names no parents, and what was not recorded is no share by base
    assert found == {"base": [None, None, pytest.approx(downloads)]}
    missing = shares.filter("attribution = 'base'").aggregate("any_value(share_missing)").fetchall()
    assert missing == [("lineage_not_recorded",)]


# --- the clock -----------------------------------------------------------------------------------


def held(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    ("day", "advice"),
    [("2026-08-14", "use --as-of 2026-08-15 or later"), ("1999-01-01", "2026-08-15")],
)
def test_a_date_before_the_first_snapshot_is_an_error(
    built: Settings, tmp_path: Path, day: str, advice: str
) -> None:
    done = CliRunner().invoke(
        app,
        [
            "replay",
            f"--archive={built.archive}",
            f"--warehouse={tmp_path / 'w.duckdb'}",
            f"--publish-to={tmp_path / 'published'}",
            f"--as-of={day}",
        ],
    )
    assert done.exit_code == 5
    assert f"has no snapshot up to {day}" in done.stderr
    assert advice in done.stderr
    assert held(tmp_path) == []


def test_replay_contacts_no_source_and_needs_no_settings_of_sources(
    fenced: list[str], tmp_path: Path
) -> None:
    done = replay(fenced, f"--archive={tmp_path / 'none'}", f"--as-of={DAY}")
    assert done.returncode == 5
    assert "fetch some with `observatory run`" in done.stderr
    assert held(tmp_path) == []


# --- readers while the file is replaced ----------------------------------------------------------


def small_warehouse(path: Path, day: date) -> Path:
    """A checkpointed warehouse file that says which day it is of."""
    con = duckdb_file.create(path)
    con.execute("INSERT INTO meta.build VALUES (?, ?, '0', '0', false)", [day, day])
    con.close()
    return path


def days_seen(con: duckdb.DuckDBPyConnection) -> list[tuple[date]]:
    return con.execute("SELECT as_of FROM meta.build").fetchall()


def test_a_reader_keeps_the_old_data_while_the_new_file_is_swapped_in(tmp_path: Path) -> None:
    old, new = date(2026, 8, 14), date(2026, 8, 15)
    warehouse = small_warehouse(tmp_path / "observatory.duckdb", old)
    with duckdb.connect(str(warehouse), read_only=True) as reader:
        assert days_seen(reader) == [(old,)]
        build = small_warehouse(build_files.build_path(warehouse), new)
        assert days_seen(reader) == [(old,)]
        build_files.swap_in(build, warehouse)
        assert days_seen(reader) == [(old,)]
        assert reader.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [
            (sum(one.published for one in duckdb_file.contracts().values()),)
        ]
    assert not build.exists()
    with duckdb_file.open_read_only(warehouse) as reader:
        assert days_seen(reader) == [(new,)]


LOOK = """
import sys, duckdb, pathlib
seen, n = set(), 0
while not pathlib.Path(sys.argv[2]).exists():
    with duckdb.connect(sys.argv[1], read_only=True) as con:
        seen |= set(con.execute("SELECT as_of::VARCHAR FROM meta.build").fetchall())
    n += 1
    if n == 1:
        print("reading", flush=True)
print(n, sorted(day for (day,) in seen))
"""


def test_whoever_opens_the_file_finds_a_whole_one(tmp_path: Path) -> None:
    """Another process opens it again and again while it is replaced thirty times."""
    warehouse = small_warehouse(tmp_path / "observatory.duckdb", date(2026, 8, 1))
    other = small_warehouse(tmp_path / "other.duckdb", date(2026, 8, 2))
    first = small_warehouse(tmp_path / "first.duckdb", date(2026, 8, 1))
    stop = tmp_path / "stop"
    with subprocess.Popen(
        [sys.executable, "-c", LOOK, str(warehouse), str(stop)], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for turn in range(30):
            build = build_files.build_path(warehouse)
            for given, copy in zip(
                duckdb_file.files_of(first if turn % 2 else other)[:2],
                duckdb_file.files_of(build),
                strict=False,
            ):
                shutil.copy(given, copy)
            build_files.swap_in(build, warehouse)
            threading.Event().wait(0.03)
        stop.touch()
        told, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    number, days = told.split(" ", 1)
    assert int(number) > 5
    assert days.strip() == "['2026-08-01', '2026-08-02']"


def test_a_build_that_was_not_checkpointed_is_not_swapped_in(tmp_path: Path) -> None:
    warehouse = small_warehouse(tmp_path / "observatory.duckdb", date(2026, 8, 1))
    before = warehouse.read_bytes()
    build = small_warehouse(build_files.build_path(warehouse), date(2026, 8, 2))
    build.with_name(build.name + ".wal").write_bytes(b"what is not in the file yet")
    with pytest.raises(WarehouseError, match="not checkpointed"):
        build_files.swap_in(build, warehouse)
    assert warehouse.read_bytes() == before


def test_a_build_starts_with_an_empty_file(tmp_path: Path) -> None:
    """What a build that died left behind is not built upon."""
    build = build_files.build_path(tmp_path / "observatory.duckdb")
    small_warehouse(build, date(2026, 8, 1))
    build.with_name(build.name + ".wal").write_bytes(b"left behind")
    con = duckdb_file.create(build)
    assert con.execute(f"SELECT count(*) FROM {contract('meta.build').sql_name}").fetchall() == [
        (0,)
    ]
    con.close()


@pytest.fixture
def no_file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "none.duckdb"
    assert not (tmp_path / "none.duckdb").exists()


def test_reading_creates_nothing(no_file: Path) -> None:
    with pytest.raises(WarehouseError, match="builds one"), duckdb_file.open_read_only(no_file):
        pass
