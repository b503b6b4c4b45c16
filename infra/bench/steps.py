"""The measured steps: ours, its floor, its peer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.bench import floors, ours, peers
from infra.bench.ours import Work
from infra.bench.places import Place

Task = Callable[[Place, Path], Work]
SIDES = ("ours", "floor", "peer", "fast_peer")


@dataclass(frozen=True)
class Step:
    """One step of a build, and what it is compared with."""

    name: str
    ours: Task
    floor: Task | None = None
    peer: Task | None = None
    fast_peer: Task | None = None  # the same peer, used in its fastest way

    def sides(self) -> dict[str, Task]:
        """The sides, in the order in which they alternate."""
        tasks = (self.ours, self.floor, self.peer, self.fast_peer)
        return {side: task for side, task in zip(SIDES, tasks, strict=True) if task}


STEPS = (
    Step("load", ours.load, floors.load, peers.load, peers.load_arrow),
    Step("history", ours.history, floors.history),
    Step("models", ours.transform("models"), floors.statement(floors.MODELS), peers.models),
    Step("lineage", ours.transform("lineage"), floors.statement(floors.LINEAGE), peers.lineage),
    Step("names", ours.transform("names"), floors.names),
    Step("shares", ours.transform("shares"), floors.statement(floors.SHARES), peers.shares),
    Step("validation", ours.validation, floors.validation, peers.validation),
    Step("parquet", ours.parquet, floors.parquet, peers.parquet),
    Step("publish", ours.publish, floors.publish),
    Step("year", ours.year),
    Step("whole", ours.whole, floors.whole),
    Step("prefect", ours.prefect),
)
PARTS = ("load", "history", "models", "lineage", "names", "shares", "validation", "publish")
CORE_AND_MART = ("models", "lineage", "names", "shares")


def step(name: str) -> Step:
    """The step of a name. Raises KeyError."""
    return {s.name: s for s in STEPS}[name]
