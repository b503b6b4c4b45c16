"""Same inputs, same bytes: whatever the threads, the hash seed and the time zone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from flows.cli import SAMPLE
from infra.bench import generate
from tests.conftest import DAY, Shared
from tests.digests import AXES, Environment, differing, elsewhere, every, few
from warehouse.contract import contracts

LATER = date(2026, 10, 15)  # all recordings
MODELS, DAYS = 20_000, 3


@pytest.fixture(scope="module")
def generated(shared: Shared) -> Path:
    """An archive with three days of a made-up Hub."""

    def fill(folder: Path) -> None:
        asked = ["--models", MODELS, "--days", DAYS, "--into", folder]
        assert not generate.main([str(word) for word in asked])

    return shared("generated", fill)


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
def test_the_recordings_give_the_same_bytes_on_machines_of_every_kind(recordings: Path) -> None:
    assert_same(recordings, LATER, few())


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("which", ["sample", "recordings", "generated"])
def test_all_environments_give_the_same_bytes(
    which: str, recordings: Path, generated: Path
) -> None:
    archive = {"sample": SAMPLE, "recordings": recordings, "generated": generated}[which]
    as_of = {"sample": DAY, "recordings": LATER, "generated": date(2026, 8, 3)}[which]
    assert_same(archive, as_of, every())
