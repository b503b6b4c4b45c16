"""The order of the transforms, derived from their parameters.

A transform is a function named after its table, in a module of the same name. Its parameters are
named after the tables that it reads: `raw_x` reads raw.x, `meta_snapshots` the list of snapshots,
any other name a computed table, that of `core` if a mart has the same name. `as_of` and `known_at`
are dates of the run: the last day that it looks at, and the day whose knowledge of the registry it
uses. There is no other list of transforms.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module

import polars as pl

import transforms.core
import transforms.mart
import transforms.meta

LAYERS = {"core": transforms.core, "mart": transforms.mart, "meta": transforms.meta}
CLOCKS = ("as_of", "known_at")
LOADED = {"meta_snapshots": "meta.snapshots"}  # filled before any transform runs


class PlanError(ValueError):
    """A transform whose parameter names no table."""


@dataclass(frozen=True)
class Step:
    """A table to compute: its function and the tables that the function reads."""

    table: str
    function: Callable[..., pl.LazyFrame]
    inputs: dict[str, str]  # parameter -> table
    clocks: tuple[str, ...]  # those of CLOCKS that the function reads


@cache
def plan() -> tuple[Step, ...]:
    """Every transform, inputs before outputs and otherwise by name.

    Raises PlanError for a parameter that names no table, graphlib.CycleError for a circle.
    """
    found = [
        (module.name, f"{layer}.{module.name}")
        for layer, package in LAYERS.items()
        for module in pkgutil.iter_modules(package.__path__)
    ]
    tables = dict(reversed(found))  # of two tables with one name the first layer counts
    steps = {table: _step(name, table, tables) for name, table in sorted(found)}
    sorter = TopologicalSorter(
        {t: [i for i in s.inputs.values() if i in steps] for t, s in steps.items()}
    )
    sorter.prepare()
    order: list[Step] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += [steps[table] for table in ready]
        sorter.done(*ready)
    return tuple(order)


def _step(name: str, table: str, tables: dict[str, str]) -> Step:
    function = getattr(import_module(f"transforms.{table}"), name)
    parameters = list(inspect.signature(function).parameters)
    unknown = [
        p for p in parameters if p not in (*tables, *LOADED, *CLOCKS) and not p.startswith("raw_")
    ]
    if unknown:
        raise PlanError(
            f"transforms/{table.replace('.', '/')}.py: no core, mart or meta table is named "
            f"{', '.join(unknown)}; correct the parameter (raw_<name> for a raw table) or add a "
            "transform of that name"
        )
    inputs = {
        p: f"raw.{p.removeprefix('raw_')}" if p.startswith("raw_") else {**LOADED, **tables}[p]
        for p in parameters
        if p not in CLOCKS
    }
    return Step(table, function, inputs, tuple(c for c in CLOCKS if c in parameters))
