"""The sample's selection of LMArena's leaderboards."""

from __future__ import annotations

import io
from datetime import date

import polars as pl
import pyarrow.parquet as pq

from infra.sample.recordings import Recording, Recordings, sample_draft
from warehouse.archive.archive import Archive
from warehouse.contracts.source import card

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
    # Without Arrow's schema in the footer, strings are plain ones, as in the official files.
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
