"""mart.models."""

from __future__ import annotations

import polars as pl

from transforms.arena.refused import ranked_boards
from transforms.hub.model_table import listed_models, with_lineage
from transforms.registry.attribution import NOT_EXAMINED, with_lab_and_country
from transforms.registry.bitemporal import holds_on
from transforms.registry.display_names import country_names, with_names
from warehouse.contracts.table import contract

SUBJECTS = ("country", "lab", "family", "access")  # whose names are no names of models


def models(
    hub_daily_counters: pl.LazyFrame,
    hub_models: pl.LazyFrame,
    hub_model_roots: pl.LazyFrame,
    hub_base_models: pl.LazyFrame,
    model_families: pl.LazyFrame,
    families: pl.LazyFrame,
    model_identities: pl.LazyFrame,
    arena_ratings: pl.LazyFrame,
    namespaces: pl.LazyFrame,
    labs: pl.LazyFrame,
    countries: pl.LazyFrame,
    raw_claim_trials: pl.LazyFrame,
) -> pl.LazyFrame:
    """One row per model of the newest listing of the Hub, and per model of any Arena board.

    A rated model whose repository that listing lacks has the attributes it was last seen with.
    """
    places = _places(arena_ratings)
    listed = listed_models(hub_daily_counters, hub_models, model_identities, places)
    lined = with_lineage(listed, hub_base_models, hub_model_roots)
    day = _newest_day(hub_daily_counters, arena_ratings)
    owned = _with_lab(
        lined.join(places, on="model_id", how="left").join(day, how="cross"), namespaces, labs
    )
    named = _with_family(owned, model_families, families).join(
        _claims(raw_claim_trials, model_identities),
        left_on=pl.coalesce("model_id", "model_id_hf"),
        right_on="named",
        how="left",
    )
    return with_names(
        named.with_columns(_columns()), country_names(countries), country_name="country_code"
    ).select(*contract("mart.models").columns)


def _columns() -> list[pl.Expr]:
    hub, arena = pl.col("model_id_hf"), pl.col("arena_model_name")
    why = pl.when(arena.is_null()).then(pl.lit("not_rated")).otherwise(pl.lit("not_on_newest"))
    return [
        pl.coalesce(hub, "model_id").alias("model"),
        pl.coalesce(hub.str.split("/").list.last(), arena).alias("model_name"),
        pl.coalesce("hub_license", "arena_license").alias("license"),
        pl.col("created_at").dt.date().alias("created_on"),
        (hub.is_not_null() | pl.col("is_open_on_arena")).alias("is_open_weights"),
        pl.when(pl.col("arena_rank").is_null()).then(why).alias("arena_missing"),
        pl.col("n_claims").fill_null(0),
    ]


def _newest_day(hub_daily_counters: pl.LazyFrame, arena_ratings: pl.LazyFrame) -> pl.LazyFrame:
    days = (
        hub_daily_counters.select("as_of_date"),
        arena_ratings.select(as_of_date="publish_date"),
    )
    return pl.concat([frame.max() for frame in days]).max().drop_nulls()


def _places(arena_ratings: pl.LazyFrame) -> pl.LazyFrame:
    """Per rated model its newest name, lab and license, and its best place on the newest boards.

    A board with rows of arena-catalog is passed over, since not every release may repeat it.
    """
    overall = arena_ratings.filter(pl.col("category") == "overall")
    known = (
        overall.sort("publish_date", "board", "model_name_arena")
        .group_by("model_id")
        .agg(
            pl.col("model_name_arena").last().alias("arena_model_name"),
            pl.col("lab_id").drop_nulls().last().alias("arena_lab_id"),
            pl.col("license").drop_nulls().last().alias("arena_license"),
            pl.col("is_open_weights").drop_nulls().last().alias("is_open_on_arena"),
        )
    )
    newest = (
        ranked_boards(overall)
        .filter(~pl.col("has_catalog_rows"))
        .filter(pl.col("publish_date") == pl.col("publish_date").max().over("board"))
    )
    best = newest.sort("rank_ordinal", pl.col("board") != "text", "board").unique(
        "model_id", keep="first", maintain_order=True
    )
    place = best.select(
        "model_id",
        arena_board="board",
        arena_publish_date="publish_date",
        arena_rank="rank_ordinal",
        arena_rank_ub="rank_ub",
        arena_rating="rating",
    )
    return known.join(place, on="model_id", how="left")


def _with_lab(frame: pl.LazyFrame, namespaces: pl.LazyFrame, labs: pl.LazyFrame) -> pl.LazyFrame:
    """Adds the lab of the uploader, or else of the board's label, with its country on the day."""
    owned = with_lab_and_country(
        frame, namespaces, labs, system="hub", name="author", day="as_of_date"
    ).drop("country_code")
    here = labs.select("lab_id", "lab_name", "country_code", "valid_from", "valid_to")
    days = frame.select("as_of_date").unique()
    held = here.join(days, how="cross").filter(holds_on(pl.col("as_of_date")))
    lab = pl.when(pl.col("author").is_null()).then("arena_lab_id").otherwise("lab_id")
    return (
        owned.with_columns(lab.alias("lab_id"))
        .join(held.select("lab_id", "lab_name", "country_code"), on="lab_id", how="left")
        .with_columns(pl.col("country_code").fill_null(NOT_EXAMINED))
    )


def _with_family(
    frame: pl.LazyFrame, model_families: pl.LazyFrame, families: pl.LazyFrame
) -> pl.LazyFrame:
    """Adds the family that the name on the Hub, or else on the boards, shows."""
    system = pl.when(pl.col("model_id_hf").is_null()).then(pl.lit("lmarena"))
    name = pl.coalesce("model_id_hf", "arena_model_name").alias("model_name")
    found = model_families.select("system", "model_name", "family_id").drop_nulls()
    names = families.select(id="family_id", name="family_name")
    placed = frame.with_columns(system.otherwise(pl.lit("hub")).alias("system"), name).join(
        found, on=["system", "model_name"], how="left"
    )
    return with_names(placed, names, family_name="family_id").drop("system", "model_name")


def _claims(trials: pl.LazyFrame, model_identities: pl.LazyFrame) -> pl.LazyFrame:
    """`n_claims` and `claim_ids` of every model that a published statement is about.

    `named` is the model's id, or that of a repository that only the Hub knows.
    """
    about = trials.filter(~pl.col("by").is_in(SUBJECTS).fill_null(value=False))
    words = pl.concat(
        [
            about.select("claim_id", word="subject"),
            about.select("claim_id", word="other"),
            trials.select("claim_id", word=pl.col("names").str.split("\n")).explode("word"),
        ]
    )
    said = words.select("claim_id", pl.col("word").str.to_lowercase()).drop_nulls().unique()
    only_hub = (pl.col("system") == "hub") & (pl.col("rule") != "alias")
    named = pl.when(only_hub).then("name").otherwise("model_id").alias("named")
    ids = pl.concat(
        [
            model_identities.select(named, word=pl.col("name").str.to_lowercase()),
            model_identities.select(named, word="model_id"),
        ]
    )
    return (
        ids.join(said, on="word")
        .select("named", "claim_id")
        .unique()
        .group_by("named")
        .agg(
            pl.len().cast(pl.Int32).alias("n_claims"),
            pl.col("claim_id").sort().str.join(", ").alias("claim_ids"),
        )
    )
