"""Zip files from the sources: checked as a whole, and one member per name."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator

# What the zip reader raises for bytes that are cut, flipped, encrypted or packed in an odd way.
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)

MAX_BYTES = 2 << 30  # unpacked; the largest zip known, an edition of the AI Index, has 40 MB
MAX_RATIO = 500  # of a member above 1 MiB; text packs to a tenth, seldom to a hundredth


def open_zip(data: bytes) -> zipfile.ZipFile:
    """A zip that is sound as a whole; raises one of DAMAGED_ZIP.

    The zip reader ignores members that a damaged directory does not list, so they are counted here.
    Zip bombs and members with a path outside the zip are rejected unread.
    """
    bundle = zipfile.ZipFile(io.BytesIO(data))
    end = data.rfind(b"PK\5\6") + 10
    expected = int.from_bytes(data[end : end + 2], "little")
    if expected not in (len(bundle.infolist()), 0xFFFF):  # 0xFFFF: more than fits here
        raise zipfile.BadZipFile(
            f"its directory lists {len(bundle.infolist())} of {expected} files"
        )
    for member in bundle.infolist():
        _check_member(member)
    if (size := sum(m.file_size for m in bundle.infolist())) > MAX_BYTES:
        raise zipfile.BadZipFile(f"unpacks to {size:,} bytes; the limit is {MAX_BYTES:,}")
    if damaged := bundle.testzip():
        raise zipfile.BadZipFile(f"{damaged} is damaged")
    return bundle


def _check_member(member: zipfile.ZipInfo) -> None:
    parts = parts_of(member.filename)
    if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
        raise zipfile.BadZipFile(f"{member.filename!r} has a path outside the zip")
    if member.flag_bits & 1:
        raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")
    if member.file_size > max(1 << 20, MAX_RATIO * member.compress_size):
        raise zipfile.BadZipFile(
            f"{member.filename!r} unpacks from {member.compress_size:,} to {member.file_size:,} "
            "bytes"
        )


def parts_of(name: str) -> list[str]:
    """Folders and file name of a member; some packers write backslashes between them."""
    return name.replace("\\", "/").split("/")


def members(bundle: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The members that are files, without folders and the metadata files of macOS."""
    for member in bundle.infolist():
        parts = parts_of(member.filename)
        if parts[-1] and "__MACOSX" not in parts and not parts[-1].startswith("._"):
            yield member


def one_each(
    candidates: Iterable[zipfile.ZipInfo], name: Callable[[str], str]
) -> dict[str, zipfile.ZipInfo]:
    """One member per name (case-insensitive): of several, the one in the fewest folders.

    Raises ValueError naming the members if two are equally deep.
    """
    found: dict[str, list[zipfile.ZipInfo]] = {}
    for member in candidates:
        found.setdefault(name(member.filename).casefold(), []).append(member)
    return {key: _shallowest(several) for key, several in found.items()}


def _shallowest(several: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    depths = [len(parts_of(m.filename)) for m in several]
    best = [m for m, depth in zip(several, depths, strict=True) if depth == min(depths)]
    if len(best) > 1:
        names = ", ".join(repr(m.filename) for m in best)
        raise ValueError(f"several members have the same name and depth: {names}")
    return best[0]
