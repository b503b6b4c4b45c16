"""Fixtures of all tests: recordings, the stand-in, archives and builds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock
from typer.testing import CliRunner

from flows.credentials import TOKENS
from flows.environment import is_known
from flows.settings import Settings
from flows.source_addresses import ADDRESS_FIELDS
from tests.standin import StandIn
from warehouse.archive.archive import Archive

ROOT = Path(__file__).resolve().parent.parent
DAY = date(2026, 8, 15)


# Longest first, so that no worker is left with a long file at the end. The first one builds the
# sample, for which others would wait; the second one does not need it.
LONGEST = (
    *("test_publishing.py", "test_hub_history.py"),
    "test_second_reckoning.py",  # builds what test_oracles.py reads
    *("test_same_bytes.py", "test_page.py"),
    *(
        "test_hub_listings.py",
        "test_rules.py",
        "test_publish_to_huggingface.py",
        "test_pipeline.py",
    ),
    *("test_s3.py", "test_bench.py", "test_hub_counters.py", "test_faults.py"),
    *(
        "test_arena_repair.py",
        "test_arena_segments.py",
        "test_hub_roots.py",
        "test_country_shares.py",
        "test_recorded_rows.py",
        "test_past_shares.py",
    ),
    *("test_oracles.py", "test_claims_release.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that need a complete build of the recordings as slow (`make test-slow`)."""
    for item in items:
        if "built" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> None:
    """Hides the settings, credentials and tokens of the machine from tests."""
    for name in list(os.environ):
        ours = name.startswith(
            ("OBSERVATORY_RECORDINGS", "OBSERVATORY_DUCKDB_", "OBSERVATORY_WITH_")
        )
        if name.startswith(("OBSERVATORY_", "AWS_", "HF_", *TOKENS)) and not ours:
            del os.environ[name]
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_UPDATE_CHECK="1")


@pytest.fixture(autouse=True)
def _environment_of_one_test() -> Iterator[None]:
    """Removes what a test's `.env` file, or an empty value, changed in the environment."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() | before.keys():
        if is_known(name) and os.environ.get(name) != before.get(name):
            os.environ.pop(name, None)
            os.environ.update({name: before[name]} if name in before else {})


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded source data, beside the repository; tests that need it skip without it."""
    folder = Path(os.environ.get("OBSERVATORY_RECORDINGS", ROOT.parent / "shared" / "archive"))
    if not (folder / "MANIFEST.csv").exists():
        pytest.skip(f"no recordings at {folder} (set OBSERVATORY_RECORDINGS)")
    return folder


@pytest.fixture(scope="session")
def more_recordings(recordings: Path) -> Path:
    """Recordings of third parties' histories: beside the first folder, its name with a 2."""
    named = os.environ.get("OBSERVATORY_RECORDINGS_2")
    folder = Path(named) if named else recordings.with_name(f"{recordings.name}2")
    if not (folder / "MANIFEST.csv").exists():
        pytest.skip(f"no recordings at {folder} (set OBSERVATORY_RECORDINGS_2)")
    return folder


@pytest.fixture(scope="session")
def standin(recordings: Path) -> Iterator[StandIn]:
    """A stand-in for the recorded sources; its Hub day is 2026-08-15."""
    with StandIn(recordings, hub_date=DAY.isoformat()) as server:
        yield server


def settings_for(server: StandIn, folder: Path, **more: object) -> Settings:
    """Settings for a stand-in, with all files below one folder."""
    addresses = {
        field: server.exports.get(f"OBSERVATORY_{field.upper()}", server.url)
        for field in ADDRESS_FIELDS.values()
    }
    return Settings(
        archive=folder / "archive",
        warehouse=folder / "observatory.duckdb",
        docs=folder / "validation",
        history=folder / "history",
        publish_to=(str(folder / "published"),),
        hub_url=server.exports.get("HF_ENDPOINT", server.url),
        github_api_url=server.exports.get("OBSERVATORY_GITHUB_API_URL", server.url),
        github_raw_url=server.exports.get("OBSERVATORY_GITHUB_RAW_URL", server.url),
        ai_index_url=server.exports.get("OBSERVATORY_AI_INDEX_URL"),
        sources=server.exports["OBSERVATORY_SOURCES"],
        **{"http_first_wait_seconds": 0.01, **addresses, **more},  # type: ignore[arg-type]
    )


Shared = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Shared:
    """A folder that is filled once per test run, by the first worker that needs it."""
    root = tmp_path_factory.getbasetemp().parent / f"shared-{testrun_uid}"
    root.mkdir(exist_ok=True)

    def made(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def observed(standin: StandIn, shared: Shared) -> Settings:
    """Every source observed once from the recordings; read it, do not write to it."""
    from flows.steps.observe import observe

    def fill(folder: Path) -> None:
        settings = settings_for(standin, folder)
        for source in settings.sources:
            observe(source, settings, DAY)

    return settings_for(standin, shared("observed", fill))


@pytest.fixture(scope="session")
def built(observed: Settings, shared: Shared) -> Settings:
    """The validated warehouse of those observations, at `settings.warehouse`."""
    from flows.steps import sequence

    def fill(folder: Path) -> None:
        sequence.build(_in(folder), DAY)

    def _in(folder: Path) -> Settings:
        places = {"warehouse": folder / "observatory.duckdb", "docs": folder / "validation"}
        return observed.model_copy(update=places)

    return _in(shared("built", fill))


@pytest.fixture(scope="session")
def recorded_days(observed: Settings, recordings: Path, shared: Shared) -> Path:
    """An archive of every recorded day of every source; read it, do not write to it."""
    from tests.support.recorded_days import write_days

    def fill(folder: Path) -> None:
        write_days(recordings, observed.archive, folder / "archive")

    return shared("recorded-days", fill) / "archive"


@pytest.fixture(scope="session")
def generated(shared: Shared) -> Path:
    """An archive with three days of a made-up Hub."""
    from tests.support.builds import generate_hub

    return shared("generated", generate_hub)


@pytest.fixture(scope="session")
def built_days(recorded_days: Path, shared: Shared) -> Callable[[date], Path]:
    """The warehouse of every recorded day up to a day, without validation; read it only."""
    from tests.support.builds import build_tables

    def built(as_of: date) -> Path:
        def fill(folder: Path) -> None:
            build_tables(recorded_days, as_of, folder / "built.duckdb", folder / "history")

        return shared(f"built-{as_of}", fill) / "built.duckdb"

    return built


def record_parses(patch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts how often each YAML text is parsed from now on, by its first line and length."""
    parsed: dict[str, int] = {}
    load = yaml.load

    def counted(text: Any, loader: Any) -> Any:
        data = text if isinstance(text, bytes) else str(text).encode()
        name = f"{data.splitlines()[0].decode()} ({len(data)})"
        parsed[name] = parsed.get(name, 0) + 1
        return load(text, loader)

    patch.setattr(yaml, "load", counted)
    return parsed


@pytest.fixture(scope="session")
def sampled(shared: Shared) -> tuple[Path, str]:
    """The bundled sample replayed: a folder with archive, warehouse and release, and the output."""
    from flows.cli.app import app
    from flows.cli.options import SAMPLE

    def fill(folder: Path) -> None:
        shutil.copytree(SAMPLE, folder / "archive")
        places = [f"--archive={folder / 'archive'}", f"--publish-to={folder / 'published'}"]
        places.append(f"--warehouse={folder / 'observatory.duckdb'}")
        env = {"COLUMNS": "200"}
        with pytest.MonkeyPatch.context() as patch:
            parsed = record_parses(patch)
            done = CliRunner().invoke(app, ["replay", *places, f"--as-of={DAY}"], env=env)
        assert done.exit_code == 0, done.output
        (folder / "parsed.json").write_text(json.dumps(parsed), "utf-8")
        (folder / "said.txt").write_text(done.stdout, "utf-8")

    folder = shared("sampled", fill)
    return folder, (folder / "said.txt").read_text("utf-8")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive."""
    return Archive(tmp_path / "archive")
