"""Same inputs, same bytes: whatever the threads, the hash seed and the time zone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from flows.cli.options import SAMPLE
from tests.conftest import DAY
from tests.support.builds import GENERATED, LATER
from tests.support.digests import AXES, Environment, differing, elsewhere, ends, every, few
from warehouse.contracts.table import contracts


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
    assert all(len({e[name] for e in ends()}) == 2 for name in AXES)


@pytest.mark.slow  # three whole builds
def test_the_sample_gives_the_same_bytes_on_machines_of_every_kind() -> None:
    assert_same(SAMPLE, DAY, few())


@pytest.mark.slow
def test_a_generated_hub_gives_the_same_bytes_on_machines_of_every_kind(generated: Path) -> None:
    assert_same(generated, GENERATED, few())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_recordings_give_the_same_bytes_on_machines_that_differ(recorded_days: Path) -> None:
    assert_same(recorded_days, LATER, ends())  # each takes about 50 s; all of them: exhaustive


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("which", ["sample", "recordings", "generated"])
def test_all_environments_give_the_same_bytes(
    which: str, recorded_days: Path, generated: Path
) -> None:
    archive = {"sample": SAMPLE, "recordings": recorded_days, "generated": generated}[which]
    as_of = {"sample": DAY, "recordings": LATER, "generated": GENERATED}[which]
    assert_same(archive, as_of, every())
