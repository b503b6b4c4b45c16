"""`python -m infra.sample --recordings DIR --into DIR`: makes the bundled sample archive.

Carries a selection of dated public figures out of a folder of recordings (MANIFEST.csv says where
each came from) into an archive of our own layout, so that a first run needs no network. No file
is taken over whole. Same recordings and same code give the same bytes. The rules of selection are
the constants below; the sidecars repeat them with the origin of every figure.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import orjson
import polars as pl
import pyarrow.parquet as pq

from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft, open_draft
from warehouse.archive.snapshot import ArchiveError, Snapshot
from warehouse.contracts.source import card
from warehouse.storage.files import file_sha256

HUB_DAYS = (date(2026, 8, 7), date(2026, 8, 15))
# Recordings that also say license and base model; the newest that says one is believed.
HUB_DETAILS = ("2026-10-15", "2025-11-27", "2025-11-10")
HUB_TOP = 80
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
    f"the {HUB_TOP} most downloaded or the {HUB_TOP} most liked, or are the most liked model of "
    f"an author whose recorded models have {HUB_AUTHOR_LIKES:,} likes together, or declare a base "
    "model in a recording, or are that base model"
)

ARENA_DATES = {
    date(2023, 6, 19): "the first board recorded: GPT-4 leads",
    date(2023, 12, 20): "the last board on the Elo scale",
    date(2024, 5, 27): "after GPT-4o",
    date(2024, 12, 30): "end of 2024: Gemini experiments lead",
    date(2025, 1, 24): "DeepSeek-R1 enters",
    date(2025, 8, 28): "after GPT-5",
    date(2025, 10, 16): "11 of the top 20 are Chinese",
    date(2026, 6, 26): "the newest board recorded",
}
ARENA_TOP = 40

EPOCH_DAY = date(2026, 5, 2)
EPOCH_YEARS = (2012, 2026)
EPOCH_ONE_IN = 6
EPOCH_COLUMNS = (
    "Model",
    "Organization",
    "Publication date",
    "Domain",
    "Parameters",
    "Training compute (FLOP)",
    "Model accessibility",
    "Country (of organization)",
    "Link",
)
EPOCH_RULE = (
    f"published {EPOCH_YEARS[0]} to {EPOCH_YEARS[1]}; within each year and first-named country "
    f"every {EPOCH_ONE_IN}th model, rounded half up, the most notable first (number of Epoch's "
    "notability criteria, then training compute, then citations, then place in the file), and "
    "the most notable model of each country that this leaves out"
)

_REPO = r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+"
_RELATION = r"(?:(?:finetune|adapter|quantized|merge):)?"
_DECLARED = {"license": r"^license:\S+$", "base_model": rf"^base_model:{_RELATION}{_REPO}$"}


class SampleError(RuntimeError):
    """The recordings lack something, or the target is no sample."""


@dataclass(frozen=True)
class Recording:
    """One file of the recordings, verified, and what MANIFEST.csv says of it."""

    name: str
    path: Path
    origin: str
    observed: str
    rows: int

    @property
    def retrieved_at(self) -> datetime:
        """When it was recorded; of a span the end, of a bare day its beginning in UTC."""
        moment = datetime.fromisoformat(self.observed.split("..")[-1])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.name} ({self.origin}; observed {self.observed})"


@dataclass(frozen=True)
class Recordings:
    """The folder of recordings."""

    root: Path

    def get(self, name: str) -> Recording:
        """One file by its path in MANIFEST.csv. Raises SampleError if it is not as listed."""
        listing = self.root / "MANIFEST.csv"
        if not listing.is_file():
            raise SampleError(f"no {listing}; --recordings names the folder that holds it")
        row = pl.read_csv(listing, infer_schema=False).filter(pl.col("path") == name).to_dicts()
        if not row:
            raise SampleError(f"{listing} does not list {name}")
        path = self.root / name
        if not path.is_file() or file_sha256(path) != row[0]["sha256"]:
            raise SampleError(f"{path} is not the file that {listing} lists; copy it again")
        return Recording(
            name, path, row[0]["origin"], row[0]["observation_date"], int(row[0]["rows"])
        )


# ------------------------------------------------------------------------------------------ hub


def hub_listing(recording: Recording) -> pl.DataFrame:
    """One row per recorded model, columns HUB_KEYS; null where a key was not recorded."""
    kinds = dict.fromkeys(HUB_KEYS, "VARCHAR") | {
        "downloads": "BIGINT",
        "likes": "BIGINT",
        "tags": "VARCHAR[]",
        "baseModels": "STRUCT(relation VARCHAR, models STRUCT(id VARCHAR)[])",
    }
    columns = ", ".join(f"'{key}': '{kind}'" for key, kind in kinds.items())
    lines = f"read_json(?, format = 'newline_delimited', columns = {{{columns}}})"
    with duckdb.connect() as con:
        return con.sql(f"SELECT * FROM {lines}", params=[str(recording.path)]).pl()


def hub_declared(recordings: Recordings) -> pl.DataFrame:
    """One row per model, kind (license, base_model) and tag, of the newest recording that has it.

    `origin` says where the recording has it from. A base model that is no repository id (the
    Open LLM Leaderboard writes "X (Merge)") is not the Hub's and is left out.
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
    """One row per model and kind that the recording took from elsewhere, and from where."""
    schema = {"id": pl.String, "kind": pl.String, "origin": pl.String}
    name = f"hub/{day}/field_origins.csv"
    if not (recordings.root / name).exists():
        return pl.DataFrame(schema=schema)
    origins = pl.read_csv(recordings.get(name).path, infer_schema=False)
    kind = pl.col("field").str.extract(rf"tags ({'|'.join(_DECLARED)})")
    return (
        origins.with_columns(kind.alias("kind"), pl.format("{} ({})", "origin", pl.lit(name)))
        .filter(pl.col("kind").is_not_null() & ~pl.col("origin").str.starts_with("left out"))
        .select(list(schema))
    )


def hub_chosen(listings: dict[date, pl.DataFrame], declared: pl.DataFrame) -> pl.Series:
    """Ids of the models that HUB_RULE chooses."""
    first, last = (listings[day] for day in HUB_DAYS)
    models = last.join(first, on="id", how="semi").sort("likes", "id", descending=[True, False])
    bases = declared.filter(pl.col("kind") == "base_model")
    parents = bases.select(pl.col("tag").str.extract(rf"({_REPO})$").alias("id"))
    large = pl.col("likes").sum().over("author") >= HUB_AUTHOR_LIKES
    chosen = [
        models.sort("downloads", "id", descending=[True, False]).head(HUB_TOP),
        models.head(HUB_TOP),
        models.filter(large).unique("author", keep="first", maintain_order=True),
        models.join(bases, on="id", how="semi"),
        models.join(parents, on="id", how="semi"),
    ]
    return pl.concat(frame.select("id") for frame in chosen)["id"].unique().sort()


def hub_page(listing: pl.DataFrame, chosen: pl.Series, declared: pl.DataFrame) -> bytes:
    """The chosen models of one day as the API answers them, newest first.

    Tags and base models are those of other recordings; a key nobody recorded is absent.
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


# -------------------------------------------------------------------------------------- lmarena


def arena_board(recording: Recording) -> pl.DataFrame:
    """First ARENA_TOP of the overall text board on each of ARENA_DATES, columns as recorded."""
    days = [day.isoformat() for day in ARENA_DATES]
    return (
        pl.scan_parquet(recording.path)
        .filter(
            (pl.col("category") == "overall")
            & pl.col("leaderboard_publish_date").is_in(days)
            & (pl.col("rank") <= ARENA_TOP)
        )
        .sort("leaderboard_publish_date", "rank", "model_name")
        .collect()
    )


def write_arena(recordings: Recordings, archive: Archive) -> None:
    """Snapshot lmarena/<newest of ARENA_DATES> with the text board."""
    name = "text/full-00000-of-00001.parquet"
    recording = recordings.get(f"lmarena/leaderboard-dataset/{name}")
    board, file = arena_board(recording), io.BytesIO()
    # Without Arrow's schema in the footer the strings are plain ones, as in the official files.
    pq.write_table(board.to_arrow(), file, compression="zstd", store_schema=False)
    with sample_draft(archive, "lmarena", max(ARENA_DATES)) as draft:
        draft.notes += _arena_notes(recordings, recording, board)
        draft.add_file(
            name,
            file.getvalue(),
            url=card("lmarena").urls["file"].format(commit="main", subset="text"),
            rows_seen=board.height,
            retrieved_at=recording.retrieved_at,
        )


def _arena_notes(recordings: Recordings, recording: Recording, board: pl.DataFrame) -> list[str]:
    days = sorted(ARENA_DATES)
    sources = pl.read_csv(recordings.get("lmarena/row_sources.csv").path, infer_schema=False)
    rows = board.group_by("leaderboard_publish_date").len("n")
    origins = (
        sources.filter(pl.col("subset") == "text")
        .join(rows, on="leaderboard_publish_date")
        .sort("leaderboard_publish_date", "origin")
        .select("leaderboard_publish_date", "n", "date_kind", "official_publish_date", "origin")
    )
    return [
        f"sample of {board.height} of {recording.rows:,} recorded rows; selection: the first "
        f"{ARENA_TOP} of board text, category overall, on {len(days)} dates from {days[0]} to "
        f"{days[-1]}; counts beyond rank {ARENA_TOP} are of the sample",
        f"recording: {recording}; rank, variance, organization and license were put together by "
        "the recorder; ratings of many dates are rounded",
        *(
            f"{day}: {n} rows ({ARENA_DATES[date.fromisoformat(day)]}), {kind} date, "
            f"on the official list: {official}, from {origin}"
            for day, n, kind, official, origin in origins.iter_rows()
        ),
    ]


# ---------------------------------------------------------------------------------------- epoch


def epoch_models(recording: Recording) -> pl.DataFrame:
    """The notable models that EPOCH_RULE chooses, cells as recorded, in the file's order."""
    number = {c: pl.col(c).cast(pl.Float64) for c in ("Training compute (FLOP)", "Citations")}
    models = (
        pl.read_csv(recording.path, infer_schema=False)
        .with_row_index("line")
        .with_columns(
            pl.col("Publication date").str.to_date().dt.year().alias("year"),
            pl.col("Country (of organization)").str.split(",").list.first().alias("country"),
            pl.col("Notability criteria").str.split(",").list.len().alias("criteria"),
            **number,
        )
        .filter(pl.col("year").is_between(*EPOCH_YEARS) & pl.col("country").is_not_null())
        .sort("criteria", *number, "line", descending=[True, True, True, False], nulls_last=True)
    )
    stratum = ["year", "country"]
    quota = (pl.len().over(stratum) + EPOCH_ONE_IN // 2) // EPOCH_ONE_IN
    chosen = models.filter(pl.int_range(pl.len()).over(stratum) < quota)
    others = models.join(chosen, on="country", how="anti", maintain_order="left")
    best = others.unique("country", keep="first", maintain_order=True)
    lines = pl.concat([chosen["line"], best["line"]]).implode()
    cells = pl.read_csv(recording.path, infer_schema=False).with_row_index("line")
    return cells.filter(pl.col("line").is_in(lines)).select(EPOCH_COLUMNS)


def write_epoch(recordings: Recordings, archive: Archive) -> None:
    """Snapshot epoch/EPOCH_DAY with the table of notable models."""
    name = "notable_ai_models.csv"
    recording = recordings.get(f"epoch/{EPOCH_DAY}/{name}")
    models = epoch_models(recording)
    with sample_draft(archive, "epoch", EPOCH_DAY) as draft:
        draft.notes += [
            f"sample of {models.height} of {recording.rows:,} notable models: counts by country "
            f"and year are of the sample, not of the world; selection: {EPOCH_RULE}",
            f"recording: {recording}; the day is that of its public commit",
            f"columns left out: all but {', '.join(EPOCH_COLUMNS)}",
        ]
        draft.add_file(
            name,
            models.write_csv().encode(),
            url=card("epoch").urls["notable_ai_models"],
            rows_seen=models.height,
            retrieved_at=recording.retrieved_at,
        )


# -------------------------------------------------------------------------------------- archive


@contextmanager
def sample_draft(archive: Archive, source: str, day: date) -> Iterator[Draft]:
    """A draft that is sealed as a sample at the end, with the terms of its source card."""
    with open_draft(archive, source, day) as draft:
        yield draft
        draft.seal(**card(source).sidecar_terms(), is_sample=True)
    (draft.folder / ".lock").unlink()


def make_sample(recordings: Path, into: Path) -> list[Snapshot]:
    """Builds the sample beside its place and puts it there whole. Returns its snapshots.

    Raises SampleError if the recordings are not as listed, or if `into` holds anything else than
    an earlier sample: that would be lost.
    """
    _check_replaceable(into)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=into.parent) as scratch:
        archive = Archive(Path(scratch) / "sample")
        for write in (write_hub, write_arena, write_epoch):
            write(Recordings(recordings), archive)
        if into.exists():
            shutil.rmtree(into)
        archive.root.rename(into)
    return Archive(into).snapshots()


def _check_replaceable(into: Path) -> None:
    if not into.exists():
        return
    try:
        snapshots = Archive(into).snapshots() if into.is_dir() else []
    except ArchiveError as error:
        raise SampleError(f"{into} is no sample: {error}") from error
    sources = {s.source for s in snapshots if s.is_sample}
    others = {p.name for p in into.iterdir()} - sources if into.is_dir() else {into.name}
    if others or not all(s.is_sample for s in snapshots):
        raise SampleError(f"{into} holds more than a sample ({sorted(others)}); not replaced")


def main(arguments: list[str] | None = None) -> int:
    """Makes the sample and says what is in it; 1 if it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m infra.sample", description=__doc__)
    default = Path(os.environ.get("OBSERVATORY_RECORDINGS", "../shared/archive"))
    parser.add_argument("--recordings", type=Path, default=default, help="folder with MANIFEST.csv")
    parser.add_argument("--into", type=Path, default=Path("warehouse/sample"), help="its place")
    chosen = parser.parse_args(arguments)
    try:
        snapshots = make_sample(chosen.recordings, chosen.into)
    except SampleError as error:
        print(error, file=sys.stderr)
        return 1
    for snapshot in snapshots:
        print(f"{snapshot.snapshot_id}: {snapshot.rows_seen} records, {snapshot.bytes:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
