"""The archive stores received bytes once and unchanged, and never reads damaged files."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.archive.archive import Archive
from warehouse.archive.draft import Draft, open_draft
from warehouse.archive.snapshot import (
    JOURNAL,
    SIDECAR,
    ArchivedFile,
    ArchiveError,
    Snapshot,
    read_moment,
)
from warehouse.storage.redact import redact

DAY, NEXT_DAY = date(2026, 8, 14), date(2026, 8, 15)
URL = "https://example.org/data"
ABOUT = {
    "producer": "Example",
    "url": "https://example.org",
    "citation": "Example, example.org",
    "license": "CC BY 4.0",
    "redistribution": "derived",
}
PROPERTY = settings(max_examples=60, deadline=None, derandomize=True)
PAGES = {f"pages/{n}.json": b'[{"id": "a/%d"}]' % n * 9 for n in range(1, 5)}

# Names that must never become a path of the archive.
BAD_NAMES = [
    "",
    ".",
    "..",
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a//b",
    "a/",
    ".hidden",
    "a/.lock",
    "a\\b",
    "a\0b",
    "a\nb",
    "a b",
    "ü",
    "~",
    "C:x",
    "x" * 201,
    "a/" * 3000 + "a",
]


@contextmanager
def scratch() -> Iterator[Archive]:
    """A new, empty archive."""
    with tempfile.TemporaryDirectory() as folder:
        yield Archive(Path(folder) / "archive")


def file_snapshot(archive: Archive, day: date = DAY, **files: bytes) -> Snapshot:
    with open_draft(archive, "hub", day) as draft:
        for name, data in files.items():
            draft.add_file(name, data, url=URL)
        return draft.seal(**ABOUT)


def keep_pages(draft: Draft, names: list[str], *, compress: bool = True) -> None:
    for name in names:
        draft.add_file(name, PAGES[name], url=URL, rows_seen=1, compress=compress)


def kept_names(archive: Archive) -> list[str]:
    with open_draft(archive, "hub", DAY) as draft:
        return [f.name for f in draft.files]


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- add files, seal, read ------------------------------------------------------------------------


@PROPERTY
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4, unique=True), st.booleans())
def test_files_are_read_back_as_received(received: list[bytes], compress: bool) -> None:
    with scratch() as archive:
        with open_draft(archive, "hub", DAY) as draft:
            for number, data in enumerate(received):
                draft.add_file(f"{number}.bin", data, url=URL, compress=compress)
            sealed = draft.seal(**ABOUT)
        again = Archive(archive.root).snapshot("hub", DAY)
        assert again == sealed
        assert [archive.read(f) for f in again.files] == received
        assert again.bytes == sum(map(len, received))
        assert [f.path.endswith(".zst") for f in again.files] == [compress] * len(received)


def test_the_depths_of_a_listing_are_in_its_sidecar_only_if_they_are_known(
    archive: Archive,
) -> None:
    for day, tops in ((DAY, None), (NEXT_DAY, {"likes": 300, "downloads_30d": 299})):
        with open_draft(archive, "hub", day) as draft:
            keep_pages(draft, list(PAGES))
            draft.tops = tops
            sealed = draft.seal(**ABOUT)
        assert Archive(archive.root).snapshot("hub", day) == sealed
        assert sealed.tops == tops
        assert ('"tops"' in archive.sidecar(sealed).read_text("utf-8")) == (tops is not None)


def test_a_snapshot_exists_once_it_is_sealed(archive: Archive) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        keep_pages(draft, list(PAGES))
        assert archive.snapshot("hub", DAY) is None
        assert archive.snapshots() == []
        assert archive.unfinished() == [archive.folder("hub", DAY)]
        sealed = draft.seal(**ABOUT)
    assert archive.snapshots() == [sealed]
    assert archive.unfinished() == []
    assert (sealed.snapshot_id, sealed.rows_seen, sealed.is_complete) == ("hub/2026-08-14", 4, True)


def test_snapshots_are_sorted_and_end_at_a_day(archive: Archive) -> None:
    days = [date(2026, 8, 9), date(2026, 8, 10), date(2026, 10, 1)]
    for day in reversed(days):
        file_snapshot(archive, day, page=str(day).encode())
    with open_draft(archive, "epoch", days[0]) as draft:
        draft.add_file("a.csv", b"a\n1\n", url=URL)
        draft.seal(**ABOUT)
    assert [s.snapshot_id for s in archive.snapshots()] == [
        "epoch/2026-08-09",
        *(f"hub/{day}" for day in days),
    ]
    assert [s.snapshot_date for s in archive.snapshots("hub", until=days[1])] == days[:2]


def test_a_sidecar_in_the_wrong_folder_fails(archive: Archive) -> None:
    file_snapshot(archive, page=b"1")
    folder = archive.folder("hub", DAY)
    folder.rename(folder.with_name("2026-08-20"))
    with pytest.raises(ArchiveError, match=r"2026-08-20.*is the sidecar of hub/2026-08-14"):
        archive.snapshots("hub")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": "hub"}', "\0", "\udcff"])
def test_the_error_names_an_invalid_sidecar(archive: Archive, text: str) -> None:
    file_snapshot(archive, page=b"1")
    sidecar = archive.folder("hub", DAY) / SIDECAR
    sidecar.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ArchiveError, match=rf"{DAY}/{SIDECAR} is not a valid sidecar"):
        archive.snapshot("hub", DAY)


@pytest.mark.parametrize(
    "name", ["20260815", "2026-W33-6", "2026-13-45", "2026-8-5", "2026-08-15T2400", "notes", ""]
)
def test_a_name_that_is_no_day_fails(name: str) -> None:
    with pytest.raises(ArchiveError, match="is not a day"):
        read_moment(name)


def test_an_unknown_field_in_a_sidecar_fails(archive: Archive) -> None:
    file_snapshot(archive, page=b"1")
    sidecar = archive.folder("hub", DAY) / SIDECAR
    sidecar.write_text(sidecar.read_text().replace('"licence"', '"lisence"'))
    with pytest.raises(ArchiveError, match="lisence"):
        archive.snapshots()


# --- append-only ----------------------------------------------------------------------------


def test_a_sealed_snapshot_never_changes(archive: Archive) -> None:
    sealed = file_snapshot(archive, page=b"first")
    before = all_bytes(archive.root)
    with open_draft(archive, "hub", DAY) as draft:
        for attempt in (
            lambda: draft.add_file("page", b"second", url=URL),
            lambda: draft.add_file("other", b"second", url=URL),
            lambda: draft.reuse(sealed.files[0], name="more", url=URL),
            lambda: draft.seal(**ABOUT),
        ):
            with pytest.raises(ArchiveError, match="sealed"):
                attempt()
    assert all_bytes(archive.root) == before
    assert archive.read(sealed.files[0]) == b"first"


def test_a_stored_file_is_not_overwritten(archive: Archive) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        first = draft.add_file("page", b"first", url=URL)
        with pytest.raises(ArchiveError, match="page is taken"):
            draft.add_file("page", b"second", url=URL)
        assert archive.read(first) == b"first"


@pytest.mark.parametrize("name", [SIDECAR, JOURNAL])
def test_names_of_sidecar_and_journal_are_reserved(archive: Archive, name: str) -> None:
    with open_draft(archive, "hub", DAY) as draft, pytest.raises(ArchiveError, match="taken"):
        draft.add_file(name, b"{}", url=URL)


def test_unchanged_bytes_are_not_stored_twice(archive: Archive) -> None:
    first = file_snapshot(archive, page=b"same" * 99, other=b"one")
    second = file_snapshot(archive, NEXT_DAY, page=b"same" * 99, other=b"two")
    assert [f.path for f in second.files] == [first.files[0].path, "hub/2026-08-15/other"]
    stored = {p.name for p in archive.folder("hub", NEXT_DAY).iterdir()}
    assert stored - {".lock"} == {SIDECAR, "other"}
    assert [archive.read(f) for f in second.files] == [b"same" * 99, b"two"]
    assert second.files[0].retrieved_at > first.files[0].retrieved_at


def test_the_same_bytes_under_another_name_keep_the_new_name(archive: Archive) -> None:
    first = file_snapshot(archive, page=b"same")
    with open_draft(archive, "hub", NEXT_DAY) as draft:
        entry = draft.reuse(first.files[0], name="renamed", url=URL + "/renamed")
    assert (entry.name, entry.url, entry.path) == (
        "renamed",
        URL + "/renamed",
        "hub/2026-08-14/page",
    )


def test_bytes_of_another_source_are_not_shared(archive: Archive) -> None:
    file_snapshot(archive, page=b"same")
    with open_draft(archive, "epoch", DAY) as draft:
        assert draft.add_file("page", b"same", url=URL).path == "epoch/2026-08-14/page"


def test_bytes_are_stored_again_if_the_earlier_file_is_damaged(archive: Archive) -> None:
    first = file_snapshot(archive, page=b"same")
    (archive.root / first.files[0].path).write_bytes(b"rot")
    second = file_snapshot(archive, NEXT_DAY, page=b"same")
    assert archive.read(second.files[0]) == b"same"
    with pytest.raises(ArchiveError, match="damaged"):
        archive.read(first.files[0])


# --- damaged on disk -------------------------------------------------------------------------


@PROPERTY
@given(data=st.data(), compress=st.booleans())
def test_the_error_names_a_damaged_file(data: st.DataObject, compress: bool) -> None:
    with scratch() as archive, open_draft(archive, "hub", DAY) as draft:
        file = draft.add_file("pages/7.json", b"[1, 2, 3]" * 40, url=URL, compress=compress)
        path = archive.root / file.path
        stored = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(stored) - 1))
        stored[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(stored)
        for read in (archive.read, archive.verify_file, lambda f: archive.paths([f])):
            with pytest.raises(ArchiveError, match=r"2026-08-14/pages/7\.json.* is damaged"):
                read(file)


def test_the_error_names_a_missing_file(archive: Archive) -> None:
    (file,) = file_snapshot(archive, page=b"1").files
    (archive.root / file.path).unlink()
    with pytest.raises(ArchiveError, match="2026-08-14/page is missing"):
        archive.read(file)
    (archive.root / file.path).mkdir()
    with pytest.raises(ArchiveError, match="2026-08-14/page is missing"):
        archive.read(file)


def test_paths_in_sidecars_cannot_escape_the_archive(archive: Archive, tmp_path: Path) -> None:
    (file,) = file_snapshot(archive, page=b"1").files
    (tmp_path / "secret").write_bytes(b"1")
    link = archive.folder("hub", DAY) / "link"
    link.symlink_to(tmp_path / "secret")
    for path in ("../secret", str(tmp_path / "secret"), "hub/2026-08-14/link", "hub/../../secret"):
        with pytest.raises(ArchiveError, match="escapes the archive"):
            archive.read(file.model_copy(update={"path": path}))


# --- unsafe names ------------------------------------------------------------------------


@pytest.mark.parametrize("name", BAD_NAMES, ids=range(len(BAD_NAMES)))
def test_unsafe_file_names_fail(archive: Archive, name: str) -> None:
    sealed = file_snapshot(archive, page=b"1")
    with open_draft(archive, "hub", NEXT_DAY) as draft:
        before = all_bytes(archive.root.parent)
        for attempt in (
            lambda: draft.add_file(name, b"x", url=URL),
            lambda: draft.add_file(name, b"x", url=URL, compress=True),
            lambda: draft.add_file(name, b"1", url=URL),  # known bytes: nothing would be written
            lambda: draft.reuse(sealed.files[0], name=name, url=URL),
            lambda: draft.quarantine(name, b"x"),
            lambda: archive.folder(name, DAY),
        ):
            with pytest.raises(ArchiveError, match="unsafe file name"):
                attempt()
        assert draft.files == []
        assert all_bytes(archive.root.parent) == before


@PROPERTY
@given(st.text(max_size=30))
def test_any_file_name_stays_in_its_folder(name: str) -> None:
    with scratch() as archive, open_draft(archive, "hub", DAY) as draft:
        try:
            file = draft.add_file(name, b"x", url=URL)
        except ArchiveError:
            assert [p.name for p in draft.folder.iterdir()] == [".lock"]
        else:
            path = (archive.root / file.path).resolve()
            assert path.is_relative_to(draft.folder.resolve())
            assert path.read_bytes() == b"x"


def test_a_quarantined_response_is_not_part_of_the_snapshot(archive: Archive) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        aside = draft.quarantine("pages/1.json", b"<html>")
        keep_pages(draft, list(PAGES))
        sealed = draft.seal(**ABOUT)
    assert aside.read_bytes() == b"<html>"
    assert aside.parent == draft.folder / "refused"
    assert sealed.find("refused") == []
    assert [f.name for f in sealed.find("pages/", ".json")] == list(PAGES)


# --- after a crash -------------------------------------------------------------------------------


@PROPERTY
@given(st.data())
def test_a_truncated_journal_resumes_with_its_complete_lines(data: st.DataObject) -> None:
    """Also after a second crash: no file is stored twice, and no lost file returns."""
    names = list(PAGES)
    with scratch() as archive:
        with open_draft(archive, "hub", DAY) as draft:
            keep_pages(draft, names)
        journal = draft.folder / JOURNAL
        whole = journal.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        journal.write_bytes(whole[:cut] + b"\0" * data.draw(st.sampled_from([0, 0, 40])))
        with open_draft(archive, "hub", DAY) as draft:
            kept = [f.name for f in draft.files]
            lines = whole[:cut].count(b"\n")
            assert kept in (names[:lines], names[: lines + 1])  # a line may lack its newline only
            if len(kept) < len(names):
                keep_pages(draft, [names[len(kept)]])
        assert kept_names(archive) == names[: len(kept) + 1]
        with open_draft(archive, "hub", DAY) as draft:
            keep_pages(draft, names[len(draft.files) :])
            sealed = draft.seal(**ABOUT)
        assert {f.name: archive.read(f) for f in sealed.files} == PAGES


@pytest.mark.parametrize("left", [b"", b"\0" * 40, None])
def test_a_file_lost_in_a_crash_is_not_resumed(archive: Archive, left: bytes | None) -> None:
    """A power cut lost page 2 but not its journal line; pages 3 and 4 follow it."""
    names = list(PAGES)
    with open_draft(archive, "hub", DAY) as draft:
        keep_pages(draft, names)
        lost = archive.root / draft.files[1].path
    lost.unlink() if left is None else lost.write_bytes(left)
    with open_draft(archive, "hub", DAY) as draft:
        assert [f.name for f in draft.files] == names[:1]
        keep_pages(draft, names[1:2])
    assert kept_names(archive) == names[:2]  # the old lines of 3 and 4 do not come back
    with open_draft(archive, "hub", DAY) as draft:
        keep_pages(draft, names[2:])
        sealed = draft.seal(**ABOUT)
    assert {f.name: archive.read(f) for f in sealed.files} == PAGES


def test_a_crash_after_the_sidecar_leaves_a_sealed_snapshot(archive: Archive) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        keep_pages(draft, list(PAGES))
        journal = (draft.folder / JOURNAL).read_bytes()
        sealed = draft.seal(**ABOUT)
    (draft.folder / JOURNAL).write_bytes(journal)
    assert archive.unfinished() == []
    assert archive.snapshots() == [sealed]


def test_reset_forgets_stored_files(archive: Archive) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        keep_pages(draft, list(PAGES))
        draft.reset()
        draft.add_file("pages/1.json", b"[]", url=URL)
    assert kept_names(archive) == ["pages/1.json"]


def test_a_resumed_draft_has_the_next_url(archive: Archive) -> None:
    seen = datetime(2026, 8, 14, 3, 4, 5, tzinfo=UTC)
    with open_draft(archive, "hub", DAY) as draft:
        kept = draft.add_file(
            "1", b"x", url=URL, status=200, next_url=URL + "?cursor=a%3D", retrieved_at=seen
        )
    with open_draft(archive, "hub", DAY) as draft:
        assert draft.files == [kept]
        assert draft.files[0].next_url == URL + "?cursor=a%3D"


# --- two at once ---------------------------------------------------------------------------------


def test_a_second_draft_waits_for_the_first(archive: Archive) -> None:
    told: list[Snapshot | None] = []

    def second() -> None:
        with open_draft(Archive(archive.root), "hub", DAY):
            told.append(archive.snapshot("hub", DAY))

    with open_draft(archive, "hub", DAY) as draft:
        other = threading.Thread(target=second)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "the second draft did not wait"
        keep_pages(draft, list(PAGES))
        sealed = draft.seal(**ABOUT)
    other.join(10)
    assert told == [sealed]


def test_another_day_or_source_does_not_wait(archive: Archive) -> None:
    with (
        open_draft(archive, "hub", DAY),
        open_draft(archive, "hub", NEXT_DAY),
        open_draft(archive, "epoch", DAY),
    ):
        pass


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@example.org/x",
        "https://user:p@hunter2@example.org/x",
        "https://hunter2@example.org",
        "https://example.org/x?token=hunter2",
        "https://example.org/x?a=1&access_token=hunter2&b=2",
        "https://example.org/x?API_KEY=hunter2#part",
        "https://example.org/x?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2",
        "https://example.org/x?sig=hunter2&client_secret=hunter2",
        "https://example.org/x?password=hunter2",
    ],
)
def test_secrets_are_not_stored(archive: Archive, url: str) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        draft.add_file("page", b"1", url=url)
        journal = (draft.folder / JOURNAL).read_bytes()
        draft.seal(**ABOUT)
    written = journal + (draft.folder / SIDECAR).read_bytes()
    assert b"hunter2" not in written
    assert b"https://example.org" in written


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/x/a@b?author=me&sort=createdAt&limit=1000&cursor=eyJ%3D",
        "https://example.org/api/models?expand=author&expand=tags&q=a@b",
        "http://127.0.0.1:8080/data/epochdb/notable_ai_models.csv",
    ],
)
def test_redact_keeps_addresses_without_secrets(url: str) -> None:
    assert redact(url) == url


def test_source_errors_contain_no_secrets() -> None:
    from flows.sources.http import SourceError

    told = str(
        SourceError("hub", "HTTP 500", "https://me:hunter2@x.org/y?token=hunter2 (z)", "wait")
    )
    assert "hunter2" not in told
    assert "(z)" in told


@PROPERTY
@given(st.dictionaries(st.sampled_from(["http_status", "rows_seen"]), st.none() | st.integers(0)))
def test_archived_files_round_trip_through_json(more: dict[str, Any]) -> None:
    entry = ArchivedFile(
        name="a",
        path="hub/2026-08-14/a",
        url="https://example.org/\u2028ü",
        retrieved_at=datetime(2026, 8, 14, tzinfo=UTC),
        sha256="0",
        bytes=1,
        stored_sha256="0",
        **more,
    )
    assert ArchivedFile.model_validate_json(entry.model_dump_json()) == entry


# --- excluded by a person ------------------------------------------------------------------------


def test_an_excluded_snapshot_is_left_out_until_it_is_included(archive: Archive) -> None:
    for day in (DAY, NEXT_DAY):
        with open_draft(archive, "hub", day) as draft:
            draft.add_file("a.json", f"{day}".encode(), url="https://example.org/a")
            draft.seal(**ABOUT)
    before = {p: p.read_bytes() for p in archive.root.rglob("*") if p.is_file()}
    archive.exclude("hub", DAY, "short\nby half")
    assert [s.snapshot_date for s in archive.snapshots("hub")] == [NEXT_DAY]
    assert archive.excluded()[f"hub/{DAY}"].reason == "short\nby half"
    assert {p: p.read_bytes() for p in before} == before
    archive.include("hub", DAY)
    assert len(archive.snapshots("hub")) == 2
    assert archive.excluded() == {}


def test_only_sealed_snapshots_can_be_excluded_and_only_excluded_ones_included(
    archive: Archive,
) -> None:
    with open_draft(archive, "hub", DAY) as draft:
        draft.add_file("a.json", b"a", url="https://example.org/a")
    for word in (lambda: archive.exclude("hub", DAY, "x"), lambda: archive.include("hub", DAY)):
        with pytest.raises(ArchiveError, match=str(DAY)):
            word()
