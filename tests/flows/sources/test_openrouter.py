"""OpenRouter's daily rankings, from a stand-in that answers as the API does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.settings import DEFAULT_SOURCES, Settings
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import Answer, StandIn
from tests.standin.openrouter import KEY
from tests.standin.web import Call
from tests.support.sources import loaded
from warehouse.archive.archive import Archive

TABLE = "raw.openrouter_rankings"
SECOND = date(2025, 1, 2)
PATH = ("api", "v1", "datasets", "rankings-daily")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)


def ranked(day: str, slug: str = "a/m", tokens: object = "7") -> dict[str, Any]:
    return {"date": day, "model_permaslug": slug, "total_tokens": tokens}


class Api(StandIn):
    """Answers with given rows for each day, or with given bytes."""

    rows: list[Any]
    body: bytes | None = None

    def answer(self, call: Call) -> Answer:
        found = super().answer(call)
        if call.segments != PATH:
            return found
        meta = json.loads(found.body)["meta"]
        asked = [
            row for row in self.rows
            if not isinstance(row, dict) or row.get("date") not in self.known
            or meta["start_date"] <= row["date"] <= meta["end_date"]
        ]  # fmt: skip
        return Answer(200, self.body or json.dumps({"data": asked, "meta": meta}).encode(), {})

    @property
    def known(self) -> set[str]:
        return {f"2025-01-{n:02}" for n in range(1, 32)}


@pytest.fixture
def api(tmp_path: Path) -> Callable[..., Api]:
    """Starts a stand-in with these rows."""
    folder = tmp_path / "recordings" / "openrouter"
    folder.mkdir(parents=True)
    (folder / "rankings-daily_2025-01-01.json").write_text('{"data": []}')

    def made(*rows: Any) -> Api:
        server = Api(folder.parent)
        server.rows = list(rows)
        return server

    return made


def asked(server: StandIn) -> list[tuple[str, str]]:
    """First and last day of every request."""
    found = [r.query for r in server.requests if r.path.endswith("rankings-daily")]
    return [(q["start_date"][0], q["end_date"][0]) for q in found]


# --- the recording ----------------------------------------------------------------------------


def test_every_recorded_row_is_loaded(more_recordings: Path, tmp_path: Path) -> None:
    """A second reckoning: SQL over the recorded files themselves."""
    with StandIn(more_recordings) as server:
        settings = settings_for(server, tmp_path)
        observe("openrouter", settings, date(2026, 10, 2))
    con = loaded(settings, "openrouter")
    files = str(more_recordings / "openrouter" / "rankings-daily_*.json")
    recorded = (
        "SELECT r.date::DATE, r.model_permaslug, r.total_tokens::BIGINT FROM "
        f"(SELECT unnest(data) AS r FROM read_json('{files}'))"
    )
    ours = f"SELECT day, model_permaslug, total_tokens FROM {TABLE}"
    assert con.execute(f"{recorded} EXCEPT ALL {ours}").fetchall() == []
    assert con.execute(f"{ours} EXCEPT ALL {recorded}").fetchall() == []
    sums = f"SELECT day, sum(total_tokens)::BIGINT FROM {TABLE} GROUP BY day ORDER BY day"
    totals = dict(con.execute(sums).fetchall())
    assert len(totals) == 17
    assert totals[date(2025, 1, 1)] == 46_910_006_572
    assert totals[date(2026, 10, 1)] == 21_965_606_208_110
    assert con.execute("SELECT count(*) FROM raw.quarantine").fetchone() == (0,)


def test_replay_gives_the_rows_of_the_observation(more_recordings: Path, tmp_path: Path) -> None:
    """The archive alone, without the key and the server, gives the same rows."""
    with StandIn(more_recordings) as server:
        settings = settings_for(server, tmp_path)
        live = loaded_after(settings, date(2026, 10, 2))
    replayed = loaded(settings, "openrouter").execute(f"FROM {TABLE} ORDER BY ALL").fetchall()
    assert replayed == live
    assert len(live) == 850


def loaded_after(settings: Settings, day: date) -> list[tuple[Any, ...]]:
    observe("openrouter", settings, day)
    con = loaded(settings, "openrouter")
    return con.execute(f"FROM {TABLE} ORDER BY ALL").fetchall()


# --- which days -------------------------------------------------------------------------------


def test_the_days_are_the_missing_ones_and_the_last_seven(
    api: Callable[..., Api], tmp_path: Path
) -> None:
    days = [f"2025-01-{n:02}" for n in range(1, 20)]
    with api(*map(ranked, days)) as server:
        settings = settings_for(server, tmp_path)
        observe("openrouter", settings, date(2025, 1, 11))
        observe("openrouter", settings, date(2025, 1, 12))
        observe("openrouter", settings, date(2025, 1, 20))
    assert asked(server) == [
        ("2025-01-01", "2025-01-10"),
        ("2025-01-05", "2025-01-11"),
        ("2025-01-12", "2025-01-19"),
    ]
    con = loaded(settings, "openrouter")
    assert con.execute(f"SELECT count(*), count(DISTINCT day) FROM {TABLE}").fetchone() == (25, 19)


def test_a_missing_old_day_is_noted_and_requested_again(
    api: Callable[..., Api], tmp_path: Path
) -> None:
    """An old day without figures does not stop later observations."""
    with api(*(ranked(f"2025-01-{n:02}") for n in range(2, 20))) as server:
        settings = settings_for(server, tmp_path)
        first = observe("openrouter", settings, date(2025, 1, 15)).snapshot
        observe("openrouter", settings, date(2025, 1, 16))
    assert first.notes == ("1 days are missing, the first is 2025-01-01",)
    assert asked(server)[1] == ("2025-01-01", "2025-01-15")


def test_no_request_is_longer_than_a_year_and_none_is_for_today(
    more_recordings: Path, tmp_path: Path
) -> None:
    """The stand-in answers 400 to both, as the API does."""
    today = datetime.now(UTC).date()
    with StandIn(more_recordings) as server:
        observe("openrouter", settings_for(server, tmp_path), today + timedelta(days=3))
    spans = [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in asked(server)]
    assert spans[0][0] == date(2025, 1, 1)
    assert spans[-1][1] == today - timedelta(days=1)
    assert all((last - first).days < 366 for first, last in spans)
    assert all(r.status == 200 for r in server.requests)


def test_the_first_day_has_nothing_before_it(api: Callable[..., Api], tmp_path: Path) -> None:
    with api() as server, pytest.raises(SourceError, match="no figures before 2025-01-01"):
        observe("openrouter", settings_for(server, tmp_path), date(2025, 1, 1))


# --- the key ----------------------------------------------------------------------------------


def test_the_source_is_used_only_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "openrouter" not in DEFAULT_SOURCES
    assert "openrouter" in Settings().sources
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert "openrouter" not in Settings().sources
    assert Settings(sources="openrouter").sources == ("openrouter",)
    assert "openrouter" in Settings().archived_sources


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "the source requires a token.*set OPENROUTER_API_KEY"),
        ("wrong", "HTTP 401.*set OPENROUTER_API_KEY to a valid token"),
    ],
)
def test_a_missing_or_wrong_key_is_an_error_that_names_it(
    api: Callable[..., Api],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    message: str,
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", key)
    with api(ranked("2025-01-01")) as server:
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match=f"(?s){message}"):
            observe("openrouter", settings, SECOND)
    assert Archive(settings.archive).snapshots() == []


# --- damage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "JSONDecodeError|unexpected"),
        (b"[]", "TypeError"),
        (b'{"data": []}', "meta"),
        (b'{"data": {}, "meta": {"version": "v1"}}', "`data` is not a list"),
        (b'{"data": [], "meta": {"version": "v1"}}', "`data` is empty"),
        (b'{"data": [{}], "meta": {"version": "v2"}}', "version 'v2' of the API"),
        (b'{"data": [{}], "meta": []}', "AttributeError"),
    ],
)
def test_a_response_that_is_no_ranking_is_set_aside(
    api: Callable[..., Api], tmp_path: Path, body: bytes, message: str
) -> None:
    with api() as server:
        server.body = body
        settings = settings_for(server, tmp_path)
        with pytest.raises(SourceError, match=message):
            observe("openrouter", settings, SECOND)
    (kept,) = (settings.archive / "openrouter/2025-01-02/refused").iterdir()
    assert kept.read_bytes() == body
    assert Archive(settings.archive).snapshots() == []


ODD = {
    "tokens as a number": (ranked("2025-01-02", "b/m", 7), "total_tokens: expected a text"),
    "tokens with a fraction": (ranked("2025-01-02", "b/m", "7.5"), "total_tokens: expected"),
    "negative tokens": (ranked("2025-01-02", "b/m", "-7"), "total_tokens: expected"),
    "Arabic digits": (ranked("2025-01-02", "b/m", "٧"), "total_tokens: expected"),
    "more than fits": (ranked("2025-01-02", "b/m", "9" * 19), "total_tokens: expected"),
    "no tokens": (ranked("2025-01-02", "b/m", None), "total_tokens: expected"),
    "no publisher": (ranked("2025-01-02", "model"), "model_permaslug: expected"),
    "a number as model": (ranked("2025-01-02", 7), "model_permaslug: expected"),  # type: ignore[arg-type]
    "a model twice": (ranked("2025-01-02"), "model_permaslug: repeated"),
}


@pytest.mark.parametrize("name", ODD)
def test_one_odd_row_rejects_its_day_and_no_other(
    api: Callable[..., Api], tmp_path: Path, name: str
) -> None:
    row, problem = ODD[name]
    days = [ranked(f"2025-01-{n:02}") for n in (1, 2)]
    with api(*days, row, ranked("2025-01-03")) as server:
        settings = settings_for(server, tmp_path)
        snapshot = observe("openrouter", settings, date(2025, 1, 4)).snapshot
    con = loaded(settings, "openrouter")
    assert days_of(con) == [date(2025, 1, 1), date(2025, 1, 3)]
    reasons = con.execute("SELECT line, reason FROM raw.quarantine ORDER BY line").fetchall()
    assert [line for line, _ in reasons] == [2, 3]
    assert reasons[0][1].startswith("record 3 of the day cannot be used (")
    assert reasons[1][1].startswith(problem)
    assert snapshot.notes == (f"2025-01-02 is rejected: {reasons[0][1]}",)


@pytest.mark.parametrize(
    "day", [None, 20250102, "2025-02-30", "02.01.2025", "20250102", "2052-01-02", "2025-01-2"]
)
def test_a_row_without_a_usable_date_rejects_the_days_beside_it(
    api: Callable[..., Api], tmp_path: Path, day: Any
) -> None:
    """It may belong to either; days further away are sound."""
    before, after = [ranked(f"2025-01-{n:02}") for n in (1, 2)], [ranked("2025-01-03")]
    more = [ranked("2025-01-04")]
    with api(*before, ranked(day, "b/m"), *after, *more) as server:
        settings = settings_for(server, tmp_path)
        observe("openrouter", settings, date(2025, 1, 5))
    con = loaded(settings, "openrouter")
    assert days_of(con) == [date(2025, 1, 1), date(2025, 1, 4)]
    (odd,) = con.execute("SELECT reason FROM raw.quarantine WHERE line = 3").fetchall()
    assert odd[0].startswith("date: ")


@pytest.mark.parametrize("item", [None, 7, "row", [], {}])
def test_an_item_that_is_no_row_rejects_the_days_beside_it(
    api: Callable[..., Api], tmp_path: Path, item: Any
) -> None:
    with api(ranked("2025-01-01"), ranked("2025-01-02"), item) as server:
        settings = settings_for(server, tmp_path)
        observe("openrouter", settings, date(2025, 1, 3))
    con = loaded(settings, "openrouter")
    assert days_of(con) == [date(2025, 1, 1)]


def test_a_rejected_day_is_requested_again(api: Callable[..., Api], tmp_path: Path) -> None:
    good = [ranked(f"2025-01-{n:02}") for n in range(1, 20)]
    with api(*good, ranked("2025-01-02", "b/m", "odd")) as server:
        settings = settings_for(server, tmp_path)
        observe("openrouter", settings, date(2025, 1, 4))
        server.rows = good
        observe("openrouter", settings, date(2025, 1, 20))
    assert asked(server)[1] == ("2025-01-02", "2025-01-19")
    con = loaded(settings, "openrouter")
    assert len(set(days_of(con))) == 19


def days_of(con: Any) -> list[date]:
    return [day for (day,) in con.execute(f"SELECT day FROM {TABLE} ORDER BY day").fetchall()]
