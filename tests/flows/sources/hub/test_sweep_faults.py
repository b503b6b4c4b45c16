"""A sweep survives temporary faults, and can resume after lasting ones."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations.validate import validate_database
from flows.settings import Settings
from flows.sources.http import SourceError, without_secrets
from flows.steps.observe import observe
from infra.bench.generate import GeneratedHub
from tests.conftest import ROOT, Shared, settings_for
from tests.standin import FINAL, RECOVERABLE, FaultPlan, RecordingError, StandIn
from tests.standin.faults import SECRET, read_plan
from tests.support.sources import listings, loaded, refused, some_models, write_models
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile, Snapshot
from warehouse.contracts.table import contract
from warehouse.database import duckdb_file

DAY, NEXT_DAY = date(2026, 8, 15), date(2026, 8, 16)
STALL = 1.0  # s; half of it is the readers' patience where a fault is a stall


def impatient(server: StandIn, folder: Path, **more: Any) -> Settings:
    """Settings whose patience ends before a stall does, where the server stalls at all."""
    stalls = server.spoiler is not None and "stall" in server.spoiler.plan.kinds
    return settings_for(server, folder, http_timeout_seconds=STALL / 2 if stalls else 20, **more)


def plan(*kinds: str, **more: Any) -> FaultPlan:
    return FaultPlan(kinds=kinds, rate=1, stall=STALL, path="/api/models", **more)


def pages_of(snapshot: Snapshot) -> dict[str, str]:
    return {f.name: f.sha256 for f in snapshot.files}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hub of 43 models: nine pages of five."""
    return write_models(tmp_path_factory.mktemp("small"), some_models(43))


@pytest.fixture(scope="module")
def sound(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages of an undisturbed sweep."""
    with StandIn(small, page_size=5) as server:
        folder = tmp_path_factory.mktemp("sound")
        return pages_of(observe("hub", settings_for(server, folder), DAY).snapshot)


@pytest.mark.parametrize("kind", RECOVERABLE)
def test_a_passing_fault_ends_in_a_complete_sweep(
    small: Path, sound: dict[str, str], tmp_path: Path, kind: str, caplog: Any, capfd: Any
) -> None:
    caplog.set_level(logging.INFO)
    in_a_row = 1 if kind == "stall" else 2
    with StandIn(small, page_size=5, faults=plan(kind, in_a_row=in_a_row)) as server:
        sealed = observe("hub", impatient(server, tmp_path), DAY).snapshot
        assert server.spoiler is not None
        assert server.spoiler.done[kind] >= 7
    assert pages_of(sealed) == sound
    assert sealed.is_complete
    written = b"".join(p.read_bytes() for p in (tmp_path / "archive").rglob("*.json"))
    result = caplog.text + "".join(capfd.readouterr())
    assert SECRET not in result + written.decode()


@pytest.mark.parametrize("kind", ["truncated", "html", "repeated_page", "missing_link", "no_list"])
def test_damaged_pages_are_quarantined(small: Path, tmp_path: Path, kind: str) -> None:
    with StandIn(small, page_size=5, faults=plan(kind, in_a_row=1)) as server:
        settings = impatient(server, tmp_path)
        observe("hub", settings, DAY)
    aside = list((settings.archive / "hub" / str(DAY) / "refused").iterdir())
    assert aside
    assert all(p.stat().st_size for p in aside)


LASTING = {
    "rate_limit": "no response after retries (HTTP 429)",
    "retry_after": "no response after retries (HTTP 429)",
    "http_500": "no response after retries (HTTP 500)",
    "http_504": "no response after retries (HTTP 504)",
    "reset": "no response after retries (",
    "truncated": "is not JSON",
    "length_too_small": "is not JSON",
    "html": "is not JSON",
    "no_list": "is JSON but not a list",
    "nameless": "items without an id",
    "repeated_page": "repeats an earlier page",
    "missing_link": "names no next page",
    "cursor_loop": "the listing repeats itself",
    "http_401": "HTTP 401",
    "http_403": "HTTP 403",
}


@pytest.mark.parametrize("kind", LASTING)
def test_a_lasting_fault_is_a_clear_error_and_the_next_run_resumes(
    small: Path, sound: dict[str, str], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    broken = plan(kind, in_a_row=99)
    with StandIn(small, page_size=5) as server:
        settings = impatient(server, tmp_path)
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(SourceError) as begun:
            observe("hub", settings.model_copy(update={"hub_max_minutes": 1e-9}), DAY)
        assert "minutes is used up" in str(begun.value)
        server.answer = _then(server, 4, broken)  # type: ignore[method-assign]
        with pytest.raises(SourceError) as failed:
            observe("hub", settings, DAY)
    assert str(failed.value).startswith("hub: ")
    for message in (LASTING[kind], "where: http://127.0.0.1:", "what to do: "):
        assert message in str(failed.value)
    assert SECRET not in str(failed.value)
    assert Archive(settings.archive).snapshots() == []
    with StandIn(small, page_size=5, port=port) as server:
        sealed = observe("hub", settings, DAY).snapshot
        assert len(listings(server)) == 5 + 1  # stored pages are not fetched again
    assert pages_of(sealed) == sound


def _then(server: StandIn, after: int, faults: FaultPlan) -> Any:
    """The server's answers, and after so many of them its plan of faults."""
    from tests.standin.faults import Faults

    answer, left = server.answer, [after]

    def counted(call: Any) -> Any:
        if left[0] == 0 and server.spoiler is None:
            server.spoiler = Faults(faults)
            for target, page in kept:
                server.spoiler._pages[target] = page
        left[0] = max(left[0] - 1, 0)
        given = answer(call)
        kept[:] = [(call.target, given.body)]
        return given

    kept: list[tuple[str, bytes]] = []
    return counted


def test_moved_rows_are_accepted_and_counted_once(small: Path, tmp_path: Path) -> None:
    with StandIn(small, page_size=5, faults=plan("moved_rows", in_a_row=99)) as server:
        settings = impatient(server, tmp_path)
        sealed = observe("hub", settings, DAY).snapshot
    con = loaded(settings, "hub")
    assert con.execute(
        "SELECT count(*), count(DISTINCT model_id_hf) FROM raw.hub_models"
    ).fetchall() == [(43, 43)]
    assert {reason for _, _, reason in refused(con)} == {"duplicate"}
    assert any("repeats 3 items of earlier pages" in note for note in sealed.notes)


# --- models that are created meanwhile -----------------------------------------------------------


def test_models_created_during_the_sweep_are_included(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven of them, more than a page: they are read until one that the sweep met first."""
    created = [
        {"id": f"new/{n}", "createdAt": f"2026-08-15T00:00:{n:02}.000Z", "likes": n}
        for n in range(7)
    ]

    class Growing(StandIn):
        def answer(self, call: Any) -> Any:
            if len(self.requests) == 4:
                grown = write_models(tmp_path / "grown", [*some_models(43), *created])
                self.models = StandIn(grown, page_size=5).models
            return super().answer(call)

    with Growing(small, page_size=5) as server:
        settings = impatient(server, tmp_path)
        with monkeypatch.context() as patch:  # it dies after all was read, and is only sealed then
            patch.setattr("warehouse.archive.draft.Draft.seal", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                observe("hub", settings, DAY)
        asked = len(server.requests)
        sealed = observe("hub", settings, DAY).snapshot
        assert len(server.requests) == asked
    assert sealed.is_complete
    assert [f.name for f in sealed.find("pages/newest")] == [
        f"pages/newest-{n:06d}.json" for n in (1, 2)
    ]
    assert sealed.rows_seen == 50
    con = loaded(settings, "hub")
    assert con.execute(
        "SELECT count(*), count(DISTINCT object_id_hf) FROM raw.hub_models"
    ).fetchall() == [(50, 50)]
    assert refused(con) == []


# --- whole or not --------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "whole"), [(43, True), (60, True), (42, False), (20, False)])
def test_a_sweep_far_smaller_than_the_day_before_is_incomplete(
    small: Path, tmp_path: Path, number: int, whole: bool
) -> None:
    with StandIn(small, page_size=5) as server:
        first = observe("hub", impatient(server, tmp_path), DAY).snapshot
        assert first.is_complete
    with StandIn(write_models(tmp_path / "next", some_models(number)), page_size=7) as server:
        second = observe("hub", impatient(server, tmp_path), NEXT_DAY).snapshot
    assert second.is_complete == whole
    assert f"hub/{DAY} had 43" in second.notes[1]


@pytest.mark.parametrize(
    ("before", "is_complete", "broken"),
    [
        (
            (3_300_000, True),
            False,
            {"newest_sweep_is_complete", "no_incomplete_sweep_after_a_complete_one"},
        ),
        ((531, True), False, {"newest_sweep_is_complete"}),  # a recorded list of top models
        ((3_300_000, False), False, {"newest_sweep_is_complete"}),
        ((3_300_000, True), True, set()),
    ],
)
def test_an_incomplete_sweep_after_a_complete_one_stops_the_build(
    tmp_path: Path, before: tuple[int, bool], is_complete: bool, broken: set[str]
) -> None:
    rows = [_about(DAY, *before), _about(NEXT_DAY, 2_000_000, is_complete)]
    path = tmp_path / "build.duckdb"
    con = duckdb_file.create(path)
    table = contract("meta.snapshots")
    duckdb_file.insert_frame(con, table, pl.DataFrame(rows, schema=table.polars_schema))
    con.execute(
        "INSERT INTO raw.hub_models (snapshot_id, snapshot_date, file_name, model_id_hf) "
        "VALUES (?, ?, '000001.json', 'a/b')",
        [f"hub/{NEXT_DAY}", NEXT_DAY],
    )
    con.close()
    report = validate_database(path, ["raw.hub_models"], "raw")
    found = [*report.failures("critical"), *report.failures("warning")]
    assert {f.expectation for f in found} == broken


def _about(day: date, rows: int, is_complete: bool) -> dict[str, Any]:
    known = {"is_complete": is_complete, "is_sample": False, "is_loaded": True, "rows_seen": rows}
    known |= {"snapshot_id": f"hub/{day}", "source": "hub", "snapshot_date": day}
    blank: dict[str, Any] = {"VARCHAR": "derived", "INTEGER": 1, "BIGINT": 1}
    blank |= {"TIMESTAMP": datetime(2026, 8, 15), "DATE": None}
    columns = contract("meta.snapshots").columns
    return {n: known[n] if n in known else blank[c.type] for n, c in columns.items()}


# --- the pace ------------------------------------------------------------------------------------


def test_the_quota_is_respected(small: Path, tmp_path: Path) -> None:
    """Eight requests a second: the sweep of nine pages waits instead of being refused."""
    with StandIn(small, page_size=5, quota=8, window=1) as server:
        observe("hub", impatient(server, tmp_path), DAY)
        assert {r.status for r in server.requests} == {200}


def test_part_of_the_quota_is_left_to_other_clients(small: Path, tmp_path: Path) -> None:
    left: list[int] = []

    class Told(StandIn):
        def respond(self, call: Any) -> Any:
            answer = super().respond(call)
            left.append(int(answer.headers["RateLimit"].split("r=")[1].split(";")[0]))
            return answer

    with Told(small, page_size=5, quota=10, window=1) as server:
        observe("hub", impatient(server, tmp_path, hub_quota_share=0.5), DAY)
        assert min(left) >= 5


def test_an_operators_budget_spreads_the_requests(small: Path, tmp_path: Path) -> None:
    with StandIn(small, page_size=5) as server:
        begun = time.monotonic()
        observe("hub", impatient(server, tmp_path, hub_requests_per_5_minutes=3000), DAY)
        assert time.monotonic() - begun >= 9 * 0.1


def test_an_excessive_wait_is_an_error(small: Path, tmp_path: Path) -> None:
    with (
        StandIn(small, page_size=5, faults=plan("retry_after", wait=86_400)) as server,
        pytest.raises(SourceError, match="requires another 86400 s"),
    ):
        observe("hub", impatient(server, tmp_path), DAY)


# --- secrets -------------------------------------------------------------------------------------


def test_an_address_loses_its_secrets_and_keeps_the_rest() -> None:
    url = "http://h/api/models?sort=createdAt&expand=a&expand=b&cursor=eyJ%3D"
    assert without_secrets(f"{url}&token={SECRET}&sig=x") == url
    assert without_secrets(url) == url
    assert without_secrets("http://h/x?api_key=1") == "http://h/x"


# --- plans ---------------------------------------------------------------------------------------


def test_a_fault_plan_is_read_and_a_misspelled_one_rejected(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"kinds": ["html"], "rate": 0.5, "seed": 3}')
    assert read_plan(str(path)) == FaultPlan(kinds=("html",), rate=0.5, seed=3)
    assert read_plan("{}").kinds == RECOVERABLE
    for wrong in ('{"kinds": ["htmlx"]}', '{"often": 1}', "nowhere.json", "{", '{"kinds": []}'):
        with pytest.raises(RecordingError):
            read_plan(wrong)
    assert not set(FINAL) & set(RECOVERABLE)


# --- forty kills ---------------------------------------------------------------------------------

MODELS, KILLS = 200_000, 40


@pytest.fixture(scope="module")
def generated(shared: Shared) -> tuple[Path, dict[str, str]]:
    """A generated Hub of 200,000 models as pages on disk, and the digest of each page."""

    def fill(folder: Path) -> None:
        GeneratedHub(MODELS, seed=5, first_day=DAY).archive_day(Archive(folder), DAY)

    folder = shared("generated-hub", fill)
    sealed = Archive(folder).snapshot("hub", DAY)
    assert sealed is not None
    assert sealed.rows_seen >= MODELS * 0.99
    return folder / "hub" / str(DAY) / "pages", pages_of(sealed)


def observing(server: StandIn, folder: Path) -> subprocess.Popen[bytes]:
    """The real command in a process of its own."""
    environment = {
        **os.environ,
        **server.exports,
        "OBSERVATORY_HTTP_TIMEOUT_SECONDS": str(STALL),
        "OBSERVATORY_HTTP_FIRST_WAIT_SECONDS": "0.01",
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "flows.cli", "observe", "hub", f"--as-of={DAY}", f"--archive={folder}"]
    return subprocess.Popen(
        [sys.executable, *command], env=environment, cwd=folder.parent, stderr=subprocess.PIPE
    )


def kill_after(
    process: subprocess.Popen[bytes], server: StandIn, requests: int, more: float
) -> bool:
    """SIGKILL once so many requests came and a moment passed; False if it ended before."""
    until = len(server.requests) + requests
    while len(server.requests) < until and process.poll() is None:
        time.sleep(0.002)
    time.sleep(more)
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(1800)  # forty-one processes in a row: minutes, or many on a busy machine
def test_forty_kills_and_all_faults_give_the_archive_of_an_undisturbed_sweep(
    generated: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    pages, undisturbed = generated
    draws = random.Random(40)
    faults = FaultPlan(rate=0.15, seed=40, stall=STALL * 2, path="/api/models")
    archive, kills = tmp_path / "archive", 0
    with StandIn(tmp_path, pages=pages, faults=faults) as server:
        while kills < KILLS:
            process = observing(server, archive)
            kills += kill_after(process, server, draws.randint(1, 6), draws.uniform(0, 0.06))
            assert process.returncode == -signal.SIGKILL, process.stderr and process.stderr.read()
        process = observing(server, archive)
        result = process.communicate(timeout=900)[1].decode()
        assert process.returncode == 0, result
        assert server.spoiler is not None
        assert set(server.spoiler.done) == set(RECOVERABLE)
        good = [r for r in server.requests if r.status == 200]
    sealed = Archive(archive).snapshot("hub", DAY)
    assert sealed is not None
    assert pages_of(sealed) == undisturbed
    assert sealed.is_complete
    assert sealed.rows_seen == sum(f.rows_seen or 0 for f in sealed.files)
    # Only the page that was being stored when the process died is fetched twice.
    assert len(good) <= len(undisturbed) + KILLS + sum(server.spoiler.done.values()) + 2
    left = [p for p in (archive / "hub" / str(DAY)).rglob("*") if p.name.endswith(".part")]
    assert left == []
    assert SECRET not in result + (archive / "hub" / str(DAY) / "snapshot.json").read_text()


def test_stored_pages_survive_any_cut_of_the_journal(small: Path, tmp_path: Path) -> None:
    """A run that died between a page and its journal line fetches only that page again."""
    with StandIn(small, page_size=5) as server:
        settings = impatient(server, tmp_path)
        with pytest.MonkeyPatch.context() as patch:
            noted: list[ArchivedFile] = []

            def dies(self: Any, entry: ArchivedFile) -> ArchivedFile:
                if len(noted) == 3:
                    raise KeyboardInterrupt
                noted.append(entry)
                return real(self, entry)

            from warehouse.archive.draft import Draft

            real = Draft._append
            patch.setattr(Draft, "_append", dies)
            with pytest.raises(KeyboardInterrupt):
                observe("hub", settings, DAY)
        asked = len(server.requests)
        observe("hub", settings, DAY)
        assert len(server.requests) - asked == 9 - 3 + 1
