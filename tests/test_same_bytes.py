"""Same inputs, same bytes: whatever the threads, the hash seed and the time zone."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from flows.cli import SAMPLE
from flows.observe import observe
from flows.settings import Settings
from infra.bench import generate
from tests.conftest import DAY, Shared, settings_for
from tests.digests import AXES, Environment, differing, elsewhere, every, few
from tests.standin import StandIn
from warehouse.contract import contracts

LATER = date(2026, 10, 15)  # the last of the recordings
MODELS, DAYS = 20_000, 3


@pytest.fixture(scope="module")
def generated(shared: Shared) -> Path:
    """An archive with three days of a made-up Hub."""

    def fill(folder: Path) -> None:
        asked = ["--models", MODELS, "--days", DAYS, "--into", folder]
        assert not generate.main([str(word) for word in asked])

    return shared("generated", fill)


@pytest.fixture(scope="module")
def recorded(observed: Settings, recordings: Path, shared: Shared) -> Path:
    """An archive of every source as recorded, and of the Hub on a later day too."""

    def fill(folder: Path) -> None:
        shutil.copytree(observed.archive, folder / "archive")
        with StandIn(recordings, hub_date=str(LATER)) as server:
            observe("hub", settings_for(server, folder), LATER)

    return shared("recorded", fill) / "archive"


def assert_same(archive: Path, as_of: date, environments: list[Environment]) -> None:
    found = {" ".join(e.values()): elsewhere(e, archive, as_of) for e in environments}
    assert len(found) == len(environments)
    assert all(set(each) == set(contracts()) for each in found.values())
    assert not differing(found)


def test_a_few_environments_hold_every_value_of_every_axis() -> None:
    assert {name: {e[name] for e in few()} for name in AXES} == {
        name: set(values) for name, values in AXES.items()
    }
    assert len(every()) == 72


def test_the_sample_gives_the_same_bytes_on_machines_of_every_kind() -> None:
    assert_same(SAMPLE, DAY, few())


@pytest.mark.slow
def test_a_generated_hub_gives_the_same_bytes_on_machines_of_every_kind(generated: Path) -> None:
    assert_same(generated, date(2026, 8, 3), few())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_recordings_give_the_same_bytes_on_machines_of_every_kind(recorded: Path) -> None:
    assert_same(recorded, LATER, few())


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("which", ["sample", "recordings", "generated"])
def test_all_environments_give_the_same_bytes(which: str, recorded: Path, generated: Path) -> None:
    archive = {"sample": SAMPLE, "recordings": recorded, "generated": generated}[which]
    as_of = {"sample": DAY, "recordings": LATER, "generated": date(2026, 8, 3)}[which]
    assert_same(archive, as_of, every())
