"""RESULTS.md and its charts, made from the measurements."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from infra.bench.charts import write_charts
from infra.bench.results import Results
from infra.bench.steps import PARTS, SIDES, STEPS
from infra.bench.targets import Judged, judged, judged_days, near, sum_of

ENGINES = ("duckdb", "polars", "great-expectations", "pandas", "prefect")


def write_report(results: Results, folder: Path, packages: Path) -> list[Path]:
    """Writes the report of every size that was measured. Returns its files."""
    folder.mkdir(parents=True, exist_ok=True)
    charts = write_charts(results, folder, packages)
    path = folder / "RESULTS.md"
    path.write_text("\n".join(_lines(results, charts, packages)) + "\n", "utf-8")
    return [path, *charts]


def _lines(results: Results, charts: list[Path], packages: Path) -> Iterator[str]:
    yield "# Scale bench: results"
    yield ""
    yield "Written by `make bench` from its measurements; the models are generated"
    yield "(`infra/bench/generate.py`). *By hand* is one script for the whole run"
    yield "(`infra/bench/by_hand.py`), with the same shares and without quarantine, provenance,"
    yield "bounds or documents. A *floor* is a step as one hand-written statement for DuckDB. Each"
    yield "side runs in its own process, alternately; seconds are medians of the rounds, without"
    yield "imports. Nothing is extrapolated."
    yield ""
    yield f"Machine: {_machine()}. {_versions(packages)}."
    yield ""
    yield from _overview(results)
    for chart in charts:
        yield ""
        yield f"![{chart.stem.replace('-', ' ')}]({chart.name})"
    for models in reversed(results.sizes()):
        yield from _size(results, models)
    yield from _days(results)


def _overview(results: Results) -> Iterator[str]:
    """The whole run at each size: what a user wants to know first."""
    yield "| models | archive to release | peak memory | by hand | times | floors | times |"
    yield "|---|---|---|---|---|---|---|"
    for models in results.sizes():
        whole, hand = (results.median(models, "whole", side) for side in ("ours", "floor"))
        floors = sum_of(results, models, PARTS, "floor")
        if whole is not None:
            cells = [f"{models:,}", _seconds(whole), _memory(results, models, "whole")]
            cells += [_seconds(hand), _ratio(whole, hand), _seconds(floors), _ratio(whole, floors)]
            yield f"| {' | '.join(cells)} |"


def _size(results: Results, models: int) -> Iterator[str]:
    yield ""
    yield f"## {models:,} models"
    yield ""
    yield "| step | ours | floor | ours / floor | by CPU | peer | peer's fast way | peak memory |"
    yield "|---|---|---|---|---|---|---|---|"
    for step in STEPS:
        if results.median(models, step.name, "ours") is not None:
            yield _row(results, models, step.name)
    yield ""
    yield "Peers: dlt (load; with Python objects, and with Arrow from DuckDB), pandas (transforms,"
    yield "Parquet), Great Expectations on pandas batches (validation)."
    yield from _targets(judged(results, models))
    yield from _where(judged(results, models))


def _where(targets: list[Judged]) -> Iterator[str]:
    for target in targets:
        if target.where:
            yield ""
            yield f"Where the time goes, {target.what}: {target.where}."


def _targets(targets: list[Judged]) -> Iterator[str]:
    yield ""
    yield "| target | wanted | found | |"
    yield "|---|---|---|---|"
    for target in targets:
        yield f"| {target.what} | {target.wanted} | {target.found} | {target.verdict} |"


def _row(results: Results, models: int, step: str) -> str:
    seconds = [results.median(models, step, side) for side in SIDES]
    cpu = [results.median(models, step, side, "cpu_seconds") for side in ("ours", "floor")]
    ours, floor, *peers = seconds
    cells = [step, _seconds(ours), _seconds(floor), _ratio(ours, floor), _ratio(*cpu)]
    cells += [*map(_seconds, peers), _memory(results, models, step)]
    return f"| {' | '.join(cells)} |"


def _memory(results: Results, models: int, step: str) -> str:
    peak = results.median(models, step, "ours", "peak_gb")
    return "" if peak is None else f"{peak:.2f} GB"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _ratio(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one is not None and other else ""


def _days(results: Results) -> Iterator[str]:
    found = results.days()
    if not found:
        return
    seconds, sizes = found["seconds"], found["bytes"]
    yield ""
    yield f"## A day's update of the history, {found['models']:,} models"
    yield ""
    yield "| day | models | seconds (median of five days) | bytes of the history |"
    yield "|---|---|---|---|"
    for day in sorted({2, 30, 365, len(seconds)}):
        if day <= len(seconds):
            models = found["listed"][day - 1]
            yield f"| {day} | {models:,} | {near(seconds, day):.2f} | {sizes[day - 1]:,} |"
    yield from _targets(judged_days(found))
    yield from _where(judged_days(found))


def _machine() -> str:
    """Processor, cores, memory and system; never a name or a path."""
    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":", 1)[1].strip() for line in facts.splitlines() if "model name" in line]
    memory = Path("/proc/meminfo")
    kilobytes = int(memory.read_text().split()[1]) if memory.exists() else 0
    return (
        f"{models[0] if models else platform.machine()}, {len(models) or '?'} cores, "
        f"{kilobytes / 1024**2:.0f} GiB, {platform.system()}"
    )


def _versions(packages: Path) -> str:
    found = [f"{name} {version(name)}" for name in ENGINES]
    for name in ("dlt",):
        folders = sorted(packages.glob(f"{name}-*.dist-info"))
        found += [folder.name.removesuffix(".dist-info").replace("-", " ") for folder in folders]
    return f"Python {platform.python_version()}, {', '.join(found)}"
