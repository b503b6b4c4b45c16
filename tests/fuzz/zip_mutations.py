"""Damage to a zip: its members, their names, their packing and the directory."""

from __future__ import annotations

import io
import struct
import zipfile
from random import Random
from typing import Any

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bz2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def _files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return {n: bundle.read(n) for n in bundle.namelist()}


def _packed(files: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as bundle:
        for name, content in files:
            bundle.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, method)
    return packed.getvalue()


def zip_member(rng: Random, data: bytes) -> tuple[Any, ...]:
    """A mutation of one CSV within it."""
    from tests.fuzz.mutations import BYTES, CSV

    files = _files(data)
    name = rng.choice(list(files))
    mutation = rng.choice((*CSV, CSV[0], CSV[0], CSV[0], *BYTES))
    made = mutation(rng, files[name])
    changed, how = (made[0], made[1]) if isinstance(made, tuple) else (made.data, made.how)
    return _packed([*(files | {name: changed}).items()]), f"{name[-16:]} {how}", None


def zip_method(rng: Random, data: bytes) -> tuple[Any, ...]:
    name = rng.choice(list(METHODS))
    return _packed([*_files(data).items()], METHODS[name]), name, 0


def zip_payload(rng: Random, data: bytes) -> tuple[Any, ...]:
    """Flips bytes of one packed member, by every method."""
    name = rng.choice(list(METHODS))
    whole = bytearray(_packed([*_files(data).items()], METHODS[name]))
    with zipfile.ZipFile(io.BytesIO(bytes(whole))) as bundle:
        member = rng.choice(bundle.infolist())
    start = member.header_offset + 30 + len(member.filename.encode())
    for _ in range(rng.choice((1, 2, 6))):
        whole[start + rng.randrange(min(member.compress_size, 40))] ^= 1 << rng.randrange(8)
    return bytes(whole), f"{name} of {member.filename[-16:]}", None


def zip_names(rng: Random, data: bytes) -> tuple[Any, ...]:
    files = [*_files(data).items()]
    at = rng.randrange(len(files))
    old = files[at][0]
    names = ("../" + old, "/" + old, "C:\\" + old, old + "/", "x" * 60_000, "a\\" + old, "\n", old)
    files.append((rng.choice((*names, "é" + old, "__MACOSX/" + old)), files[at][1]))
    return _packed(files), f"{files[-1][0]!r:.40} added", None


def zip_directory(rng: Random, data: bytes) -> tuple[Any, ...]:
    """Flips bytes of the central directory or its end."""
    start = data.rfind(b"PK\5\6")
    (size,) = struct.unpack("<I", data[start + 12 : start + 16])
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 3))):
        changed[rng.randrange(start - size, len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed), "", None


def zip_sizes(rng: Random, data: bytes) -> tuple[Any, ...]:
    """Another unpacked size or method in the directory than in the member."""
    at = data.find(b"PK\1\2")
    where, value = rng.choice(((24, 2**31), (24, 5), (20, 0), (10, 99), (10, 12), (10, 14), (8, 1)))
    form = "<I" if where in (20, 24) else "<H"
    packed = struct.pack(form, value)
    at += where
    return data[:at] + packed + data[at + len(packed) :], f"{value} at {where}", None


ZIP = (
    *(zip_member, zip_member, zip_member, zip_method, zip_payload, zip_payload, zip_names),
    *(zip_directory, zip_sizes),
)
