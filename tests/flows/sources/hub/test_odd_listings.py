"""One bad record, rejected column or repeated page does not stop a sweep."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.settings import Settings
from flows.sources.formats.json_text import read_document, to_strict_json
from flows.sources.http import SourceError
from flows.sources.hub.columns import columns, optional, requested
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import Answer, StandIn
from tests.standin.web import Call
from tests.support.sources import loaded, refused, some_models, write_models
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import Snapshot

DAY, NEXT_DAY = date(2026, 8, 15), date(2026, 8, 16)
OLDEST = b'{"_id":"00","id":"old/est","createdAt":"2022-03-02T23:29:04.000Z","downloads":0}'
SOUND = b'{"_id":"01","id":"a/sound","createdAt":"2026-01-02T00:00:00.000Z","downloads":5}'


class Bodies(StandIn):
    """A listing made of ready bodies, one a page, whose links carry the query of the request."""

    bodies: list[bytes]
    refuses: tuple[str, ...] = ()
    refuses_from: int = 0

    def answer(self, call: Call) -> Answer:
        if call.segments not in (("api", "models"), ("api", "datasets")):
            return super().answer(call)
        page = int(call.value("cursor") or 0)
        if page >= self.refuses_from and set(call.values("expand")) & set(self.refuses):
            return Answer(400, b'{"error":"Invalid option for expand"}')
        link = {}
        if page + 1 < len(self.bodies):
            expand = "".join(f"&expand={name}" for name in call.values("expand"))
            address = f"{self.url}/{'/'.join(call.segments)}?cursor={page + 1}{expand}"
            link = {"Link": f'<{address}>; rel="next"'}
        return Answer(200, self.bodies[page], link)


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    return write_models(tmp_path / "recordings", some_models(1))


def swept(
    server: Bodies, folder: Path, day: date = DAY, source: str = "hub", **more: Any
) -> tuple[Snapshot, Settings]:
    settings = settings_for(server, folder, **more)
    return observe(source, settings, day).snapshot, settings


def page(*records: bytes) -> bytes:
    return b"[" + b",\n".join(records) + b"]"


# --- one bad record ------------------------------------------------------------------------------

ODD = {  # bytes in a tag, and the text that is read
    "half a surrogate": (rb"fast \ud83d", "fast \ufffd"),
    "the other half": (rb"\ude00 fast", "\ufffd fast"),
    "halves in the wrong order": (rb"\ude00\ud83d", "\ufffd\ufffd"),
    "an escaped backslash": (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
    "a whole emoji beside half": (rb"\ud83d\ude00\ud83d", "\U0001f600\ufffd"),
    "no UTF-8": (b"fast \xff", "fast \ufffd"),
    "a surrogate in UTF-8": (b"\xed\xa0\xbd", "\ufffd\ufffd\ufffd"),
    "a raw control character": (b"a\nb", "a\nb"),
    "a raw NUL": (b"a\x00b", "a\x00b"),
    "an escaped NUL": (rb"a\u0000b", "a\x00b"),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_invalid_character_does_not_reject_the_record(
    kind: str, nothing: Path, tmp_path: Path
) -> None:
    sent, tag = ODD[kind]
    record = b'{"_id":"02","id":"a/odd","tags":["%s"]}' % sent
    with Bodies(nothing) as server:
        server.bodies = [page(SOUND, record, OLDEST)]
        sealed, settings = swept(server, tmp_path)
    assert sealed.is_complete
    con = loaded(settings, "hub")
    result = "SELECT model_id_hf, downloads_30d, tags_json FROM raw.hub_models ORDER BY ALL"
    (odd, sound, oldest) = con.execute(result).fetchall()
    assert json.loads(odd[2]) == [tag]
    assert (sound[:2], oldest[:2]) == (("a/sound", 5), ("old/est", 0))
    assert refused(con) == []
    kept = Archive(settings.archive).read(sealed.find("pages/")[0])
    assert kept == server.bodies[0]  # the archive has what was received


CELLS = {
    b'"likes":NaN': "likes",
    b'"likes":-Infinity': "likes",
    b'"likes":1e400': "likes",
    b'"likes":123456789012345678901234567890': "likes",
    b'"likes":1.5': "likes",
    b'"likes":-1': "likes",
    b'"likes":"1,234"': "likes",
    b'"downloads":{"a":1}': "downloads_30d",
    b'"trendingScore":1e999': "trending_score",
    b'"createdAt":"2024-01-01 20:00:00+09"': "created_at",
    b'"createdAt":"01/02/24"': "created_at",
    b'"createdAt":1704103200000': "created_at",
    b'"createdAt":"2024-01-01"': "created_at",
}


def test_an_unusable_value_is_null_and_quarantined(nothing: Path, tmp_path: Path) -> None:
    odd = [b'{"_id":"1%d","id":"a/%d",%s}' % (n, n, cell) for n, cell in enumerate(CELLS, start=10)]
    with Bodies(nothing) as server:
        server.bodies = [page(*odd, SOUND, OLDEST)]
        _, settings = swept(server, tmp_path)
    con = loaded(settings, "hub")
    assert con.execute("SELECT count(*) FROM raw.hub_models").fetchone() == (len(CELLS) + 2,)
    notes = con.execute(
        "SELECT line, column_name, kind FROM raw.quarantine ORDER BY line"
    ).fetchall()
    assert notes == [(n, name, "cell") for n, name in enumerate(CELLS.values(), start=1)]
    for n, name in enumerate(CELLS.values(), start=10):
        result = con.execute(f"SELECT {name} FROM raw.hub_models WHERE model_id_hf = 'a/{n}'")
        assert result.fetchall() == [(None,)]


@pytest.mark.parametrize("element", [b"7", b"null", b'"a/text"', b"[1]", b'{"likes":1}'])
@pytest.mark.parametrize("beside", [b"", rb'{"_id":"02","id":"a/odd","tags":["\ud83d"]},'])
def test_an_element_that_is_not_a_model_is_rejected_alone(
    element: bytes, beside: bytes, nothing: Path, tmp_path: Path
) -> None:
    with Bodies(nothing) as server:
        server.bodies = [page(SOUND, beside + element, OLDEST)]
        _, settings = swept(server, tmp_path)
    con = loaded(settings, "hub")
    assert [(t, r) for t, _, r in refused(con)] == [("raw.hub_models", "missing id")]
    result = con.execute("SELECT count(*) FROM raw.hub_models").fetchone()
    assert result == (3 if beside else 2,)


def test_datasets_and_the_strip_share_the_json_reader(nothing: Path, tmp_path: Path) -> None:
    odd = rb'{"_id":"02","id":"a/odd","tags":["\ud83d"],"createdAt":"2023-01-01T00:00:00.000Z"}'
    item = rb'{"repoType":"model","repoData":{"id":"a/b","likes":1e999,"author":"\ud83d"}}'

    class Both(Bodies):
        def answer(self, call: Call) -> Answer:
            if call.segments == ("api", "trending"):
                return Answer(200, b'{"recentlyTrending":[' + item + b"]}")
            return super().answer(call)

    with Both(nothing) as server:
        server.bodies = [page(odd, OLDEST)]
        swept(server, tmp_path, source="hub_datasets")
        _, settings = swept(server, tmp_path, source="hub_trending")
    con = loaded(settings, "hub_datasets", "hub_trending")
    assert con.execute("SELECT count(*) FROM raw.hub_datasets").fetchone() == (2,)
    strip = con.execute("SELECT model_id_hf, author, likes FROM raw.hub_trending").fetchall()
    assert strip == [("a/b", "\ufffd", None)]


@pytest.mark.parametrize("text", [b"", b"<html>", b"[1,", b'[{"a":"\\ud83d"}', b"[" * 5000])
def test_invalid_json_is_not_repaired(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_document(text)


def test_repair_leaves_sound_json_unchanged() -> None:
    sound = {"a": ["\U0001f600 \\ud83d \u00e9", 1.5, None, True, 2**60], "b": {"c": "\x00"}}
    assert json.loads(to_strict_json(json.dumps(sound).encode())) == sound


# --- a column that is refused --------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("names", [("baseModels",), ("safetensors", "downloadsAllTime")])
def test_a_rejected_column_is_left_out_and_noted(
    first: int, names: tuple[str, ...], nothing: Path, tmp_path: Path
) -> None:
    with Bodies(nothing) as server:
        following = b'{"_id":"02","id":"a/next","createdAt":"2026-01-01T00:00:00.000Z"}'
        server.bodies = [page(SOUND), page(following), page(OLDEST)]
        server.refuses, server.refuses_from = names, first
        sealed, _ = swept(server, tmp_path, hub_page_rows=1)
    assert sealed.is_complete
    pages = sealed.find("pages/")
    for file in pages[first:]:
        assert requested(file.url) == {*columns("hub")} - {*names}
    result = [note for note in sealed.notes if "rejects the column" in note]
    assert len(result) == len(names)
    assert all(pages[first].name in note for note in result)


def test_a_resumed_sweep_still_leaves_the_column_out(nothing: Path, tmp_path: Path) -> None:
    with Bodies(nothing) as server:
        server.bodies, server.refuses = [page(SOUND), page(OLDEST)], ("baseModels",)
        settings = settings_for(server, tmp_path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warehouse.archive.draft.Draft.seal", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                observe("hub", settings, DAY)
        n = len(server.requests)
        sealed = observe("hub", settings, DAY).snapshot
        assert len(server.requests) - n <= 1  # nothing is found out again
    assert sum("rejects the column baseModels" in note for note in sealed.notes) == 1


def test_a_rejected_essential_column_is_a_clear_error(nothing: Path, tmp_path: Path) -> None:
    assert "downloads" not in optional("hub")
    with Bodies(nothing) as server:
        server.bodies, server.refuses = [page(OLDEST)], ("downloads",)
        with pytest.raises(SourceError, match="HTTP 400"):
            swept(server, tmp_path)


# --- whole or part -------------------------------------------------------------------------------


def model(number: int, **more: Any) -> dict[str, Any]:
    created = "2022-03-02T23:29:04.000Z" if number == 0 else f"2026-01-01T00:{number:02}:00.000Z"
    return {"_id": f"{number:024}", "id": f"lab/m{number}", "createdAt": created, **more}


def sixty() -> list[list[dict[str, Any]]]:
    """Ten pages of six, the newest first."""
    models = [model(n) for n in reversed(range(60))]
    return [models[i : i + 6] for i in range(0, 60, 6)]


def again(pages: list[list[dict[str, Any]]], at: int, of: int) -> None:
    pages[at] = [{**m, "likes": 9} for m in pages[of]]


def shifted(pages: list[list[dict[str, Any]]]) -> None:
    pages[4] = [*pages[3][-1:], *pages[4][:-1]]


def repeated_beside(pages: list[list[dict[str, Any]]]) -> None:
    pages[4] = [*pages[3][-2:], *pages[4]]


WHOLE: dict[str, tuple[Callable[[list[list[dict[str, Any]]]], None], int, bool]] = {
    "nothing": (lambda _: None, 60, True),
    "the page before": (lambda p: again(p, 4, 3), 54, False),
    "a page long before": (lambda p: again(p, 7, 1), 54, False),
    "one row of the page before": (shifted, 59, False),
    "rows of the page before beside all of its own": (repeated_beside, 60, True),
    "an empty page": (lambda p: p[4].clear(), 54, False),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_completeness_counts_distinct_objects(kind: str, nothing: Path, tmp_path: Path) -> None:
    change, objects, is_whole = WHOLE[kind]
    pages = sixty()
    change(pages)
    with Bodies(nothing) as server:
        server.bodies = [json.dumps(p).encode() for p in pages]
        sealed, settings = swept(server, tmp_path, hub_page_rows=6)
    assert (sealed.rows_seen, sealed.is_complete) == (objects, is_whole)
    con = loaded(settings, "hub")
    assert con.execute("SELECT count(*) FROM raw.hub_models").fetchone() == (objects,)


def test_a_page_served_twice_once_is_retried(nothing: Path, tmp_path: Path) -> None:
    class Stale(Bodies):
        times = 0

        def answer(self, call: Call) -> Answer:
            answer = super().answer(call)
            self.times += call.value("cursor") == "4"
            if call.value("cursor") == "4" and self.times == 1:
                again(wrong := sixty(), 4, 3)
                return Answer(200, json.dumps(wrong[4]).encode(), answer.headers)
            return answer

    with Stale(nothing) as server:
        server.bodies = [json.dumps(p).encode() for p in sixty()]
        sealed, _ = swept(server, tmp_path, hub_page_rows=6)
    assert (sealed.rows_seen, sealed.is_complete) == (60, True)


@pytest.mark.parametrize("source", ["hub", "hub_datasets"])
def test_an_empty_last_page_is_retried(source: str, nothing: Path, tmp_path: Path) -> None:
    with Bodies(nothing) as server:
        server.bodies = [json.dumps(p).encode() for p in sixty()]
        swept(server, tmp_path, source=source)
    with Bodies(nothing) as server:
        server.bodies = [*(json.dumps(p).encode() for p in sixty()[:3]), b"[]"]
        with pytest.raises(SourceError, match="is empty and names no next page"):
            swept(server, tmp_path, NEXT_DAY, source)
        assert len(server.requests) == 3 + 3


def test_a_suddenly_empty_namespace_is_retried_and_noted(
    nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.sources.hub.namespaces.first_party_namespaces", lambda: ["a", "b"])
    with Bodies(nothing) as server:
        server.bodies = [page(SOUND)]
        first, _ = swept(server, tmp_path, source="hub_namespaces")
        server.bodies = [b"[]"]
        second, _ = swept(server, tmp_path, NEXT_DAY, "hub_namespaces")
        assert sum(r.status == 200 for r in server.requests) == 2 + 2 * 3
    assert not any("is empty" in note for note in first.notes)
    result = [note for note in second.notes if "is empty" in note]
    assert len(result) == 2
    assert f"hub_namespaces/{DAY} had 1 rows there" in result[0]


def test_an_empty_strip_is_retried_and_is_an_error(nothing: Path, tmp_path: Path) -> None:
    class Empty(Bodies):
        def answer(self, call: Call) -> Answer:
            return Answer(200, b'{"recentlyTrending":[]}')

    with Empty(nothing) as server:
        with pytest.raises(SourceError, match="recentlyTrending is empty"):
            swept(server, tmp_path, source="hub_trending")
        assert len(server.requests) == 3


# --- moments of a third party --------------------------------------------------------------------


SLOW_ZONES = [pytest.param(zone, marks=pytest.mark.slow) for zone in ("UTC", "America/New_York")]


@pytest.mark.parametrize("zone", ["Asia/Seoul", *SLOW_ZONES])
def test_times_with_a_zone_are_utc_on_every_machine(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2024, 1, 1, 20)
    utc = pl.Series("createdAt", [moment]).dt.replace_time_zone("UTC")
    given = {
        "utc": utc,
        "milliseconds": utc.cast(pl.Datetime("ms", "UTC")),
        "seoul": utc.dt.convert_time_zone("Asia/Seoul"),
        "plain": pl.Series([moment]),
        "text": pl.Series(["2024-01-01T20:00:00.000Z"]),
        "offset": pl.Series(["2024-01-01 20:00:00+09"]),
        "number": pl.Series([1704139200000]),
        "short": pl.Series(["24-01-01"]),
    }
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for name, created in given.items():
            folder = tmp_path / name
            day = folder / "recordings/hub-stats/2025-03-01"
            day.mkdir(parents=True)
            frame = pl.DataFrame({"id": ["a/b"], "downloads": [5.0]})
            frame.with_columns(created.alias("createdAt")).write_parquet(day / "models.parquet")
            write_models(folder / "recordings", some_models(1))
            with StandIn(folder / "recordings") as server:
                settings = settings_for(server, folder)
                observe("hub_stats", settings, date(2025, 3, 1))
            con = loaded(settings, "hub_stats")
            expected = None if name in ("offset", "number", "short") else moment
            result = con.execute("SELECT created_at, downloads_30d FROM raw.hub_stats_models")
            assert result.fetchall() == [(expected, 5)], name
            assert len(refused(con)) == (expected is None), name
    finally:
        monkeypatch.undo()
        time.tzset()
