"""The targets for one day of the whole Hub on two cores, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from infra.bench.results import Results
from infra.bench.steps import CORE_AND_MART, PARTS


@dataclass(frozen=True)
class Judged:
    """One target against what was measured."""

    what: str
    wanted: str
    found: str
    verdict: str
    where: str = ""  # the slowest parts, if the target was missed


def judged(results: Results, models: int) -> list[Judged]:
    """The targets whose steps were measured at this size."""
    return list(_judged(results, models))


def _judged(results: Results, models: int) -> Iterator[Judged]:
    def at_most(what: str, ours: str | tuple[str, ...], limit: float) -> Iterator[Judged]:
        names = (ours,) if isinstance(ours, str) else ours
        mine, floor = (sum_of(results, models, names, side) for side in ("ours", "floor"))
        if mine is not None and floor:
            where = _where(results, models, names) if mine > limit * floor else ""
            yield _limit(what, mine / floor, limit, " x floor", where)

    def faster(what: str, step: str, side: str, times: float) -> Iterator[Judged]:
        peer, ours = (results.median(models, step, one) for one in (side, "ours"))
        if peer and ours:
            met = peer / ours >= times
            verdict = "met" if met else f"missed: {peer / ours / times:.0%} of it"
            yield Judged(what, f">= {times:g} x", f"{peer / ours:.1f} x", verdict)

    yield from at_most("parse and load", "load", 1.2)
    yield from faster("parse and load against dlt with Arrow", "load", "fast_peer", 2)
    yield from at_most("a day's history", "history", 2)
    yield from at_most("core and mart", CORE_AND_MART, 1.5)
    yield from at_most("validation inside DuckDB", "validation", 1.1)
    yield from faster("validation against pandas batches", "validation", "peer", 4)
    yield from at_most("publishing", "publish", 1.3)
    yield from at_most("the whole, against one script by hand", "whole", 1.5)
    yield from _whole(results, models)
    yield from _orchestration(results, models)
    if (peak := results.median(models, "whole", "ours", "peak_gb")) is not None:
        yield _limit("peak memory of the whole", peak, 4, " GB")
    if (year := results.median(models, "year", "ours")) is not None:
        yield _limit("country shares of a year of days", year, 1, " s")


def judged_days(found: dict[str, Any]) -> list[Judged]:
    """The targets for the history, from cost and result of its days."""
    seconds, listed, days = found["seconds"], found["listed"], len(found["seconds"])
    late, grown = near(seconds, days) / near(seconds, 2), listed[-1] / listed[1]
    where = f"the Hub itself has grown {grown:.2f} x by then, the update {late:.2f} x"
    # The first day writes every model; changes are stored from the second day on.
    stored = sum(found["change_bytes"][1:]) / max(1, sum(found["changed"][1:]))
    return [
        _limit(
            f"a day's update by model, day {days} against day 2", late / grown, 1.1, " x", where
        ),
        _limit("stored for each changed model and day", stored, 10, " bytes"),
    ]


def near(seconds: list[float], day: int) -> float:
    """Median of the five days around one, counted from 1."""
    return median(seconds[max(1, day - 3) : day + 2])


def _whole(results: Results, models: int) -> Iterator[Judged]:
    floors = sum_of(results, models, PARTS, "floor")
    if (whole := results.median(models, "whole", "ours")) is not None and floors:
        where = _where(results, models, ("whole",)) if whole > 1.5 * floors else ""
        yield _limit("the whole, against the sum of the floors", whole / floors, 1.5, " x", where)


def _orchestration(results: Results, models: int) -> Iterator[Judged]:
    """Fixed cost from the smallest size, further cost from this one."""
    sizes = [n for n in results.sizes() if results.median(n, "prefect", "ours") is not None]
    over = {n: _over(results, n) for n in sizes}
    if models not in over or over[models] is None:
        return
    fixed = over[min(sizes)] or 0.0
    yield _limit(f"Prefect, fixed (at {min(sizes):,} models)", fixed, 10, " s")
    whole, mine = results.median(models, "whole", "ours"), over[models]
    if whole and mine is not None and models != min(sizes):
        yield _limit("Prefect, beyond the fixed", 100 * max(0.0, mine - fixed) / whole, 5, " %")


def _over(results: Results, models: int) -> float | None:
    flow, plain = (results.median(models, step, "ours") for step in ("prefect", "whole"))
    return None if flow is None or plain is None else flow - plain


def sum_of(results: Results, models: int, steps: tuple[str, ...], side: str) -> float | None:
    """The medians of one side of some steps, added up; None if one was not measured."""
    values = [results.median(models, step, side) for step in steps]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _limit(what: str, found: float, limit: float, unit: str, where: str = "") -> Judged:
    verdict = "met" if found <= limit else f"missed by {found / limit - 1:.0%}"
    return Judged(what, f"<= {limit:g}{unit}", f"{found:.2f}{unit}", verdict, where)


def _where(results: Results, models: int, steps: tuple[str, ...]) -> str:
    """The parts of the steps, slowest first."""
    parts: dict[str, float] = {}
    for step in steps:
        rounds = results.of(models, step, "ours")
        parts |= rounds[-1]["detail"] or {step: rounds[-1]["seconds"]}
    longest = sorted(parts.items(), key=lambda part: -part[1])[:6]
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in longest)
