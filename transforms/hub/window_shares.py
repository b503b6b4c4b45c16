"""Downloads in windows added up by holder: countries, labs or families."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from transforms.hub.window_owners import owned
from transforms.hub.windows import spans
from transforms.numeric.exact_sums import exactly, how_many, running, total

# Population -> its columns of `spans`, and whether a model belongs to it; null = not known.
POPULATIONS: dict[str, tuple[str, pl.Expr]] = {
    "all": ("downloads", pl.lit(True)),
    "llm_vlm": ("downloads", pl.col("is_llm_vlm")),
    "created_in_window": ("downloads", pl.col("is_new")),
    "created_1y": ("young", pl.lit(True)),
}
CREDITS = ("fractional", "full")
CUT = ["window_no", "population", "attribution", "credit"]
SUMS = ("value", "low", "high")
OF_HOLDER = (*SUMS, "n_models")
_OF_UPLOADER = ["window_no", "end_on", "author", "lineage_recorded"]
_STUDY = ["study_country_codes", "study_base_country_codes"]
_OF_MODEL = ["model_id_hf", *_OF_UPLOADER, *_STUDY]
_OF_SPAN = [
    *("counter_source", "is_llm_vlm", "is_new", "lacks_first", "lacks_last", "first", "last"),
    *(f"{what}{bound}" for what in ("downloads", "young") for bound in ("", "_low", "_high")),
]
CHUNK = 4_000_000  # models of windows that are computed together


@dataclass(frozen=True)
class Counted:
    """What the downloads in windows are computed from."""

    counters: pl.LazyFrame  # windows.all_counters
    days: pl.LazyFrame  # core.hub_all_time_days
    hub_models: pl.LazyFrame
    hub_model_roots: pl.LazyFrame
    namespaces: pl.LazyFrame
    labs: pl.LazyFrame
    makers: pl.LazyFrame | None = (
        None  # model_name, family_id, maker: for holders that are families
    )

    def held(self) -> Counted:
        """The same with the small tables read once."""
        return replace(
            self,
            days=self.days.collect().lazy(),
            namespaces=self.namespaces.collect().lazy(),
            labs=self.labs.collect().lazy(),
        )


def chunks(windows: pl.DataFrame, days: pl.LazyFrame) -> Iterator[pl.LazyFrame]:
    """The windows in parts of about CHUNK models, so that memory is bounded."""
    sizes = days.select("counter_source", "n_models", end_on="as_of_date").collect()
    sized = windows.join(sizes, on=["counter_source", "end_on"], how="left").sort("window_no")
    no = (running(pl.col("n_models").fill_null(0)) - 1) // CHUNK
    for part in sized.with_columns(no.alias("part")).partition_by("part", maintain_order=True):
        yield part.drop("part", "n_models").lazy()


def in_windows(windows: pl.LazyFrame, counted: Counted) -> pl.LazyFrame:
    """The models of some windows (`transforms.hub.windows.spans`), read once and numbered.

    Models without any download in the window are left out, unless a counter is missing or fell.
    """
    usable = counted.days.filter("is_usable").select("counter_source", "as_of_date")
    found = spans(windows, counted.counters, counted.hub_models, usable)
    has_any = (pl.col("downloads_high") > 0) | (pl.col("young_high") > 0)
    is_odd = pl.col("lacks_last") | (pl.col("last") < pl.col("first")).fill_null(False)
    kept = found.filter(has_any | is_odd).select(*_OF_MODEL, *_OF_SPAN)
    return kept.with_row_index("span_no").collect().lazy()


def by_holder(
    models: pl.LazyFrame,
    attribution: str,
    by: str,
    counted: Counted,
    populations: Sequence[str] = tuple(POPULATIONS),
) -> pl.LazyFrame:
    """Sums per window, population, attribution, credit, holder and certainty.

    `value` leaves out what is not known, `low` and `high` bound it; `n_models` are those with a
    value. A cut can have two rows per holder: of models with one owner, and of parts of models.
    """
    rows = _added_up(models, attribution, by, counted, _values(populations)).collect().lazy()
    owners = owned(rows, attribution, counted.hub_model_roots, counted.namespaces, counted.labs)
    held = _held(owners, by, counted).collect().lazy()
    values = rows.select("span_no", *_values(populations))
    index = ["window_no", "attribution", "holder", "is_certain"]
    is_whole = pl.col("weight") == 1.0
    # Most models have one owner. Integers add up faster than parts.
    whole, parts = (
        some.join(values, on="span_no")
        .group_by("window_no", "holder", "is_certain")
        .agg(sums)
        .with_columns(attribution=pl.lit(attribution))
        for some, sums in (
            (held.filter(is_whole), _whole_sums(populations)),
            (_once_per_holder(held.filter(~is_whole)), _part_sums(populations)),
        )
    )
    return pl.concat([_long(rows, index, populations) for rows in (whole, parts)])


def _added_up(
    models: pl.LazyFrame,
    attribution: str,
    by: str,
    counted: Counted,
    values: dict[str, pl.Expr],
) -> pl.LazyFrame:
    """The models with their values; those whose uploader alone decides are added up by uploader."""
    each = [e.alias(name) for name, e in values.items()]
    if attribution not in ("publisher", "base"):
        return models.select("span_no", *_OF_MODEL, *each)
    alone = _decided_alone(attribution, by, counted)
    others = models.join(alone, on="model_id_hf", how="anti")
    uploaders = others.group_by(_OF_UPLOADER).agg(total(e).alias(n) for n, e in values.items())
    rest = models.join(alone, on="model_id_hf", how="semi")
    both = [uploaders, rest.select("model_id_hf", *_OF_UPLOADER, *each)]
    return pl.concat(both, how="diagonal").with_row_index("span_no")


def _decided_alone(attribution: str, by: str, counted: Counted) -> pl.LazyFrame:
    """The models of which more than the uploader must be known: their roots or their family."""
    roots = counted.hub_model_roots
    derived = roots.filter(pl.col("root_model_id_hf") != pl.col("model_id_hf"))
    ids = [(derived if attribution == "base" else derived.clear()).select("model_id_hf")]
    if by == "family_id":
        assert counted.makers is not None, "families need their makers"
        ids.append(counted.makers.select(pl.col("model_name").alias("model_id_hf")))
    return pl.concat(ids).unique()


def _held(owners: pl.LazyFrame, by: str, counted: Counted) -> pl.LazyFrame:
    """The owners of each model as holders, with their weights."""
    if by == "family_id":
        assert counted.makers is not None, "families need their makers"
        made = owners.join(counted.makers, left_on="owner_id", right_on="model_name", how="left")
        is_made = (pl.col("lab_id") == pl.col("maker")).fill_null(False)
        owners = made.with_columns(pl.when(is_made).then("family_id").alias("family_id"))
    return owners.select("span_no", "window_no", "is_certain", pl.col(by).alias("holder"), "weight")


def _once_per_holder(parts: pl.LazyFrame) -> pl.LazyFrame:
    """Parts of models, added up where one holder has several of a model."""
    key = ["span_no", "window_no", "is_certain", "holder"]
    return parts.group_by(key).agg(exactly(pl.col("weight")).alias("weight"))


def _values(populations: Sequence[str]) -> dict[str, pl.Expr]:
    """Columns `population what` of each model: its value, the bounds, and 1 if it has a value.

    0 for models that do not belong to the population.
    """
    found: dict[str, pl.Expr] = {}
    for name in populations:
        column, member = POPULATIONS[name]
        low, high = pl.col(f"{column}_low"), pl.col(f"{column}_high")
        value = pl.when(member.fill_null(False)).then(column)
        found[f"{name} value"] = value
        found[f"{name} low"] = pl.when(member.fill_null(False)).then(low).otherwise(0)
        found[f"{name} high"] = pl.when(member.fill_null(True)).then(high).otherwise(0)
        found[f"{name} n_models"] = (value > 0).cast(pl.Int64)
    return found


def _whole_sums(populations: Sequence[str]) -> list[pl.Expr]:
    """Sums of models that one holder has alone: the same by either credit."""
    return [
        total(pl.col(f"{population} {what}"))
        .cast(pl.Float64)
        .alias(f"{population} {credit} {what}")
        for population in populations
        for credit in CREDITS
        for what in OF_HOLDER
    ]


def _part_sums(populations: Sequence[str]) -> list[pl.Expr]:
    """Sums of parts of models; by full credit each holder of a part has all of the model."""
    weights = {"fractional": pl.col("weight"), "full": pl.lit(1.0)}
    return [
        e.cast(pl.Float64).alias(f"{population} {credit} {what}")
        for population in populations
        for credit, weight in weights.items()
        for what, e in (
            *((what, exactly(pl.col(f"{population} {what}") * weight)) for what in SUMS),
            ("n_models", total(pl.col(f"{population} n_models"))),
        )
    ]


def _long(wide: pl.LazyFrame, index: list[str], populations: Sequence[str]) -> pl.LazyFrame:
    """Columns named `population credit what` as rows, with a column per `what`."""
    parts = [
        wide.select(
            *index,
            pl.lit(population).alias("population"),
            pl.lit(credit).alias("credit"),
            *(pl.col(f"{population} {credit} {what}").alias(what) for what in OF_HOLDER),
        )
        for population in populations
        for credit in CREDITS
    ]
    return pl.concat(parts)


def totals(models: pl.LazyFrame) -> pl.LazyFrame:
    """Per window and population: the sum over all models, its bounds, and what is missing of it.

    `n_without_first` models lack the counter of the first day; they had `without_first` downloads
    at most. `n_without_last` lack that of the last day; nothing bounds their downloads.
    """
    values = models.with_columns(e.alias(n) for n, e in _values(tuple(POPULATIONS)).items())
    parts = [
        values.group_by("window_no")
        .agg(_totals(name, *about))
        .with_columns(population=pl.lit(name))
        for name, about in POPULATIONS.items()
    ]
    return pl.concat(parts)


def _totals(name: str, column: str, member: pl.Expr) -> list[pl.Expr]:
    value, high = pl.col(f"{name} value"), pl.col(f"{name} high")
    may_belong = member.fill_null(True) & pl.col(column).is_null()
    without_first = may_belong & pl.col("lacks_first") & (high > 0)
    return [
        total(value).cast(pl.Float64).alias("denominator"),
        total(pl.col(f"{name} low")).cast(pl.Float64).alias("all_low"),
        total(high).cast(pl.Float64).alias("all_high"),
        how_many(value > 0).alias("n_models_population"),
        how_many(without_first).alias("n_models_without_first"),
        total(high.filter(without_first)).alias("downloads_without_first"),
        how_many(may_belong & pl.col("lacks_last")).alias("n_models_without_last"),
        how_many(pl.col("last") < pl.col("first")).alias("n_models_fallen"),
    ]


def with_bounds(sums: pl.LazyFrame, doubtful: list[str], names: tuple[str, str]) -> pl.LazyFrame:
    """Adds the least and largest share of each holder under two names.

    Holders in `doubtful` and all that is not certain may be anybody's, and so may the downloads in
    `missing` (those of models that the source lacks), which are part of `all_high`. The largest
    share of one is reached where it has all of that and the others have their least, and the other
    way round.
    """
    doubt = pl.col("holder").is_in(doubtful)
    cut = [*CUT, "all_low", "all_high", "missing"]
    sure = pl.col("is_certain") & ~doubt
    low, high = pl.col("low"), pl.col("high")
    summed = sums.group_by(*cut, "holder").agg(
        exactly(low.filter(sure)).alias("_low"),
        exactly(high.filter(sure)).alias("_high"),
        exactly(low.filter(~sure)).alias("_doubt_low"),
        exactly(high.filter(~sure)).alias("_doubt_high"),
    )
    of_all = {c: exactly(pl.col(c)).over(CUT) for c in ("_doubt_low", "_doubt_high")}
    doubtful_high = of_all["_doubt_high"] + pl.col("missing")
    least, most = pl.col("_low"), pl.col("_high") + doubtful_high
    others_low = (pl.col("all_low") - least - of_all["_doubt_low"]).clip(lower_bound=0)
    others_high = (pl.col("all_high") - pl.col("_high")).clip(lower_bound=0)
    return summed.select(
        *CUT,
        "holder",
        _part(least, least + others_high).alias(names[0]),
        _part(most, most + others_low).clip(upper_bound=1.0).alias(names[1]),
        least.alias(f"{names[0]}_amount"),
        most.alias(f"{names[1]}_amount"),
    )


def _part(count: pl.Expr, of_all: pl.Expr) -> pl.Expr:
    return pl.when(of_all > 0).then(count / of_all).otherwise(0.0)
