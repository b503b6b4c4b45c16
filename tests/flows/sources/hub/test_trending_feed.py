"""A third party's recording of the Hub's trending models: the feed of a day's last commit."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from flows.settings import DEFAULT_SOURCES, Settings
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import Answer, StandIn
from tests.standin.web import Call
from tests.support.sources import loaded, refused
from warehouse.archive.archive import Archive

DAY = date(2025, 1, 28)
TABLE = "raw.hub_trending_feed"


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    """Two commits on one day, an empty one on the next."""
    folder = tmp_path / "recordings" / "trending_2025"
    folder.mkdir(parents=True)
    times = ["2025-01-28T00:54:51Z", "2025-01-28T12:00:00Z", "2025-01-29T00:54:57Z"]
    commits = [f",{at},{n:040x},2" for n, at in enumerate(times)]
    models = ["lab/a", "gpt2", "lab/b", "lab/a"]
    rows = [f",{times[n // 2]},{n % 2 + 1},{model}" for n, model in enumerate(models)]
    head = "observed_on,observed_at,origin_commit,items"
    (folder / "origins.csv").write_text("\n".join([head, *commits]))
    head = "observed_on,observed_at,position,model_id"
    (folder / "trending.csv").write_text("\n".join([head, *rows]))
    return folder.parent


def test_the_feed_is_observed_only_when_named() -> None:
    assert "hub_trending_feed" not in DEFAULT_SOURCES
    assert Settings(sources="hub_trending_feed").sources == ("hub_trending_feed",)


def test_every_recorded_day_is_read_as_recorded(more_recordings: Path, tmp_path: Path) -> None:
    folder = more_recordings / "trending_2025"
    with (folder / "trending.csv").open(newline="") as lines:
        recorded = list(csv.DictReader(lines))
    with StandIn(more_recordings) as server:
        settings = settings_for(server, tmp_path)
        for day in sorted({row["observed_on"] for row in recorded}):
            observe("hub_trending_feed", settings, date.fromisoformat(day))
    con = loaded(settings, "hub_trending_feed")
    ours = con.execute(
        "SELECT snapshot_date, observed_at, position, model_id_hf, author "
        f"FROM {TABLE} ORDER BY ALL"
    ).fetchall()
    assert ours == [
        (
            date.fromisoformat(row["observed_on"]),
            datetime.fromisoformat(row["observed_at"]).astimezone(UTC).replace(tzinfo=None),
            int(row["position"]),
            row["model_id"],
            row["model_id"].split("/")[0],
        )
        for row in recorded
    ]
    assert len({day for day, *_ in ours}) == 29
    assert refused(con) == []


def test_the_last_commit_of_a_day_counts(feeds: Path, tmp_path: Path) -> None:
    with StandIn(feeds) as server:
        settings = settings_for(server, tmp_path)
        snapshot = observe("hub_trending_feed", settings, DAY).snapshot
    con = loaded(settings, "hub_trending_feed")
    rows = con.execute(
        f"SELECT position, model_id_hf, commit_id FROM {TABLE} ORDER BY 1"
    ).fetchall()
    assert rows == [(1, "lab/b", f"{1:040x}"), (2, "lab/a", f"{1:040x}")]
    assert snapshot.notes[0].startswith("28 of 30 models are missing")
    assert "/main/" not in snapshot.files[0].url  # a branch moves, a commit does not


def test_an_empty_feed_is_a_failed_recording(feeds: Path, tmp_path: Path) -> None:
    with StandIn(feeds) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match="2025-01-29 is empty: the third party failed"):
            observe("hub_trending_feed", settings, date(2025, 1, 29))
    assert Archive(settings.archive).snapshots() == []


def test_the_recorded_empty_day_is_refused(more_recordings: Path, tmp_path: Path) -> None:
    with StandIn(more_recordings) as server, pytest.raises(SourceError, match="is empty"):
        observe("hub_trending_feed", settings_for(server, tmp_path), date(2025, 2, 23))


def test_a_day_without_a_commit_is_an_error(feeds: Path, tmp_path: Path) -> None:
    with (
        StandIn(feeds) as server,
        pytest.raises(SourceError, match=r"2025-01-30 no commit changed docs/feed\.json"),
    ):
        observe("hub_trending_feed", settings_for(server, tmp_path), date(2025, 1, 30))


class Replaced(StandIn):
    """Serves other bytes than those in the tree."""

    def answer(self, call: Call) -> Answer:
        answer = super().answer(call)
        return Answer(200, b"{}") if call.segments[:2] == ("github", "raw") else answer


def test_other_bytes_than_the_commits_are_quarantined(feeds: Path, tmp_path: Path) -> None:
    with Replaced(feeds) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match=r"feed\.json: has blob id"):
            observe("hub_trending_feed", settings, DAY)
    folder = settings.archive / "hub_trending_feed" / str(DAY) / "refused"
    assert [path.read_bytes() for path in folder.iterdir()] == [b"{}"]


def test_items_that_are_no_models_go_to_quarantine(feeds: Path, tmp_path: Path) -> None:
    with (feeds / "trending_2025" / "trending.csv").open("a") as lines:
        lines.write("\n,2025-01-28T12:00:00Z,3,lab/a\n,2025-01-28T12:00:00Z,4,a b")
        lines.write("\n,2025-01-28T12:00:00Z,5,gpt2")
    with StandIn(feeds) as server:
        settings = settings_for(server, tmp_path)
        observe("hub_trending_feed", settings, DAY)
    con = loaded(settings, "hub_trending_feed")
    assert refused(con) == [
        (TABLE, 3, "duplicate"),
        (TABLE, 4, "id: expected the address of a model"),
    ]
    kept = f"SELECT position, model_id_hf, author FROM {TABLE} ORDER BY 1"
    assert con.execute(kept).fetchall() == [
        (1, "lab/b", "lab"),
        (2, "lab/a", "lab"),
        (5, "gpt2", None),
    ]
