"""The sample's selection of LMArena's leaderboards."""

from __future__ import annotations

import io
from datetime import date

import polars as pl
import pyarrow.parquet as pq

from infra.sample.recordings import Recording, Recordings, sample_draft
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card
from warehouse.database.read_files import csv_frame, parquet_frame

# Board -> places. Nothing below them is selected, so that a board has every model down to its last.
ARENA_TOPS = {
    "text": 100,
    "text_style_control": 60,
    "document_style_control": 10,
    **dict.fromkeys(("search_style_control", "webdev"), 20),
    **dict.fromkeys(("image_edit", "image_to_video", "text_to_image", "text_to_video"), 20),
    **dict.fromkeys(("vision", "vision_style_control"), 20),
}
ARENA_NEWEST = date(2026, 6, 26)


def arena_board(recording: Recording, board: str) -> pl.DataFrame:
    """First places of the overall board on every recorded date, as recorded."""
    return (
        parquet_frame(recording.path)
        .filter(pl.col("category") == "overall")
        .filter(pl.col("leaderboard_publish_date") <= str(ARENA_NEWEST))
        .filter(pl.col("rank") <= ARENA_TOPS[board])
        .sort("leaderboard_publish_date", "rank", "model_name")
    )


def write_arena(recordings: Recordings, archive: Archive) -> None:
    """Snapshot lmarena/<ARENA_NEWEST> with the first places of each of ARENA_TOPS."""
    with sample_draft(archive, "lmarena", ARENA_NEWEST) as draft:
        for board in ARENA_TOPS:
            name = f"{board}/full-00000-of-00001.parquet"
            recording = recordings.get(f"lmarena/leaderboard-dataset/{name}")
            rows, file = arena_board(recording, board), io.BytesIO()
            # Without Arrow's schema in the footer, strings are plain ones as in the official files.
            pq.write_table(rows.to_arrow(), file, compression="zstd", store_schema=False)
            draft.notes += _arena_notes(recordings, recording, board, rows)
            draft.add_file(
                name,
                file.getvalue(),
                url=card("lmarena").urls["file"].format(commit="main", subset=board),
                rows_seen=rows.height,
                retrieved_at=recording.retrieved_at,
            )


def _arena_notes(
    recordings: Recordings, recording: Recording, board: str, rows: pl.DataFrame
) -> list[str]:
    sources = csv_frame(recordings.get("lmarena/row_sources.csv").path)
    dates = rows.select("leaderboard_publish_date").unique()
    origins = (
        sources.filter(pl.col("subset") == board)
        .join(dates, on="leaderboard_publish_date")
        .group_by("origin", "date_kind")
        .agg(pl.len().alias("n"), *_first_and_last())
        .sort("first", "origin", "date_kind")
        .select("n", "first", "last", "date_kind", "origin")
    )
    return [
        f"sample of {rows.height} of {recording.rows:,} recorded rows of board {board}; selection: "
        f"the first {ARENA_TOPS[board]} of category overall on each of {dates.height} dates; "
        f"counts beyond rank {ARENA_TOPS[board]} are of the sample",
        f"recording: {recording}; rank, variance, organization and license were put together by "
        "the recorder; ratings of many dates are rounded",
        *(
            f"{board}: {n} dates from {first} to {last}, {kind} date, from {origin}"
            for n, first, last, kind, origin in origins.iter_rows()
        ),
    ]


def _first_and_last() -> list[pl.Expr]:
    day = pl.col("leaderboard_publish_date")
    return [day.min().alias("first"), day.max().alias("last")]
