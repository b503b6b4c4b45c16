"""Zip files from outside: sound as a whole, and one member to a name."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator

# What the zip reader says of bytes that are cut, flipped, encrypted or packed in an odd way.
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)

LARGEST = 2 << 30  # bytes unpacked; the largest zip known, an edition of the AI Index, has 40 MB
LARGEST_RATIO = 500  # of a member above a mebibyte; text packs to a tenth, seldom to a hundredth


def open_zip(data: bytes) -> zipfile.ZipFile:
    """A zip that is sound as a whole; raises one of DAMAGED_ZIP.

    The zip reader by itself passes over members that a damaged directory does not list. What
    unpacks to far more than it holds, or names a place outside the zip, is refused unread.
    """
    bundle = zipfile.ZipFile(io.BytesIO(data))
    end = data.rfind(b"PK\5\6") + 10
    promised = int.from_bytes(data[end : end + 2], "little")
    if promised not in (len(bundle.infolist()), 0xFFFF):  # 0xFFFF: more than fits here
        raise zipfile.BadZipFile(f"lists {len(bundle.infolist())} of {promised} files")
    for member in bundle.infolist():
        _check_member(member)
    if (size := sum(m.file_size for m in bundle.infolist())) > LARGEST:
        raise zipfile.BadZipFile(f"unpacks to {size:,} bytes; at most {LARGEST:,} are read")
    if damaged := bundle.testzip():
        raise zipfile.BadZipFile(f"{damaged} is damaged")
    return bundle


def _check_member(member: zipfile.ZipInfo) -> None:
    parts = parts_of(member.filename)
    if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
        raise zipfile.BadZipFile(f"{member.filename!r} names a place outside the zip")
    if member.flag_bits & 1:
        raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")
    if member.file_size > max(1 << 20, LARGEST_RATIO * member.compress_size):
        raise zipfile.BadZipFile(
            f"{member.filename!r} unpacks from {member.compress_size:,} to {member.file_size:,} "
            "bytes"
        )


def parts_of(name: str) -> list[str]:
    """Folders and file of a member's name; some packers write backslashes between them."""
    return name.replace("\\", "/").split("/")


def members(bundle: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The members that are files of somebody: no folder, and no note of macOS on a file."""
    for member in bundle.infolist():
        parts = parts_of(member.filename)
        if parts[-1] and "__MACOSX" not in parts and not parts[-1].startswith("._"):
            yield member


def one_each(
    candidates: Iterable[zipfile.ZipInfo], name: Callable[[str], str]
) -> dict[str, zipfile.ZipInfo]:
    """The member of each name: of several, the one in the fewest folders.

    Names are compared without case. Raises ValueError that names members between which the depth
    does not decide.
    """
    found: dict[str, list[zipfile.ZipInfo]] = {}
    for member in candidates:
        found.setdefault(name(member.filename).casefold(), []).append(member)
    return {key: _least_deep(several) for key, several in found.items()}


def _least_deep(several: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    depths = [len(parts_of(m.filename)) for m in several]
    best = [m for m, depth in zip(several, depths, strict=True) if depth == min(depths)]
    if len(best) > 1:
        names = ", ".join(repr(m.filename) for m in best)
        raise ValueError(f"several members of one name, and none is less deep: {names}")
    return best[0]
