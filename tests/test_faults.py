"""What goes wrong outside stays outside: a run stops, says where, and nothing published changes."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli import app
from flows.observe import observe
from flows.sources.epoch import DamagedCsvError, check_csv
from tests.conftest import settings_for
from tests.recorded_sample import DAY, write_recordings
from tests.standin import Answer, Call, StandIn
from warehouse.archive import Archive, file_sha256
from warehouse.cards import cards
from warehouse.contract import contract

TODAY, TOMORROW = date.fromisoformat(DAY), date(2026, 8, 16)
SOURCES = ("hub", "hub_trending", "lmarena", "epoch", "ai_index")
HTML = b"<!doctype html><html><body>We will be back soon.</body></html>\n"
BOARD = "text/full-00000-of-00001.parquet"
NOTABLE = "/data/epochdb/notable_ai_models.csv"
PROPERTY = settings(max_examples=300, deadline=None, derandomize=True)


# --- a small world -------------------------------------------------------------------------------


def write_world(folder: Path) -> Path:
    """All five sources, small: the bundled sample, a strip of one model, one figure."""
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


class Faulty(StandIn):
    """Changes the answers at addresses that hold a text."""

    faults: dict[str, Callable[[bytes], bytes]]

    def __init__(self, folder: Path, **faults_by_address: Any) -> None:
        super().__init__(folder, page_size=80)
        self.faults = {}

    def answer(self, call: Call) -> Answer:
        answer = super().answer(call)
        for address, change in self.faults.items():
            if address in call.target and answer.status == 200:
                headers = {k: v for k, v in answer.headers.items() if k != "X-Linked-Size"}
                return Answer(200, change(answer.body), headers)
        return answer


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
def first(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Archive, warehouse and release of the first day; a Prefect server is there meanwhile."""
    from prefect.testing.utilities import prefect_test_harness

    folder = tmp_path_factory.mktemp("first")
    with (
        pytest.MonkeyPatch.context() as patch,
        prefect_test_harness(server_startup_timeout=120),
        StandIn(world, page_size=80) as server,
    ):
        done = observatory(patch, server, folder, f"--as-of={TODAY}")
        assert done.exit_code == 0, done.output
        yield folder


@pytest.fixture
def running(first: Path, tmp_path: Path) -> Path:
    """A copy of the first day that a test may spoil."""
    return shutil.copytree(first, tmp_path / "running")


# --- faults of one source ------------------------------------------------------------------------


def rename_column(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        table = pq.read_table(io.BytesIO(data))
        columns = [new if c == old else c for c in table.column_names]
        renamed = io.BytesIO()
        pq.write_table(table.rename_columns(columns), renamed)
        return renamed.getvalue()

    return change


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


@dataclass(frozen=True)
class Fault:
    source: str
    address: str
    change: Callable[[bytes], bytes]
    told: tuple[str, ...]  # regular expressions are not needed: what a person must read


PAGE_2 = "cursor="
FAULTS = {
    "lmarena: column renamed": Fault(
        "lmarena",
        f"/resolve/|{BOARD}",
        rename_column("rating", "score"),
        (f"{TOMORROW} {BOARD}", "lacks the columns ['rating']", "'score'", "raw.arena_"),
    ),
    "lmarena: file cut": Fault(
        "lmarena", f"/resolve/|{BOARD}", half, (BOARD.split("/", maxsplit=1)[0],)
    ),
    "lmarena: another file": Fault("lmarena", f"/resolve/|{BOARD}", lambda _: HTML, ("text",)),
    "lmarena: web page for the tree": Fault(
        "lmarena", "/tree/", lambda _: HTML, (f"{TOMORROW} no sound answer", "leaderboard-dataset")
    ),
    "lmarena: web page for the commit": Fault(
        "lmarena", "/api/datasets/", lambda _: HTML, (f"{TOMORROW} no sound answer",)
    ),
    "lmarena: other JSON": Fault(
        "lmarena", "/api/datasets/", lambda _: b'{"a": 1}', (f"{TOMORROW} ",)
    ),
    "epoch: cut in half": Fault(
        "epoch", NOTABLE, half, (f"{TOMORROW} notable_ai_models.csv: line ", "cut")
    ),
    "epoch: column renamed": Fault(
        "epoch",
        NOTABLE,
        lambda d: d.replace(b"Publication date", b"Released", 1),
        (f"{TOMORROW} notable_ai_models.csv: line 1: ", "'Publication date'", "raw.epoch_models"),
    ),
    "epoch: web page": Fault(
        "epoch", NOTABLE, lambda _: HTML, (f"{TOMORROW} notable_ai_models.csv: line 1",)
    ),
    "epoch: nothing": Fault(
        "epoch", NOTABLE, lambda _: b"", (f"{TOMORROW} notable_ai_models.csv: line 1",)
    ),
    "epoch: header only": Fault(
        "epoch",
        NOTABLE,
        lambda d: d[: d.index(b"\n") + 1],
        (f"{TOMORROW} notable_ai_models.csv: holds a header and no record",),
    ),
    "epoch: another encoding": Fault(
        "epoch", NOTABLE, lambda d: d.decode().encode("utf-16"), ("byte 0 is not UTF-8",)
    ),
    "hub: page with broken JSON": Fault(
        "hub",
        PAGE_2,
        lambda d: d[:-40],
        (f"{TOMORROW} pages/000002.json is not JSON", "line 1 column ", "asked 3 times"),
    ),
    "hub: web page": Fault(
        "hub", "/api/models", lambda _: HTML, (f"{TOMORROW} pages/000001.json is not JSON",)
    ),
    "hub: other JSON": Fault(
        "hub",
        "/api/models",
        lambda _: b'{"error": "busy"}',
        (f"{TOMORROW} pages/000001.json is JSON but no list of models",),
    ),
    "trending: web page": Fault(
        "hub_trending", "/api/trending", lambda _: HTML, (f"{TOMORROW} trending.json", "line 1")
    ),
    "trending: other JSON": Fault(
        "hub_trending",
        "/api/trending",
        lambda _: b'{"recentlyTrending": "none"}',
        (f"{TOMORROW} trending.json is not the trending strip", "is no list"),
    ),
    "ai_index: zip cut": Fault(
        "ai_index", "/ai_index/2025", half, (f"{TOMORROW} edition 2025: ", "zip")
    ),
    "ai_index: web page": Fault(
        "ai_index", "/ai_index/2025", lambda _: HTML, (f"{TOMORROW} edition 2025: ", "not a zip")
    ),
    "ai_index: another header": Fault(
        "ai_index",
        "/ai_index/2025",
        lambda d: d.replace(b"Geographic area", b"Geographic Area", 1),
        (f"{TOMORROW} edition 2025: ",),
    ),
}


def faults(*chosen: Fault) -> dict[str, Callable[[bytes], bytes]]:
    return {f.address.split("|")[-1]: f.change for f in chosen}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_stops_the_run_says_where_and_changes_nothing(
    world: Path, running: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fault, before = FAULTS[name], held(running)
    with Faulty(world) as server:
        server.faults = faults(fault)
        done = observatory(
            monkeypatch, server, running, f"--as-of={TOMORROW}", f"--sources={fault.source}"
        )
    assert done.exit_code == 3, done.output
    told = " ".join(done.stderr.split())
    assert f"error: {fault.source}: " in told
    assert f"where: http://127.0.0.1:" in told
    assert "what to do: " in told
    for text in fault.told:
        assert text in told
    assert "Traceback" not in done.output
    after = held(running)
    assert {path: after.get(path) for path in before} == before
    assert all(
        p.startswith(f"archive/{fault.source}/{TOMORROW}/") for p in set(after) - set(before)
    )
    archive = Archive(running / "archive")
    assert archive.snapshot(fault.source, TOMORROW) is None
    with StandIn(world, page_size=80) as server:  # the source recovers
        again = observe(fault.source, settings_for(server, running), TOMORROW).snapshot
    earlier = archive.snapshot(fault.source, TODAY)
    assert earlier is not None
    assert [f.sha256 for f in again.files] == [f.sha256 for f in earlier.files]


def test_what_was_damaged_is_set_aside_and_told(
    world: Path, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Faulty(world) as server:
        server.faults = {NOTABLE: lambda _: HTML}
        done = observatory(monkeypatch, server, running, f"--as-of={TOMORROW}", "--sources=epoch")
    (aside,) = (running / "archive/epoch" / str(TOMORROW) / "refused").iterdir()
    assert aside.read_bytes() == HTML
    assert str(aside) in done.stderr


def test_a_page_that_is_damaged_once_is_asked_for_again(world: Path, tmp_path: Path) -> None:
    class Once(Faulty):
        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            if PAGE_2 in call.target:
                self.faults.clear()
            return answer

    with Once(world) as server:
        server.faults = {PAGE_2: lambda d: d[:-1]}
        snapshot = observe("hub", settings_for(server, tmp_path), TODAY).snapshot
        assert len(server.requests) == 1 + len(snapshot.files)
    assert snapshot.rows_seen == 205


# --- the whole story -----------------------------------------------------------------------------


def test_three_faults_at_once_then_recovery(
    world: Path, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(running)
    chosen = [
        FAULTS["lmarena: column renamed"],
        FAULTS["epoch: cut in half"],
        FAULTS["hub: page with broken JSON"],
    ]
    with Faulty(world) as server:
        server.faults = faults(*chosen)
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
    assert filed == ["ai_index", "hub_trending"]  # a fault of one keeps no other from being filed

    with StandIn(world, page_size=80, port=port) as server:
        recovered = observatory(monkeypatch, server, running, f"--as-of={TOMORROW}")
        assert recovered.exit_code == 0, recovered.output
        pages = [r for r in server.requests if r.path == "/api/models"]
        assert [("cursor" in page.query) for page in pages] == [True, True]
        assert not [r for r in server.requests if r.path == "/api/trending"]
    pointer = json.loads((running / "published/latest.json").read_bytes())
    assert pointer["as_of"] == str(TOMORROW)
    changed = {path for path, digest in before.items() if held(running).get(path) != digest}
    kept = ("archive/", "published/releases/")
    assert not [path for path in changed if path.startswith(kept)]
    assert "observatory.duckdb" in changed


def test_a_damaged_archive_stops_a_replay_and_is_named(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = Archive(running / "archive").snapshots("epoch")[0]
    path = running / "archive" / snapshot.files[0].path
    path.write_bytes(path.read_bytes().replace(b"China", b"Chile", 1))
    before = held(running)
    places = ["--archive", "archive", "--warehouse", "observatory.duckdb"]
    monkeypatch.chdir(running)
    done = CliRunner().invoke(
        app, ["replay", *places, "--publish-to=published", f"--as-of={TODAY}"]
    )
    assert done.exit_code == 5
    assert f"epoch/{DAY}/{path.name} is damaged" in done.stderr.replace("\n", "")
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
        rows = check_csv(data[:cut], table)
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
def test_a_cut_csv_is_refused_unless_it_ends_with_a_record(
    notable: bytes, data: st.DataObject
) -> None:
    ends = record_ends(notable)
    near = st.sampled_from(ends).flatmap(lambda end: st.integers(end - 2, end + 2))
    cut = data.draw(st.integers(0, len(notable)) | near)
    assert_cut_is_noticed(notable, ends, min(cut, len(notable)))


def test_a_cut_in_quotes_over_lines_is_noticed() -> None:
    """The line breaks inside a cell are no record ends: the recordings are full of them."""
    header = b"Model,Organization,Publication date,Country (of organization),Link\n"
    record = b'"A ""B"", c\nd\n","E\n,F",2024-01-01,"China,\nFrance",x\n'
    data = header + record * 3
    ends = record_ends(data)
    assert len(ends) == 4
    for cut in range(len(data) + 1):
        assert_cut_is_noticed(data, ends, cut)


def test_a_real_csv_cut_anywhere_is_noticed(recordings: Path) -> None:
    data = (recordings / "epoch/2026-05-02/notable_ai_models.csv").read_bytes()
    ends = record_ends(data)
    assert len(ends) == 1012
    cuts = [*range(1, len(data), len(data) // 20), *ends[500:1000:99], ends[700] - 1, len(data) - 1]
    for cut in cuts:
        assert_cut_is_noticed(data, ends, cut)


def test_a_csv_cut_behind_a_record_is_stopped_by_the_vintage_before_and_passes_when_whole(
    world: Path, running: Path, monkeypatch: pytest.MonkeyPatch, notable: bytes
) -> None:
    """Nothing in such a file shows that it was cut: only the snapshot before it can tell."""
    ends, before = record_ends(notable), held(running)
    with Faulty(world) as server:
        server.faults = {NOTABLE: lambda d: d[: ends[len(ends) // 2]]}
        done = observatory(monkeypatch, server, running, f"--as-of={TOMORROW}", "--sources=epoch")
    assert done.exit_code == 4, done.output
    told = " ".join(done.stderr.split())
    for text in ("raw.epoch_models", "snapshot_rows_do_not_fall", f"epoch/{TOMORROW}"):
        assert text in told
    after = held(running)
    safe = {p for p in before if not p.startswith("observatory.validation")}
    assert {path: after.get(path) for path in safe} == {path: before[path] for path in safe}
