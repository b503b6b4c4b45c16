"""Damaged lists of commits and files in transit: what was fetched is whole, or refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.fuzz.mutations import damaged
from tests.standin import Answer, Call, StandIn
from tests.support.arena import CATALOG, SPACE, write
from warehouse.archive.snapshot import ArchiveError, Snapshot, safe_name

SEED, NUMBER = 2026, 40
RECORDED = {
    "arena_catalog": [
        f"{CATALOG}/{day}/leaderboard-image.json" for day in ("2025-05-13", "2025-12-11")
    ],
    "lmarena_space": [f"{SPACE}/leaderboard_table_{day}.csv" for day in ("20230619", "20250330")],
}
LISTS = ("commits", "trees", "tree", "revision", "spaces")


class Damaging(StandIn):
    """Damages one list of each observation on its way: that of the number `which`."""

    rng, which, how, n_damaged = Random(0), -1, "", 0

    def answer(self, call: Call) -> Answer:
        found = super().answer(call)
        if found.status != 200 or not set(call.segments) & {*LISTS} or "resolve" in call.segments:
            return found
        self.which -= 1
        if self.which != -1:
            return found
        damage = damaged(self.rng, "list.json", found.body)
        self.n_damaged += 1
        self.how = f"{'/'.join(call.segments)[-40:]} {damage.how}"
        return replace(found, body=damage.data)


def violations(server: Damaging, source: str, folder: Path, numbers: range) -> Iterator[str]:
    """Damaged observations that ended as they may not."""
    for number in numbers:
        shutil.rmtree(folder, ignore_errors=True)
        server.rng, server.how = Random(f"{SEED}-{source}-{number}"), ""
        server.which = server.rng.randrange(3)
        try:
            found = observe(source, settings_for(server, folder), DAY).snapshot
        except (SourceError, ArchiveError) as error:
            problem = "" if source in str(error) else f"unnamed: {error}"
        except Exception as error:
            problem = f"traceback: {type(error).__name__}: {error}"
        else:
            problem = _odd(found)
        if problem:
            yield f"{number} {source} {server.how:.120}: {problem:.200}"


def _odd(snapshot: Snapshot) -> str:
    for file in snapshot.files:
        safe_name(file.name)
        if snapshot.source == "arena_catalog" and not 1970 <= int(file.name[:4]) < 2200:
            return f"filed under {file.name}"
    return ""


@pytest.fixture
def recorded(recordings: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    for name in (name for names in RECORDED.values() for name in names):
        write(folder / name, (recordings / name).read_bytes())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("source", sorted(RECORDED))
def test_a_damaged_list_is_refused_or_harmless(source: str, recorded: Path, tmp_path: Path) -> None:
    with Damaging(recorded) as server:
        observe(source, settings_for(server, tmp_path / "sound"), DAY)
        assert list(violations(server, source, tmp_path / "fetched", range(NUMBER))) == []
        assert server.n_damaged > NUMBER / 2
