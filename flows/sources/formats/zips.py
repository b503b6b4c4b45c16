"""Zip files from the sources: checked as a whole, and one member per name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from flows.sources.formats.damage import describe, is_damage

# The largest zip known, an edition of the AI Index, has 400 members and 40 MB unpacked.
MAX_MEMBERS = 10_000
MAX_BYTES = 512 << 20  # unpacked
MAX_RATIO = 500  # of a member above 1 MiB; text packs to a tenth, seldom to a hundredth
MAX_NAME = 1_000  # characters
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of others a reader cannot bound the memory


class DamagedZipError(ValueError):
    """A zip that is damaged, unpacks to too much, or is packed in a way that is not read."""


@contextmanager
def _zip_errors() -> Iterator[None]:
    """Turns what the zip reader raises for cut, flipped and encrypted bytes into one error."""
    try:
        yield
    except DamagedZipError:
        raise
    except Exception as error:
        if not is_damage(error):
            raise
        raise DamagedZipError(describe(error)) from error


@contextmanager
def open_zip(data: bytes) -> Iterator[zipfile.ZipFile]:
    """A zip that is sound as a whole. Raises DamagedZipError; read its members with `unpacked`.

    The zip reader ignores members that a damaged directory does not list, so they are counted here.
    Zip bombs and members with a path outside the zip are rejected unread.
    """
    with _zip_errors():
        bundle = zipfile.ZipFile(io.BytesIO(data))
    with bundle:
        found = bundle.infolist()
        end = data.rfind(b"PK\5\6") + 10
        expected = int.from_bytes(data[end : end + 2], "little")
        if expected not in (len(found), 0xFFFF):  # 0xFFFF: more than fits here
            raise DamagedZipError(f"its directory lists {len(found)} of {expected} files")
        if len(found) > MAX_MEMBERS:
            raise DamagedZipError(f"has {len(found):,} members; the limit is {MAX_MEMBERS:,}")
        for member in found:
            _check_member(member)
        if (size := sum(m.file_size for m in found)) > MAX_BYTES:
            raise DamagedZipError(f"unpacks to {size:,} bytes; the limit is {MAX_BYTES:,}")
        for member in found:
            unpacked(bundle, member)
        yield bundle


def unpacked(bundle: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member, at most as many as the directory says. Raises DamagedZipError."""
    with _zip_errors(), bundle.open(member) as file:
        # Without a size the reader would unpack everything before it cuts what is too much.
        data = file.read(member.file_size + 1)
        if len(data) != member.file_size:
            raise DamagedZipError(
                f"{member.filename!r} has {len(data):,} bytes instead of {member.file_size:,}"
            )
        return data


def _check_member(member: zipfile.ZipInfo) -> None:
    if len(member.filename) > MAX_NAME:
        raise DamagedZipError(
            f"{member.filename[:40]!r}… has a name of {len(member.filename):,} characters; the "
            f"limit is {MAX_NAME:,}"
        )
    parts = parts_of(member.filename)
    if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
        raise DamagedZipError(f"{member.filename!r} has a path outside the zip")
    if member.flag_bits & 1:
        raise DamagedZipError(f"{member.filename!r} is encrypted")
    if member.compress_type not in METHODS:
        raise DamagedZipError(
            f"{member.filename!r} is packed by method {member.compress_type}; pack it "
            "again without compression or with deflate"
        )
    if member.file_size > max(1 << 20, MAX_RATIO * member.compress_size):
        raise DamagedZipError(
            f"{member.filename!r} unpacks from {member.compress_size:,} to {member.file_size:,} "
            f"bytes; the limit is {MAX_RATIO} times as many"
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
