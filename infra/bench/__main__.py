"""The scale bench: `python -m infra.bench --models 100000`, or `make bench N=100000`.

Each side of each step (ours, floor, peer) runs in its own process, alternately. Results are stored
in data/bench/results, so a run that was stopped continues.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from time import perf_counter

from infra.bench.days import days
from infra.bench.measure import MeasureError, measured
from infra.bench.places import Place
from infra.bench.report import write_report
from infra.bench.results import Results
from infra.bench.steps import STEPS

PEERS_UP_TO = 100_000  # models; a peer by Python objects takes hours at the largest size


def main(arguments: list[str] | None = None) -> int:
    """Measures what is missing, then writes the report. Returns 1 if a step fails."""
    chosen = _parser().parse_args(arguments)
    if chosen.fresh:
        shutil.rmtree(chosen.data / "results" / str(chosen.models), ignore_errors=True)
    results = Results(chosen.data / "results")
    try:
        if chosen.history_days:
            _history(results, chosen.models, chosen.history_days)
        else:
            _steps(results, chosen)
    except MeasureError as error:
        print(error, file=sys.stderr)
        return 1
    for path in write_report(results, chosen.report, chosen.packages):
        print(f"written: {path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    parser.add_argument("--models", type=int, default=3_300_000)
    parser.add_argument("--rounds", type=int, help="default 3, 2 above a million models")
    parser.add_argument("--steps", default=",".join(s.name for s in STEPS), help="comma list")
    parser.add_argument("--peers-up-to", type=int, default=PEERS_UP_TO, help="models; 0 = no peer")
    parser.add_argument(
        "--history-days", type=int, help="measure this many days of history instead"
    )
    parser.add_argument("--fresh", action="store_true", help="measure this size again")
    parser.add_argument("--data", type=Path, default=Path("data/bench"))
    parser.add_argument(
        "--report", type=Path, default=Path("infra/bench"), help="folder of the report"
    )
    parser.add_argument(
        "--packages", type=Path, default=Path(".venv/bench"), help="packages of the peers"
    )
    return parser


def _history(results: Results, models: int, n_days: int) -> None:
    print(f"history: {n_days} days of {models:,} models, one after another")
    results.keep(results.folder / "days.json", days(models, n_days))


def _steps(results: Results, chosen: argparse.Namespace) -> None:
    models, place = chosen.models, Place(chosen.data / str(chosen.models), chosen.models)
    rounds = chosen.rounds or (3 if models <= 1_000_000 else 2)
    todo = _plan(results, chosen, rounds)
    print(f"bench of {models:,} models: {len(todo)} measurements to do, {rounds} rounds")
    for name, side, number in todo:
        print(f"  {name}, {side}, round {number}")
    if not todo:
        return
    begin = perf_counter()
    place.folder.mkdir(parents=True, exist_ok=True)
    place.prepare()
    print(f"inputs: {perf_counter() - begin:.0f} s", flush=True)
    for name, side, number in todo:
        found = measured(name, side, place, chosen.packages)
        results.keep(results.path(models, name, side, number), found)
        times = f"{found['seconds']:8.2f} s {found['cpu_seconds']:8.2f} s CPU"
        print(f"{name:10} {side:5} {number} {times} {found['peak_gb']:5.2f} GB", flush=True)


def _plan(results: Results, chosen: argparse.Namespace, rounds: int) -> list[tuple[str, str, int]]:
    """The missing measurements: step by step, with alternating sides."""
    wanted = chosen.steps.split(",")
    if unknown := sorted(set(wanted) - {s.name for s in STEPS}):
        raise MeasureError(
            f"unknown steps {', '.join(unknown)}; choose from {_parser().get_default('steps')}"
        )
    return [
        (step.name, side, number)
        for step in STEPS
        if step.name in wanted
        for number in range(1, rounds + 1)
        for side in step.sides()
        if _is_asked(side, chosen)
        and not results.path(chosen.models, step.name, side, number).exists()
    ]


def _is_asked(side: str, chosen: argparse.Namespace) -> bool:
    """A peer's fast way is measured at every size, if peers are asked for at all."""
    least = {"peer": chosen.models, "fast_peer": 1}.get(side, 0)
    return bool(chosen.peers_up_to >= least)


if __name__ == "__main__":
    sys.exit(main())
