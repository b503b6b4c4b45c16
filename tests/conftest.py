"""What all tests share: where the recordings are, and the real pieces they run against."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.settings import Settings
from tests.standin import StandIn
from warehouse.archive import Archive

ROOT = Path(__file__).resolve().parent.parent
DAY = date(2026, 8, 15)


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> None:
    """No setting, credential or token of the machine reaches a test."""
    for name in list(os.environ):
        ours = name.startswith(("OBSERVATORY_RECORDINGS", "OBSERVATORY_DUCKDB_"))
        if name.startswith(("OBSERVATORY_", "AWS_", "HF_")) and not ours:
            del os.environ[name]
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_UPDATE_CHECK="1")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The recorded source data, beside the repository; tests that need it skip without it."""
    folder = Path(os.environ.get("OBSERVATORY_RECORDINGS", ROOT.parent / "shared" / "archive"))
    if not (folder / "MANIFEST.csv").exists():
        pytest.skip(f"no recordings at {folder} (set OBSERVATORY_RECORDINGS)")
    return folder


@pytest.fixture(scope="session")
def standin(recordings: Path) -> Iterator[StandIn]:
    """The sources as recorded, on loopback; Hub day 2026-08-15."""
    with StandIn(recordings, hub_date=DAY.isoformat()) as server:
        yield server


def settings_for(server: StandIn, folder: Path, **more: object) -> Settings:
    """Settings that point at a stand-in and keep everything below one folder."""
    return Settings(
        archive=folder / "archive",
        warehouse=folder / "observatory.duckdb",
        docs=folder / "validation",
        publish_to=(str(folder / "published"),),
        hub_url=server.exports.get("HF_ENDPOINT", server.url),
        epoch_url=server.exports.get("OBSERVATORY_EPOCH_URL", server.url),
        ai_index_url=server.exports.get("OBSERVATORY_AI_INDEX_URL"),
        sources=server.exports["OBSERVATORY_SOURCES"],
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def observed(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Every source observed once from the recordings; read it, do not write to it."""
    from flows.observe import observe

    settings = settings_for(standin, tmp_path_factory.mktemp("observed"))
    for source in settings.sources:
        observe(source, settings, DAY)
    return settings


@pytest.fixture(scope="session")
def built(observed: Settings) -> Settings:
    """The validated warehouse of those observations, at `settings.warehouse`."""
    from flows import stages

    stages.build(observed, DAY)
    return observed


@pytest.fixture(scope="session")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The bundled sample replayed: a folder with archive, warehouse and release; what was said."""
    from flows.cli import SAMPLE, app

    folder = tmp_path_factory.mktemp("sampled")
    shutil.copytree(SAMPLE, folder / "archive")
    places = [f"--archive={folder / 'archive'}", f"--publish-to={folder / 'published'}"]
    places.append(f"--warehouse={folder / 'observatory.duckdb'}")
    done = CliRunner().invoke(app, ["replay", *places, f"--as-of={DAY}"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return folder, done


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive."""
    return Archive(tmp_path / "archive")
