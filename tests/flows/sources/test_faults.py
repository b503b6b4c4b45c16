"""A fault in a source stops the run with a clear error, and nothing published changes."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from expectations.report import ValidationError
from flows.cli.app import app
from flows.cli.exit_codes import exit_code
from flows.sources.epoch import read_table
from flows.sources.formats.csv_file import DamagedCsvError
from flows.sources.http import SourceError
from flows.steps import sequence
from flows.steps.build import chosen_snapshots, load_raw
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import Answer, Call, StandIn
from tests.support.recorded_sample import DAY, write_recordings
from tests.support.source_faults import HTML, Fault, Faulty, damaged, half
from warehouse.archive.archive import Archive
from warehouse.contracts.source import cards
from warehouse.contracts.table import contract
from warehouse.storage.files import file_sha256

TODAY, TOMORROW, DAY_AFTER = date.fromisoformat(DAY), date(2026, 8, 16), date(2026, 8, 17)
PROPERTY = settings(max_examples=300, deadline=None, derandomize=True)


# --- a small world -------------------------------------------------------------------------------


def write_world(folder: Path) -> Path:
    """Five sources, small: the bundled sample, a strip of one model, one figure."""
    write_recordings(folder)
    strip = {"recentlyTrending": [{"repoType": "model", "repoData": {"id": "a/b", "likes": 1}}]}
    trending = folder / "hub" / "trending" / f"{DAY}T0000.json"
    trending.parent.mkdir(parents=True)
    trending.write_text(json.dumps(strip))
    figure = cards()["ai_index"].map["figures"][0]
    rows = io.StringIO()
    csv.writer(rows).writerows([figure["header"], [40, "United States"], [15, "China"]])
    data = folder / "ai_index" / str(figure["edition"]) / "1. Research" / "Data"
    data.mkdir(parents=True)
    (data / f"fig_{figure['figure']}.csv").write_text(rows.getvalue())
    return folder


def observatory(
    monkeypatch: pytest.MonkeyPatch, server: StandIn, folder: Path, *options: str
) -> Any:
    """`observatory run`, its real command function, in this process."""
    for name, value in server.exports.items():
        monkeypatch.setenv(name, value)
    places = [
        f"--archive={folder / 'archive'}",
        f"--warehouse={folder / 'observatory.duckdb'}",
        f"--publish-to={folder / 'published'}",
    ]
    return CliRunner().invoke(app, ["run", *places, *options])


def held(folder: Path) -> dict[str, str]:
    """Digest of every file that a run may not change: releases, warehouse, docs, archive."""
    return {
        str(p.relative_to(folder)): file_sha256(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    """A Prefect server for the runs of this file."""
    from prefect.testing.utilities import prefect_test_harness

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DO_NOT_TRACK", "1")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture
def running(sampled: tuple[Path, str], tmp_path: Path) -> Path:
    """Archive, warehouse and release of the day before, for a test to spoil."""
    return shutil.copytree(sampled[0], tmp_path / "running")


# --- faults of one source ------------------------------------------------------------------------


def rename_column(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table = pq.read_table(io.BytesIO(data))
        columns = [new if c == old else c for c in table.column_names]
        renamed = io.BytesIO()
        pq.write_table(table.rename_columns(columns), renamed)
        return renamed.getvalue()

    return change


BOARD = "text/full-00000-of-00001.parquet"
BOARD_FILE = f"lmarena/leaderboard-dataset/{BOARD}"
NOTABLE = "notable_ai_models.csv"
NOTABLE_FILE = f"epoch/2026-05-02/{NOTABLE}"
FIGURE_FILE = "ai_index/2025/1. Research/Data/fig_1.3.1.csv"
FAULTS = {
    "lmarena: column renamed": Fault(
        "lmarena",
        BOARD_FILE,
        rename_column("rating", "score"),
        (f"{TOMORROW} {BOARD} lacks the columns ['rating']", "'score'", "raw.arena_"),
    ),
    "lmarena: file cut": Fault(
        "lmarena", BOARD_FILE, half, (f"{TOMORROW} {BOARD} is not a Parquet file",)
    ),
    "lmarena: web page": Fault(
        "lmarena", BOARD_FILE, lambda _: HTML, (f"{TOMORROW} {BOARD} is not a Parquet file",)
    ),
    "lmarena: web page for the tree": Fault(
        "lmarena",
        "/tree/",
        lambda _: HTML,
        (f"{TOMORROW} no usable response", "leaderboard-dataset"),
    ),
    "lmarena: web page for the commit": Fault(
        "lmarena", "/api/datasets/", lambda _: HTML, (f"{TOMORROW} no usable response", "JSON")
    ),
    "lmarena: other JSON": Fault(
        "lmarena", "/api/datasets/", lambda _: b'{"a": 1}', (f"{TOMORROW} no usable response",)
    ),
    "epoch: cut in half": Fault(
        "epoch", NOTABLE_FILE, half, (f"{TOMORROW} {NOTABLE}: line ", "incomplete")
    ),
    "epoch: column renamed": Fault(
        "epoch",
        NOTABLE_FILE,
        lambda d: d.replace(b"Publication date", b"Released", 1),
        (f"{TOMORROW} {NOTABLE}: line 1: ", "'Publication date'", "raw.epoch_models"),
    ),
    "epoch: web page": Fault(
        "epoch", NOTABLE_FILE, lambda _: HTML, (f"{TOMORROW} {NOTABLE}: line 1: columns missing",)
    ),
    "epoch: nothing": Fault(
        "epoch", NOTABLE_FILE, lambda _: b"", (f"{TOMORROW} {NOTABLE}: line 1: ",)
    ),
    "epoch: header only": Fault(
        "epoch",
        NOTABLE_FILE,
        lambda d: d[: d.index(b"\n") + 1],
        (f"{TOMORROW} {NOTABLE}: has a header but no records",),
    ),
    "epoch: ragged": Fault(
        "epoch",
        NOTABLE_FILE,
        lambda d: d + b"a stray line\n",
        (f"{TOMORROW} {NOTABLE}: line ", "1 cells, but the header has "),
    ),
    "epoch: another encoding": Fault(
        "epoch",
        NOTABLE_FILE,
        lambda d: d.decode().encode("utf-16"),
        (f"{TOMORROW} {NOTABLE}: byte 0 is not UTF-8",),
    ),
    "hub: page with broken JSON": Fault(
        "hub",
        "cursor=",
        lambda d: d[:-40],
        (f"{TOMORROW} pages/000002.json is not JSON", "line 1 column ", "in 3 tries"),
    ),
    "hub: web page": Fault(
        "hub", "/api/models", lambda _: HTML, (f"{TOMORROW} pages/000001.json is not JSON",)
    ),
    "hub: other JSON": Fault(
        "hub",
        "/api/models",
        lambda _: b'{"error": "busy"}',
        (f"{TOMORROW} pages/000001.json is JSON but not a list of models",),
    ),
    "trending: web page": Fault(
        "hub_trending",
        "/api/trending",
        lambda _: HTML,
        (f"{TOMORROW} trending.json is not the trending strip", "line 1"),
    ),
    "trending: other JSON": Fault(
        "hub_trending",
        "/api/trending",
        lambda _: b'{"recentlyTrending": "none"}',
        (f"{TOMORROW} trending.json is not the trending strip", "is not a list"),
    ),
    "ai_index: zip cut": Fault(
        "ai_index", "/ai_index/2025", half, (f"{TOMORROW} edition 2025: ", "not a zip file")
    ),
    "ai_index: web page": Fault(
        "ai_index",
        "/ai_index/2025",
        lambda _: HTML,
        (f"{TOMORROW} edition 2025: ", "not a zip file"),
    ),
    "ai_index: another header": Fault(
        "ai_index",
        FIGURE_FILE,
        lambda d: d.replace(b"Geographic area", b"Geographic Area", 1),
        (f"{TOMORROW} edition 2025: 2025.zip: fig_1.3.1.csv has the header", "'Geographic Area'"),
    ),
}


RUN = (  # one of each kind also through the whole command
    "lmarena: column renamed",
    "epoch: cut in half",
    "hub: page with broken JSON",
    "hub: web page",
    "trending: web page",
    "ai_index: zip cut",
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_response_is_an_error_and_the_source_recovers(
    world: Path, tmp_path: Path, name: str
) -> None:
    fault = FAULTS[name]
    with StandIn(world, page_size=80) as server:
        given = settings_for(server, tmp_path)
        earlier = observe(fault.source, given, TODAY).snapshot
    before = held(tmp_path)
    with damaged(world, tmp_path / "damaged", fault, page_size=80) as server:
        given = settings_for(server, tmp_path)
        with pytest.raises(SourceError) as failed:
            observe(fault.source, given, TOMORROW)
    assert exit_code(failed.value) == 3
    assert str(failed.value).startswith(f"{fault.source}: ")
    for text in (*fault.messages, "where: http://127.0.0.1:", "what to do: "):
        assert text in str(failed.value)
    archive = Archive(given.archive)
    assert archive.snapshots() == [earlier]
    with StandIn(world, page_size=80) as server:
        again = observe(fault.source, settings_for(server, tmp_path), TOMORROW).snapshot
    assert [f.sha256 for f in again.files] == [f.sha256 for f in earlier.files]
    after = held(tmp_path)
    assert {path: after.get(path) for path in before} == before


@pytest.mark.parametrize("name", RUN)
def test_a_fault_stops_the_run_and_changes_nothing(
    world: Path,
    running: Path,
    prefect: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    fault, before = FAULTS[name], held(running)
    with damaged(world, tmp_path / "damaged", fault, page_size=80) as server:
        done = observatory(
            monkeypatch, server, running, f"--as-of={TOMORROW}", f"--sources={fault.source}"
        )
    assert done.exit_code == 3, done.output
    result = " ".join(done.stderr.split())
    assert f"error: {fault.source}: " in result
    for text in (*fault.messages, "where: http://127.0.0.1:", "what to do: "):
        assert text in result
    assert "Traceback" not in done.output
    after = held(running)
    assert {path: after.get(path) for path in before} == before
    assert {p.rpartition(f"/{TOMORROW}/")[0] for p in set(after) - set(before)} <= {
        f"archive/{fault.source}"
    }


def test_a_damaged_response_is_quarantined_and_named(world: Path, tmp_path: Path) -> None:
    with damaged(world, tmp_path / "damaged", FAULTS["epoch: web page"], page_size=80) as server:
        given = settings_for(server, tmp_path)
        with pytest.raises(SourceError) as failed:
            observe("epoch", given, TOMORROW)
    (aside,) = (given.archive / "epoch" / str(TOMORROW) / "refused").iterdir()
    assert aside.read_bytes() == HTML
    assert str(aside) in str(failed.value)


def test_a_page_damaged_once_is_retried(world: Path, tmp_path: Path) -> None:
    class Once(Faulty):
        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            if call.value("cursor"):
                self.changes.clear()
            return answer

    with Once(world, {"cursor=": lambda d: d[:-1]}, page_size=80) as server:
        snapshot = observe("hub", settings_for(server, tmp_path), TODAY).snapshot
        assert len(server.requests) == len(snapshot.files) + 2  # one again, and the newest
    assert snapshot.rows_seen == 420


# --- the whole story -----------------------------------------------------------------------------


@pytest.mark.slow
def test_three_faults_at_once_then_recovery(
    world: Path, running: Path, prefect: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(running)
    chosen = [
        FAULTS["lmarena: column renamed"],
        FAULTS["epoch: cut in half"],
        FAULTS["hub: page with broken JSON"],
    ]
    with damaged(world, tmp_path / "damaged", *chosen, page_size=150) as server:
        port = int(server.url.rsplit(":", 1)[1])
        failed = observatory(monkeypatch, server, running, f"--as-of={TOMORROW}")
        assert failed.exit_code == 3
        for fault in chosen:
            assert f"{fault.source}: {TOMORROW} " in failed.stderr
        after = held(running)
        assert {path: after.get(path) for path in before} == before
    filed = [
        s.source for s in Archive(running / "archive").snapshots() if s.snapshot_date == TOMORROW
    ]
    # A fault in one source does not prevent the others from being stored.
    assert filed == ["ai_index", "hub_namespaces", "hub_trending"]

    with StandIn(world, page_size=150, port=port) as server:
        recovered = observatory(monkeypatch, server, running, f"--as-of={TOMORROW}")
        assert recovered.exit_code == 0, recovered.output
        pages = [r for r in server.requests if r.path == "/api/models"]
        assert [("cursor" in page.query) for page in pages] == [True, True, False]
        assert not [r for r in server.requests if r.path == "/api/trending"]
    pointer = json.loads((running / "published/latest.json").read_bytes())
    assert pointer["as_of"] == str(TOMORROW)
    after = held(running)
    changed = {path for path, digest in before.items() if after.get(path) != digest}
    kept = ("archive/", "published/releases/")
    assert not [path for path in changed if path.startswith(kept)]
    assert "observatory.duckdb" in changed


def test_a_damaged_archive_file_stops_a_replay_and_is_named(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = Archive(running / "archive").snapshots("epoch")[0]
    path = running / "archive" / snapshot.files[0].path
    path.write_bytes(path.read_bytes()[:-1])
    before = held(running)
    places = ["--archive", "archive", "--warehouse", "observatory.duckdb"]
    monkeypatch.chdir(running)
    done = CliRunner().invoke(
        app, ["replay", *places, "--publish-to=published", f"--as-of={TODAY}"]
    )
    assert done.exit_code == 5
    assert f"{snapshot.snapshot_id}/{path.name} is damaged" in done.stderr
    assert "restore it from a copy of the archive" in done.stderr
    after = held(running)
    assert {p: after.get(p) for p in before} == before


# --- an Epoch CSV that is cut --------------------------------------------------------------------


def record_ends(data: bytes) -> list[int]:
    """Offsets behind the header and behind every record: a newline outside of quotes."""
    ends, quoted = [], False
    for offset, byte in enumerate(data, 1):
        quoted ^= byte == ord('"')
        if byte == ord("\n") and not quoted:
            ends.append(offset)
    return ends


def assert_cut_is_noticed(data: bytes, ends: list[int], cut: int) -> None:
    table = contract("raw.epoch_models")
    try:
        rows = len(read_table(data[:cut], table).records)
    except DamagedCsvError as error:
        assert cut not in ends[1:], error
    else:
        assert cut in ends[1:], f"cut at byte {cut} and nobody noticed"
        assert rows == ends.index(cut)


@pytest.fixture(scope="module")
def notable(world: Path) -> bytes:
    return next(world.glob("epoch/*/notable_ai_models.csv")).read_bytes()


@PROPERTY
@given(data=st.data())
def test_a_cut_csv_is_rejected_unless_it_ends_with_a_record(
    notable: bytes, data: st.DataObject
) -> None:
    ends = record_ends(notable)
    near = st.sampled_from(ends).flatmap(lambda end: st.integers(end - 2, end + 2))
    cut = data.draw(st.integers(0, len(notable)) | near)
    assert_cut_is_noticed(notable, ends, min(cut, len(notable)))


def test_a_cut_in_a_quoted_multiline_cell_is_detected() -> None:
    """The line breaks inside a cell are no record ends: the recordings are full of them."""
    header = b"Model,Organization,Publication date,Country (of organization),Link\n"
    record = b'"A ""B"", c\nd\n","E\n,F",2024-01-01,"China,\nFrance",x\n'
    data = header + record * 3
    ends = record_ends(data)
    assert len(ends) == 4
    for cut in range(len(data) + 1):
        assert_cut_is_noticed(data, ends, cut)


def test_a_real_csv_cut_anywhere_is_rejected(recordings: Path) -> None:
    data = (recordings / "epoch/2026-05-02/notable_ai_models.csv").read_bytes()
    ends = record_ends(data)
    assert len(ends) == 1012
    cuts = [*range(1, len(data), len(data) // 20), *ends[500:1000:99], ends[700] - 1, len(data) - 1]
    for cut in cuts:
        assert_cut_is_noticed(data, ends, cut)


@pytest.mark.slow
def test_a_csv_cut_after_a_record_fails_against_the_previous_vintage(
    world: Path, running: Path, tmp_path: Path
) -> None:
    """Nothing in such a file shows that it was cut: only the snapshot before it can tell."""
    before = held(running)
    cut = Fault("epoch", NOTABLE_FILE, lambda d: d[: record_ends(d)[70]], ())
    with damaged(world, tmp_path / "damaged", cut, page_size=80) as server:
        docs = running / "observatory.validation"  # those of the warehouse that stays
        given = settings_for(server, running).model_copy(update={"docs": docs})
        assert observe("epoch", given, TOMORROW).snapshot.rows_seen == 70
    with pytest.raises(ValidationError) as stopped:
        sequence.build(given, TOMORROW)
    assert exit_code(stopped.value) == 4
    for text in ("raw.epoch_models", "snapshot_rows_do_not_fall", f"epoch/{TOMORROW}", "70", "342"):
        assert text in str(stopped.value)
    after = held(running)
    assert {path: after.get(path) for path in before} == before
    assert (running / "observatory.validation.failed/index.html").is_file()
    short = f"epoch/{TOMORROW}"
    called = CliRunner().invoke(
        app, ["exclude", short, "--reason=cut", f"--archive={running / 'archive'}"]
    )
    assert called.exit_code == 0, called.output
    chosen = chosen_snapshots(Archive(given.archive), given.sources, TOMORROW)
    assert short not in {s.snapshot_id for s in chosen}
    Archive(given.archive).include("epoch", TOMORROW)
    with StandIn(world, page_size=80) as server:  # whole again on the day after
        assert observe("epoch", settings_for(server, running), DAY_AFTER).snapshot.rows_seen == 342
    archive, build = Archive(given.archive), running / "build.duckdb"
    load_raw(build, archive, archive.snapshots("epoch"))
    assert sequence.validate(build, "raw").failures("critical") == []
