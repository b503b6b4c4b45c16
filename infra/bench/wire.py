"""The generated Hub as the API would write it: one JSON object a model, no Python loop over rows.

Polars puts the text together from the numbers of `infra.bench.population`. Keys and shapes are
those of the listing with our expand: `pipeline_tag`, `library_name` and `safetensors` are absent
where there is none, `baseModels` is null there, `gated` is false or a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from infra.bench import words
from infra.bench.columns import as_text, hex_digits, moment, pick, quoted, spread
from infra.bench.draws import Indexes
from infra.bench.population import DEAD, MERGED_MOST, NO_PARENT, RELATIONS, Flags, Population

CHUNK_ROWS = 100_000  # a chunk is some 70 MB of text

_TASKS = [words.json_text(task) if task else None for task, *_ in words.KINDS]
_LIBRARIES = [words.json_text(library) if library else None for _, library, _ in words.KINDS]
_EXTRAS = words.extras()
_LICENSES = [f'"license:{name}"' for name in words.LICENSES.split()]


@dataclass(frozen=True)
class Wire:
    """A population as text. `namespaces` are the registry's; `keys` what the listing expands."""

    population: Population
    namespaces: tuple[str, ...]
    keys: tuple[str, ...]

    def pages(self, number: int, page_rows: int) -> Iterator[tuple[bytes, int]]:
        """The pages of the listing of a day, newest model first, each with its number of models."""
        listed = self.population.listed(number)
        step = max(1, CHUNK_ROWS // page_rows) * page_rows
        for start in range(0, len(listed), step):
            items = self.items(listed[start : start + step], number).with_row_index("page")
            pages = items.group_by(pl.col("page") // page_rows, maintain_order=True).agg(
                pl.len(), pl.col("item").str.join(",")
            )
            for text, rows in zip(pages["item"], pages["len"], strict=True):
                yield f"[{text}]".encode(), rows

    def items(self, index: Indexes, number: int) -> pl.DataFrame:
        """Column `item`: one JSON object for each model, as it was on a day."""
        models = _Models(self.population, self.namespaces, index, number)
        values = pl.DataFrame({key: models.value(key) for key in ("_id", "id", *self.keys)})
        parts = [pl.lit(f',"{key}":') + pl.col(key) for key in values.columns]
        text = pl.concat_str(*parts, ignore_nulls=True).str.slice(1)
        return values.select(item=pl.concat_str(pl.lit("{"), text, pl.lit("}")))


class _Models:
    """Some models on a day. A method gives one text for each; null = the key is absent."""

    def __init__(
        self, population: Population, namespaces: Sequence[str], index: Indexes, number: int
    ) -> None:
        self.population, self.namespaces = population, namespaces
        self.index, self.number, self.draws = index, number, population.draws

    def value(self, key: str) -> pl.Series:
        """The JSON of one key. Raises KeyError for a key that the generator does not know."""
        makers: dict[str, Callable[[], pl.Series]] = {
            "_id": lambda: quoted(self.object_id()),
            "id": lambda: quoted(self.model_id()),
            "author": lambda: quoted(self.author()),
            "createdAt": lambda: moment(self.population.created_ms(self.index)),
            "lastModified": self._modified,
            "downloads": lambda: as_text(self._counters[0]),
            "downloadsAllTime": lambda: as_text(self._counters[1]),
            "likes": lambda: as_text(self.population.likes(self.index, self.number)),
            "trendingScore": self._trending,
            "gated": lambda: pick(["false", '"auto"', '"manual"'], self._at("gated", 0.96, 0.99)),
            "pipeline_tag": lambda: pick(_TASKS, self._kind),
            "library_name": lambda: pick(_LIBRARIES, self._kind),
            "tags": self._tags,
            "baseModels": self._base_models,
            "safetensors": self._safetensors,
        }
        return makers[key]()

    def object_id(self) -> pl.Series:
        """24 hex digits: the second of creation, then what no other model has."""
        seconds = self.population.created_ms(self.index) // 1000
        raw = np.empty((len(self.index), 12), dtype=np.uint8)
        raw[:, :4] = seconds.astype(">u4").view(np.uint8).reshape(-1, 4)
        raw[:, 4:] = (
            self.population.object_bits(self.index).astype(">u8").view(np.uint8).reshape(-1, 8)
        )
        return hex_digits(raw)

    def author(self) -> pl.Series:
        """The namespace: one of the registry's, or an invented one."""
        who = self.population.authors(self.index)
        other = np.maximum(0, who - len(self.namespaces))
        invented = pl.select(
            pl.concat_str(
                pick(words.FIRST.split(), other % 16),
                pick(words.SECOND.split(), other // 16 % 16),
                as_text(other // 256),
            )
        ).to_series()
        of_lab = pl.Series(who < len(self.namespaces))
        known = pick([*self.namespaces, ""], np.minimum(who, len(self.namespaces)))
        return known.zip_with(of_lab, invented)

    def model_id(self, first: bool = False) -> pl.Series:
        """`author/name` on the day, or with `first` the one that it was created with."""
        renamed = pl.Series(self.population.is_renamed(self.index, self.number)) & (not first)
        name = pl.concat_str(
            self.author(),
            pl.lit("/"),
            pick(words.STEMS.split(), self._below("stem", words.STEMS)),
            pl.lit("-"),
            pick(words.SIZES.split(), self._below("size", words.SIZES)),
            pl.lit("-"),
            pick(words.FORMS.split(), self._below("form", words.FORMS)),
            pl.lit("-"),
            as_text(self.index),
            pick(["", "-renamed"], renamed.cast(pl.Int64).to_numpy()),
        )
        return pl.select(name).to_series()

    def _below(self, purpose: str, of: str) -> Indexes:
        return self.draws.below(purpose, self.index, len(of.split()))

    def _at(self, purpose: str, *edges: float) -> Indexes:
        """0 below the first edge, 1 below the second and so on."""
        return np.searchsorted(edges, self.draws.unit(purpose, self.index), side="right")

    @cached_property
    def _kind(self) -> Indexes:
        """Position in words.KINDS."""
        return self._at("kind", *np.cumsum([share for *_, share in words.KINDS])[:-1])

    @cached_property
    def _counters(self) -> tuple[Indexes, Indexes]:
        return self.population.downloads(self.index, self.number)

    def _modified(self) -> pl.Series:
        """Some time between creation and the day."""
        created = self.population.created_ms(self.index)
        now = self.population.day_ms(self.number)
        touched = self.draws.unit("modified", self.index) ** 6
        return moment(created + ((now - created) * touched).astype(np.int64))

    def _trending(self) -> pl.Series:
        """0 for nearly all models."""
        score = np.floor(2 * (1 - self.draws.unit("trend", self.index, self.number)) ** -0.7)
        is_up = self.draws.unit("trending", self.index) < 0.02
        return as_text(np.where(is_up, np.minimum(score, 1000), 0).astype(np.int64))

    def _tags(self) -> pl.Series:
        """A JSON list: library, task, license, lineage (twice, as the Hub does), region, more."""
        relation = pick(
            [*RELATIONS, None], np.where(self._parents[0] == NO_PARENT, 4, self._relation)
        )
        edges = [self._parent_ids(which, first=True) for which in range(MERGED_MOST)]
        plain = ['"base_model:' + ids + '"' for ids in edges]
        named = [
            pl.concat_str(pl.lit('"base_model:'), relation, pl.lit(":"), ids, pl.lit('"'))
            for ids in edges
        ]
        weights = pick([None, '"safetensors"'], self._has_weights.astype(np.int64))
        license_ = pick([*_LICENSES, None], self._license)
        inside = pl.concat_str(
            pick(_LIBRARIES, self._kind),
            weights,
            pick(_TASKS, self._kind),
            *plain,
            *named,
            license_,
            pick(_EXTRAS, self._at("extras", *words.EXTRA_SHARES)),
            pl.lit('"region:us"'),
            separator=",",
            ignore_nulls=True,
        )
        return pl.select(pl.concat_str(pl.lit("["), inside, pl.lit("]"))).to_series()

    @cached_property
    def _license(self) -> Indexes:
        """Position in the licenses; behind the last where a model has none (55 %)."""
        some = self.draws.unit("licensed", self.index) < 0.45
        skewed = (self.draws.unit("license", self.index) ** 2 * len(_LICENSES)).astype(np.int64)
        return np.where(some, skewed, len(_LICENSES))

    @cached_property
    def _relation(self) -> Indexes:
        return self.population.relations(self.index)

    def _base_models(self) -> pl.Series:
        """`{"relation":…,"models":[{"_id":…,"id":…}]}` of the parents that are still there."""
        models = pl.concat_str(
            *(self._parent_objects(which) for which in range(MERGED_MOST)),
            separator=",",
            ignore_nulls=True,
        )
        whole = pl.concat_str(
            pl.lit('{"relation":"'),
            pick(RELATIONS, self._relation),
            pl.lit('","models":['),
            models,
            pl.lit("]}"),
        )
        return pl.select(pl.when(models == "").then(pl.lit("null")).otherwise(whole)).to_series()

    @cached_property
    def _parents(self) -> list[Indexes]:
        """First to last parent of each model: its index, DEAD, or NO_PARENT."""
        first = self.population.parents(self.index)
        many = (first != NO_PARENT) & (self.population.n_parents(self.index) > 1)
        merges = self.index[many]
        found = [first]
        for which in range(1, MERGED_MOST):
            parents = self.population.parents(merges, which)
            column = np.full(len(first), NO_PARENT, dtype=np.int64)
            column[many] = np.where(which < self.population.n_parents(merges), parents, NO_PARENT)
            found.append(column)
        return found

    def _parent_objects(self, which: int) -> pl.Series:
        parents = self._parents[which]
        there = self.population.is_listed(parents, self.number)
        those = _Models(self.population, self.namespaces, parents[there], self.number)
        both = pl.concat_str(
            pl.lit('{"_id":"'),
            those.object_id(),
            pl.lit('","id":"'),
            those.model_id(),
            pl.lit('"}'),
        )
        return spread(pl.select(both).to_series(), there)

    def _parent_ids(self, which: int, first: bool) -> pl.Series:
        """The parent's id as the model's card has it; of a deleted one, an unused id."""
        parents = self._parents[which]
        known, dead = parents >= 0, parents == DEAD
        those = _Models(self.population, self.namespaces, parents[known], self.number)
        ids = spread(those.model_id(first), known)
        lost = spread("gone/removed-model-" + as_text(self.index[dead] % 997), dead)
        return pl.select(pl.coalesce(ids, lost)).to_series()

    @cached_property
    def _has_weights(self) -> Flags:
        """Whether the model has safetensors files: 23.4 % of the listing of October 2025."""
        return np.asarray(self.draws.unit("weights", self.index) < 0.234)

    def _safetensors(self) -> pl.Series:
        """`{"parameters":{dtype:n},"total":n}`, a spread of sizes around 100 million."""
        total = (10 ** (5 + 6 * self.draws.unit("parameters", self.index))).astype(np.int64)
        text = pl.concat_str(
            pl.lit('{"parameters":{"'),
            pick(["BF16", "F32", "F16"], self._at("dtype", 0.5, 0.8)),
            pl.lit('":'),
            as_text(total),
            pl.lit('},"total":'),
            as_text(total),
            pl.lit("}"),
        )
        return spread(
            pl.select(text).to_series().filter(pl.Series(self._has_weights)), self._has_weights
        )
