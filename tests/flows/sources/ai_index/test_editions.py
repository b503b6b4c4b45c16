"""Zips and parts of a download: one member per name; incomplete downloads are rejected."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from flows.settings import Settings
from flows.sources.ai_index.edition_files import read_files
from flows.sources.ai_index.editions import find_local
from flows.sources.epoch import _member
from flows.sources.formats.zips import DamagedZipError, open_zip
from flows.sources.http import SourceError
from flows.steps.observe import observe

DAY, NEXT = date(2026, 8, 15), date(2026, 8, 16)
REPORT = "PUBLIC DATA_ 2026 AI INDEX REPORT"
FOLDER = f"{REPORT}/1. Research and Development/Data"
ONE_YEAR = (
    b"Number of notable machine learning models in 2025,Geographic area\n3,China\n7,United States\n"
)
ORGANIZATIONS = b"organization,num_models\nOpenAI,4\n"
INDEX = "epoch_capabilities_index.csv"


def zipped(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w", method) as into:
        for name, data in members:
            into.writestr(name, data)
    return bundle.getvalue()


@pytest.mark.parametrize(
    "names",
    [
        [f"data/archive/{INDEX}", f"data/{INDEX}"],
        [f"data/{INDEX}", f"data/archive/{INDEX}"],
        [f"data/old/{INDEX}", f"data/new/{INDEX}", INDEX.upper()],
        [f"__MACOSX/{INDEX}", f"__MACOSX/._{INDEX}", f"a/b/{INDEX}"],
        [f"a\\b\\{INDEX}", f"a\\{INDEX}"],
    ],
)
def test_of_several_members_with_one_name_the_shallowest_is_used(names: list[str]) -> None:
    wanted = min(
        (n for n in names if "MACOSX" not in n), key=lambda n: n.count("/") + n.count("\\")
    )
    data = zipped([(name, b"right" if name == wanted else b"wrong") for name in names])
    assert _member(data, INDEX) == b"right"


@pytest.mark.parametrize("other", [f"b/{INDEX}", f"a/{INDEX.upper()}", f"a/{INDEX}"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_equally_deep_members_are_rejected_with_their_names(other: str) -> None:
    data = zipped([(f"a/{INDEX}", b"1"), (other, b"2")])
    with pytest.raises(ValueError, match="several members have the same name") as refused:
        _member(data, INDEX)
    assert f"'a/{INDEX}'" in str(refused.value) and repr(other) in str(refused.value)


def encrypted() -> bytes:
    data = bytearray(zipped([(INDEX, b"x")]))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zipped([(f"../{INDEX}", b"x")]), "outside the zip"),
        (lambda: zipped([(f"/{INDEX}", b"x")]), "outside the zip"),
        (lambda: zipped([(f"a\\..\\..\\{INDEX}", b"x")]), "outside the zip"),
        (lambda: zipped([(f"C:/{INDEX}", b"x")]), "outside the zip"),
        (lambda: zipped([(INDEX, bytes(40_000_000))]), "unpacks from"),
        (encrypted, "is encrypted"),
    ],
)
def test_zip_bombs_encrypted_zips_and_outside_paths_are_rejected(
    make: Callable[[], bytes], message: str
) -> None:
    with pytest.raises(DamagedZipError, match=message), open_zip(make()):
        pass


# ---- parts of a download -------------------------------------------------------------------------

STAMP = f"{REPORT}-20260513T101112Z-1"
FIRST = zipped([(f"{FOLDER}/fig_1.1.6.csv", ORGANIZATIONS)])
SECOND = zipped([(f"{FOLDER}/fig_1.1.1.csv", ONE_YEAR)])


def lay(folder: Path, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def seen(folder: Path, archive: Path, day: date = DAY) -> list[str]:
    """Files of 2026 in a snapshot of what was laid down."""
    settings = Settings(ai_index_files=folder, archive=archive)
    snapshot = observe("ai_index", settings, day).snapshot
    data = (archive / snapshot.find("2026.zip")[0].path).read_bytes()
    return sorted(file.short for file in read_files(data, 2026))


@pytest.mark.parametrize("stem", [STAMP, "2026", f"{REPORT}-20260513T101112Z", "AI Index 2026"])
def test_the_parts_of_one_download_are_one_edition(tmp_path: Path, stem: str) -> None:
    laid = lay(tmp_path / "laid", **{f"{stem}-001.zip": FIRST, f"{stem}-002.ZIP": SECOND})
    assert seen(laid, tmp_path / "archive") == ["fig_1.1.1.csv", "fig_1.1.6.csv"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([f"{STAMP}-001.zip"], "only a part of the edition: it lacks fig_1.1.2.csv"),
        ([f"{STAMP}-002.zip"], "missing: 001;"),
        ([f"{STAMP}-001.zip", f"{STAMP}-003.zip"], "missing: 002;"),
        ([f"{STAMP}-001.zip", f"{STAMP}-001 (1).zip"], "repeated: 001"),
        ([f"{STAMP}-001.zip", f"{STAMP.replace('13T', '14T')}-002.zip"], "several files could be"),
        (["2026.zip.001", "2026.zip.002"], "split into pieces"),
        (["2026.z01"], "split into pieces"),
        (["AI Index 2026.part1.rar"], "split into pieces"),
    ],
)
def test_incomplete_parts_are_rejected_with_their_names(
    tmp_path: Path, names: list[str], message: str
) -> None:
    laid = lay(tmp_path / "laid", **dict.fromkeys(names, SECOND))
    with pytest.raises(SourceError) as refused:
        seen(laid, tmp_path / "archive")
    assert message in str(refused.value)
    assert all(name in str(refused.value) for name in names)


def test_an_edition_that_lost_figures_is_rejected(tmp_path: Path) -> None:
    both = zipped(
        [(f"{FOLDER}/fig_1.1.6.csv", ORGANIZATIONS), (f"{FOLDER}/FIG_1.1.1.CSV", ONE_YEAR)]
    )
    archive = tmp_path / "archive"
    assert seen(lay(tmp_path / "laid", **{"2026.zip": both}), archive) == [
        "fig_1.1.1.csv",
        "fig_1.1.6.csv",
    ]
    with pytest.raises(SourceError, match=r"lacks fig_1\.1\.1\.csv, which ai_index/2026-08-15 has"):
        seen(lay(tmp_path / "laid", **{"2026.zip": FIRST}), archive, NEXT)


@pytest.mark.parametrize(
    ("end", "is_read"),
    [
        (b"\n", True),
        (b"\r\n\r\n", True),
        (b",\n", True),
        (b"~9,Japan\n", False),
        (b"9\n", False),
        (b"9,\n", False),
        (b'"9,Japan\n', False),
        (b"9,Japan\0\n", False),
    ],
)
def test_a_figure_is_read_completely_before_the_edition_is_stored(
    tmp_path: Path, end: bytes, is_read: bool
) -> None:
    data = zipped([(f"{FOLDER}/fig_1.1.1.csv", ONE_YEAR + end)])
    laid = lay(tmp_path / "laid", **{"2026.zip": data})
    if is_read:
        assert seen(laid, tmp_path / "archive") == ["fig_1.1.1.csv"]
        return
    with pytest.raises(SourceError, match=r"edition 2026: .*fig_1\.1\.1\.csv|cannot be read"):
        seen(laid, tmp_path / "archive")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["2025.zip"], "2025.zip"),
        (["PUBLIC DATA_ 2025 AI Index Report", "PUBLIC DATA_ 2026 AI INDEX REPORT"], 0),
        (["2025 report, fetched 2026.zip", "2026.zip"], 0),
        (["AI Index 2025 and 2026.zip", "2025.zip"], "2025.zip"),
        (["2025", "2025 report"], "2025"),
        (["2026", "notes 2025.txt"], None),
        (["20250929.zip", "12025.zip"], None),
        (["2026 report, with 2025 beside it.zip"], None),
        ([], None),
    ],
)
def test_edition_is_found_by_its_name(
    tmp_path: Path, names: list[str], found: str | int | None
) -> None:
    for name in names:
        (tmp_path / name).write_text("") if "." in name else (tmp_path / name).mkdir()
    expected = names[found] if isinstance(found, int) else found
    laid = find_local(tmp_path, 2025)
    assert (laid.title if laid else None) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["AI Index 2025 and 2026.zip"],
        ["2026-05-13 data of 2025.zip"],
        ["2025 a.zip", "2025 b.zip"],
        ["2025.zip", "2025"],
    ],
)
def test_ambiguous_names_of_an_edition_are_an_error(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("") if "." in name else (tmp_path / name).mkdir()
    with pytest.raises(SourceError, match="several files could be edition 2025") as refused:
        find_local(tmp_path, 2025)
    assert all(name in str(refused.value) for name in names)
    assert "rename the right one to 2025 or 2025.zip" in str(refused.value)
