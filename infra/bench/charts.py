"""Charts of the bench as SVG, if the renderer of infra/requirements-bench.txt is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from infra.bench.results import Results
from infra.bench.steps import SIDES, STEPS

Chart: TypeAlias = Any  # altair's types are not more specific
WIDTH, HEIGHT = 260, 180


def write_charts(results: Results, folder: Path, packages: Path) -> list[Path]:
    """Cost by number of models and by days of history. Returns the files of the charts."""
    if str(packages) not in sys.path:
        sys.path.append(str(packages))
    if find_spec("vl_convert") is None:
        print(f"charts not updated: {packages} has no vl-convert; `make bench` installs it")
        return sorted(folder.glob("cost-*.svg"))
    made = {"cost-by-models": _by_models(results), "cost-by-days": _by_days(results)}
    written: list[Path] = []
    for name, chart in made.items():
        if chart is not None:
            path = folder / f"{name}.svg"
            chart.save(str(path))
            written.append(path)
    return written


def _by_models(results: Results) -> Chart | None:
    import altair  # noqa: PLC0415 - slow to import

    alt: Chart = altair

    rows = [
        {"step": step.name, "models": models, "side": side, "seconds": seconds}
        for step in STEPS
        for models in results.sizes()
        for side in SIDES
        if (seconds := results.median(models, step.name, side)) is not None
    ]
    if not rows:
        return None
    side = alt.Color("side:N", sort=list(SIDES), title=None)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=True)
        .encode(
            alt.X("models:Q", scale=alt.Scale(type="log"), axis=alt.Axis(format="~s")),
            alt.Y("seconds:Q", scale=alt.Scale(type="log")),
            side,
        )
        .properties(width=WIDTH, height=HEIGHT)
        .facet(alt.Facet("step:N", sort=[s.name for s in STEPS], title=None), columns=4)
    )


def _by_days(results: Results) -> Chart | None:
    import altair  # noqa: PLC0415 - slow to import

    alt: Chart = altair

    found = results.days()
    if not found:
        return None
    rows = [{"day": n, "seconds": s} for n, s in enumerate(found["seconds"], 1) if n > 1]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_point(size=8)
        .encode(alt.X("day:Q"), alt.Y("seconds:Q", scale=alt.Scale(zero=True)))
        .properties(
            width=2 * WIDTH,
            height=HEIGHT,
            title=f"A day's update of the history, {found['models']:,} models",
        )
    )
