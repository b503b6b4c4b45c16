"""The sample's selection of models of the Hugging Face Hub."""

from __future__ import annotations

from datetime import date

import duckdb
import orjson
import polars as pl

from infra.sample.recordings import Recording, Recordings, sample_draft
from infra.sample.tops import held_tops
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card
from warehouse.database import read_files

HUB_DAYS = (date(2026, 8, 7), date(2026, 8, 15))
# Recordings that also have license and base model; the newest value of each is used.
HUB_DETAILS = ("2026-10-15", "2025-11-27", "2025-11-10")
HUB_TOP = 350
HUB_LIKED = 80
HUB_AUTHOR_LIKES = 1500
HUB_KEYS = (
    "id",
    "author",
    "createdAt",
    "downloads",
    "likes",
    "pipeline_tag",
    "library_name",
    "tags",
    "baseModels",
)
HUB_RULE = (
    f"models recorded on both {HUB_DAYS[0]} and {HUB_DAYS[1]} that on {HUB_DAYS[1]} are among "
    f"the {HUB_TOP} most downloaded or the {HUB_LIKED} most liked, or are the most liked model of "
    f"an author whose recorded models have {HUB_AUTHOR_LIKES:,} likes together, or declare a base "
    "model in a recording, or are that base model"
)

_REPO = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+"
_RELATION = r"(?:(?:finetune|adapter|quantized|merge):)?"
_DECLARED = {"license": r"^license:\S+$", "base_model": rf"^base_model:{_RELATION}{_REPO}$"}


def hub_listing(recording: Recording) -> pl.DataFrame:
    """One row per recorded model, columns HUB_KEYS; null where a key was not recorded."""
    kinds = dict.fromkeys(HUB_KEYS, "VARCHAR") | {
        "downloads": "BIGINT",
        "likes": "BIGINT",
        "tags": "VARCHAR[]",
        "baseModels": "STRUCT(relation VARCHAR, models STRUCT(id VARCHAR)[])",
    }
    columns = ", ".join(f"'{key}': '{kind}'" for key, kind in kinds.items())
    options = ("format = 'newline_delimited'", f"columns = {{{columns}}}")
    with duckdb.connect() as con:
        return con.sql(f"SELECT * FROM {read_files.json(recording.path, *options)}").pl()


def hub_declared(recordings: Recordings) -> pl.DataFrame:
    """One row per model, kind (license, base_model) and tag, of the newest recording that has it.

    `origin` is where the recording has it from. A base model that is not a repository id (the
    Open LLM Leaderboard writes "X (Merge)") is not of the Hub and is left out.
    """
    found = pl.concat(_declared_on(recordings, day) for day in HUB_DETAILS)
    return found.filter(pl.col("day") == pl.col("day").max().over("id", "kind"))


def _declared_on(recordings: Recordings, day: str) -> pl.DataFrame:
    recording = recordings.get(f"hub/{day}/models.ndjson.zst")
    tags = hub_listing(recording).select("id", "baseModels", pl.col("tags").alias("tag"))
    rows = tags.explode("tag").filter(pl.col("tag").is_not_null())
    kinds = [
        rows.filter(pl.col("tag").str.contains(pattern)).with_columns(kind=pl.lit(kind))
        for kind, pattern in _DECLARED.items()
    ]
    return (
        pl.concat(kinds)
        .join(_enriched(recordings, day), on=["id", "kind"], how="left", maintain_order="left")
        .with_columns(pl.col("origin").fill_null(str(recording)), day=pl.lit(day))
    )


def _enriched(recordings: Recordings, day: str) -> pl.DataFrame:
    """One row per model and kind that the recording has from another source, with that source."""
    schema = {"id": pl.String, "kind": pl.String, "origin": pl.String}
    name = f"hub/{day}/field_origins.csv"
    if not (recordings.root / name).exists():
        return pl.DataFrame(schema=schema)
    origins = read_files.csv_frame(recordings.get(name).path)
    kind = pl.col("field").str.extract(rf"tags ({'|'.join(_DECLARED)})")
    return (
        origins.with_columns(kind.alias("kind"), pl.format("{} ({})", "origin", pl.lit(name)))
        .filter(pl.col("kind").is_not_null() & ~pl.col("origin").str.starts_with("left out"))
        .select(list(schema))
    )


def hub_chosen(listings: dict[date, pl.DataFrame], declared: pl.DataFrame) -> pl.Series:
    """Ids of the models that HUB_RULE selects."""
    first, last = (listings[day] for day in HUB_DAYS)
    models = last.join(first, on="id", how="semi").sort("likes", "id", descending=[True, False])
    bases = declared.filter(pl.col("kind") == "base_model")
    parents = bases.select(pl.col("tag").str.extract(rf"({_REPO})$").alias("id"))
    large = pl.col("likes").sum().over("author") >= HUB_AUTHOR_LIKES
    chosen = [
        models.sort("downloads", "id", descending=[True, False]).head(HUB_TOP),
        models.head(HUB_LIKED),
        models.filter(large).unique("author", keep="first", maintain_order=True),
        models.join(bases, on="id", how="semi"),
        models.join(parents, on="id", how="semi"),
    ]
    return pl.concat(frame.select("id") for frame in chosen)["id"].unique().sort()


def hub_page(listing: pl.DataFrame, chosen: pl.Series, declared: pl.DataFrame) -> bytes:
    """The selected models of one day in the format of the API, newest first.

    Tags and base models are from other recordings; keys that were not recorded are absent.
    """
    rows = declared.group_by("id", maintain_order=True).agg(
        "tag", pl.col("baseModels").filter(pl.col("kind") == "base_model").first()
    )
    models = (
        listing.filter(pl.col("id").is_in(chosen.implode()))
        .drop("tags", "baseModels")
        .join(rows.rename({"tag": "tags"}), on="id", how="left")
        .sort("createdAt", "id", descending=[True, False])
        .select(HUB_KEYS)
    )
    items = [{k: v for k, v in row.items() if v is not None} for row in models.to_dicts()]
    return orjson.dumps(items)


def write_hub(recordings: Recordings, archive: Archive) -> None:
    """Snapshots hub/<day> of HUB_DAYS: the same models on each day."""
    names = {day: f"hub/{day}/models.ndjson.zst" for day in HUB_DAYS}
    recorded = {day: recordings.get(name) for day, name in names.items()}
    listings = {day: hub_listing(recording) for day, recording in recorded.items()}
    declared = hub_declared(recordings)
    chosen = hub_chosen(listings, declared)
    declared = declared.filter(pl.col("id").is_in(chosen.implode()))
    for day, recording in recorded.items():
        page = hub_page(listings[day], chosen, declared)
        with sample_draft(archive, "hub", day) as draft:
            draft.tops = held_tops(listings[day], chosen)
            draft.notes += _hub_notes(recording, len(chosen), declared)
            draft.add_file(
                "pages/000001.json",
                page,
                url=card("hub").urls["listing"],
                rows_seen=len(chosen),
                retrieved_at=recording.retrieved_at,
                compress=True,
            )


def _hub_notes(recording: Recording, models: int, declared: pl.DataFrame) -> list[str]:
    counts = declared.group_by("kind", "origin", maintain_order=True).agg(pl.col("id").n_unique())
    return [
        f"sample of {models} of {recording.rows} recorded models, which are the most liked and "
        f"most downloaded and not the whole Hub; selection: {HUB_RULE}",
        f"id, author, createdAt, downloads, likes, pipeline_tag, library_name: {recording}",
        *(
            f"tags {kind} (models: {n}), not observed on this day, carried over from {origin}"
            for kind, origin, n in counts.sort("kind", "id", "origin").iter_rows()
        ),
    ]
