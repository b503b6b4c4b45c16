"""The generated Hub in numbers: which models exist on a day, their age, parents and counters.

The shares are those of the listing of October 2025 (downloads > 0 for 35.5 %, ever for 59.7 %, a
declared base for 28.1 %) and of recorded daily snapshots; see the comments of the constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from infra.bench.draws import Bits, Draws, Floats, Indexes

Flags = npt.NDArray[np.bool_]

FLOOR = datetime(2022, 3, 2, 23, 29, 4, tzinfo=UTC)  # the oldest date of the Hub
AT_FLOOR = 0.002  # of the models of the first day
GROWTH = 2.1  # 348,181 models in October 2023, 3.3 million in November 2026
NEW_A_DAY = 4000 / 3_300_000  # of the models of the first day
DELETED_A_YEAR = 0.02
RENAMED_A_YEAR = 0.005
REGISTRY = 0.03  # of the models; of the downloads far more
AUTHORS = 0.24  # for each model
DERIVED = 0.281
DEEPER = 0.4  # of the derived models of one depth, how many there are one deeper
MAX_DEPTH = 14
ROOT_OF_A_LAB = 0.7  # of the edges to an original model
DEAD_PARENT, SELF_PARENT, TWO_CYCLE = 0.05, 0.002, 0.0002
RELATIONS = ("adapter", "finetune", "quantized", "merge")
RELATION_SHARES = (258_462, 218_000, 116_696, 13_990)
MERGED_MOST = 5
LIVE, EVER = 0.34, 0.60
SLOWEST, TAIL, FASTEST = 0.045, 0.7, 3e6  # downloads a day: a Pareto law, cut
LAB_FACTOR = 30
STALE_DAY, HALF_STALE_DAY = 0.013, 0.026  # of the days; about 9 and 18 of 720
SPIKED, CORRECTED = 1e-4, 1e-5  # of the models, in a year
YEAR, DAY_MS = 365, 86_400_000
NO_PARENT, DEAD = -1, -2


@dataclass(frozen=True)
class Population:
    """A Hub of `models` models on `first_day`, and its changes day by day.

    A model is identified by its index; 0 is the oldest. `n_registry` is the number of namespaces in
    the registry: authors below it are these, other authors are the rest.
    """

    models: int
    n_registry: int
    seed: int = 1
    first_day: date = date(2026, 8, 1)

    @cached_property
    def draws(self) -> Draws:
        """The draws of the seed."""
        return Draws(self.seed)

    @property
    def new_a_day(self) -> int:
        """Models created each day after the first."""
        return max(1, round(self.models * NEW_A_DAY))

    def number(self, day: date) -> int:
        """0 for the first day. Raises ValueError before it."""
        if (number := (day - self.first_day).days) < 0:
            raise ValueError(f"the generated Hub starts on {self.first_day}; it has no {day}")
        return number

    def listed(self, number: int) -> Indexes:
        """The models on a day, in the order of the listing: newest first, ties by id."""
        index = np.arange(self.models + number * self.new_a_day, dtype=np.int64)
        index = index[self.is_listed(index, number)]
        return index[np.lexsort((self.object_bits(index), -self.created_ms(index)))]

    def is_listed(self, index: Indexes, number: int) -> Flags:
        """Whether a model exists on a day."""
        there = (index >= 0) & (index < self.models + number * self.new_a_day)
        return there & (self._leaves(np.maximum(index, 0)) > number)

    def _leaves(self, index: Indexes) -> Floats:
        """The day on which a model is deleted."""
        return self._someday("deleted", index, DELETED_A_YEAR) + self._comes(index)

    def _comes(self, index: Indexes) -> Indexes:
        """The first day on which a model is listed."""
        return np.maximum(0, (index - self.models) // self.new_a_day + 1)

    def _someday(self, purpose: str, index: Indexes, a_year: float) -> Floats:
        """The day of an event that happens to this share of the models per year; 1 or later."""
        with np.errstate(divide="ignore"):
            waits = -np.log(self.draws.unit(purpose, index)) * YEAR / a_year
        return np.asarray(np.floor(waits) + 1)

    def is_renamed(self, index: Indexes, number: int) -> Flags:
        """Whether a model has its second name on a day."""
        return self._someday("renamed", index, RENAMED_A_YEAR) + self._comes(index) <= number

    def day_ms(self, number: int) -> int:
        """The start of a day, UTC, in milliseconds since 1970."""
        begin = datetime.combine(self.first_day, time(), UTC)
        return int(begin.timestamp() * 1000) + number * DAY_MS

    def created_ms(self, index: Indexes) -> Indexes:
        """Creation in milliseconds since 1970."""
        floor, begin = int(FLOOR.timestamp() * 1000), self.day_ms(0)
        old = np.maximum(0, (index + 1) / self.models - AT_FLOOR) / (1 - AT_FLOOR)
        before = floor + (begin - floor) * np.minimum(1, old) ** (1 / GROWTH)
        after = begin + (index + 1 - self.models) * DAY_MS / self.new_a_day
        return np.where(index < self.models, before, after).astype(np.int64)

    def object_bits(self, index: Indexes) -> Bits:
        """The last 64 bits of the object id; the first 32 are the second of creation."""
        return self.draws.bits("object", index)

    def authors(self, index: Indexes) -> Indexes:
        """The namespace of a model: a few have very many models."""
        is_lab = self.draws.unit("of a lab", index) < REGISTRY
        skewed = self.draws.unit("author", index) ** 3
        others = max(1, int(self.models * AUTHORS))
        return np.where(
            is_lab & (self.n_registry > 0),
            (skewed * self.n_registry).astype(np.int64),
            self.n_registry + (skewed * others).astype(np.int64),
        )

    def depths(self, index: Indexes) -> Indexes:
        """Steps from a model up to an original one, unless a parent is dead, itself or a child."""
        drawn = self.draws.unit("depth", index) / DERIVED
        with np.errstate(divide="ignore"):
            deeper = 1 + np.floor(np.log(np.minimum(drawn, 1)) / np.log(DEEPER))
        return np.where(drawn < 1, np.minimum(deeper, MAX_DEPTH), 0).astype(np.int64)

    def parents(self, index: Indexes, which: int = 0) -> Indexes:
        """A parent of each model: its index, NO_PARENT or DEAD (one that is on no listing).

        `which` counts the parents of a merge. A parent is older, but for two models that name
        each other.
        """
        depths, draw = self.depths(index), self.draws.unit(f"parent {which}", index)
        newest = int(index.max(initial=0)) - self.models
        pools = _pools(self, max(0, newest // self.new_a_day // YEAR + 1))
        found = np.full(len(index), NO_PARENT, dtype=np.int64)
        of_lab = self.draws.unit(f"root of a lab {which}", index) < ROOT_OF_A_LAB
        for depth in range(1, MAX_DEPTH + 1):
            for pool, here in (
                (-1, (depths == depth) & of_lab & (depth == 1)),
                (depth - 1, (depths == depth) & ~(of_lab & (depth == 1))),
            ):
                older = np.searchsorted(pools[pool], index[here])
                at = (draw[here] ** 3 * older).astype(np.int64)  # the old ones have the children
                some = older > 0
                chosen = np.full(len(older), DEAD, dtype=np.int64)
                chosen[some] = pools[pool][at[some]]
                found[here] = chosen
        return self._odd(index, found) if which == 0 else found

    def _odd(self, index: Indexes, parents: Indexes) -> Indexes:
        """Dead parents, models that name themselves, pairs that name each other."""
        drawn = self.draws.unit("odd parent", index)
        has = parents != NO_PARENT
        parents = np.where(has & (drawn < DEAD_PARENT), DEAD, parents)
        parents = np.where(has & (drawn > 1 - SELF_PARENT), index, parents)
        paired = self.draws.unit("pair", index // 2) < TWO_CYCLE
        return np.where(paired, index ^ 1, parents)

    def n_parents(self, index: Indexes) -> Indexes:
        """1, or 2 and more for a merge."""
        merged = self.relations(index) == RELATIONS.index("merge")
        more = 2 + self.draws.below("merged", index, MERGED_MOST - 1)
        return np.where(merged, more, 1)

    def relations(self, index: Indexes) -> Indexes:
        """Position in RELATIONS of what a derived model is to its parents."""
        edges = np.cumsum(RELATION_SHARES) / sum(RELATION_SHARES)
        return np.searchsorted(edges[:-1], self.draws.unit("relation", index), side="right")

    def downloads(self, index: Indexes, number: int) -> tuple[Indexes, Indexes]:
        """Downloads of 30 days and of all time, as counted up to a day.

        The two agree: the window is the difference of two totals, 30 days apart.
        """
        today = self._counted_up_to(index, number)
        total = self._total(index, today)
        window = total - self._total(index, today - 30)
        corrected = self._someday("corrected", index, CORRECTED) <= number
        return window, np.where(corrected, total - total // 10, total)

    def _counted_up_to(self, index: Indexes, number: int) -> Indexes:
        """The day that the counters show: on a stale day that of yesterday, for all or for half."""
        day = np.array([number], dtype=np.int64)
        kind = float(self.draws.unit("stale", day)[0]) if number else 1.0
        share = 1.0 if kind < STALE_DAY else 0.5 if kind < STALE_DAY + HALF_STALE_DAY else 0.0
        late = (self.draws.unit("counted", index, number) < share).astype(np.int64)
        return np.asarray(number - late)

    def _total(self, index: Indexes, day: Indexes) -> Indexes:
        """All downloads up to a day: never fewer than the day before."""
        kind = self.draws.unit("downloads", index)
        age = day + self._age_on_first_day(index)
        noise = 0.9 * _noise(self.draws.bits("noise", index), day)
        steady = age + 20 * (1 - np.exp(-np.maximum(age, 0) / 20)) + noise
        faded = 60 * (1 - np.exp(-np.maximum(age, 0) / 10))
        grown = np.where(kind < LIVE, steady, np.where(kind < EVER, faded, 0))
        total = np.floor(np.where(age > 0, self._rates(index) * grown, 0)).astype(np.int64)
        spiked = self._someday("spiked", index, SPIKED) <= day
        return np.where(
            spiked & (age > 0), total + self._rates(index).astype(np.int64) * 1000, total
        )

    def _age_on_first_day(self, index: Indexes) -> Floats:
        """Days, negative for models that come later."""
        return (self.day_ms(0) - self.created_ms(index)) / DAY_MS

    def _rates(self, index: Indexes) -> Floats:
        """Downloads a day; a few models have nearly all."""
        rates = SLOWEST * (1 - self.draws.unit("rate", index)) ** (-1 / TAIL)
        of_lab = self.authors(index) < self.n_registry
        return np.minimum(np.where(of_lab, LAB_FACTOR * rates, rates), FASTEST)

    def likes(self, index: Indexes, number: int) -> Indexes:
        """Likes: most models have none, and they can fall."""
        ever = self.draws.unit("likes", index)
        most = np.where(ever < 0.25, 0.8 * (1 - self.draws.unit("fame", index)) ** (-1 / 1.1), 0)
        age = np.maximum(0, number + self._age_on_first_day(index))
        likes = np.floor(np.minimum(most, 20_000) * (1 + np.log1p(age / 365))).astype(np.int64)
        unliked = self.draws.unit("unliked", index, number) < 0.004
        return np.asarray(np.maximum(0, likes - unliked))


@lru_cache(maxsize=2)
def _pools(population: Population, years: int) -> dict[int, Indexes]:
    """Possible parents by depth, oldest first; the original models of labs alone under -1."""
    every = np.arange(population.models + years * YEAR * population.new_a_day, dtype=np.int64)
    depths = population.depths(every)
    pools = {depth: every[depths == depth] for depth in range(MAX_DEPTH)}
    return {**pools, -1: pools[0][population.authors(pools[0]) < population.n_registry]}


def _noise(bits: Bits, day: Indexes) -> Floats:
    """A number in [0, 1) for each model and day."""
    with np.errstate(over="ignore"):
        x = (bits ^ (day + 4096).astype(np.uint64)) * np.uint64(0xD6E8FEB86659FD93)
    return np.asarray(((x ^ (x >> np.uint64(32))) >> np.uint64(11)) * 2.0**-53)
