"""JSON as it comes from outside: sound, or with faults that cost a character and not the page.

A tag that was cut in the middle of an emoji arrives as half a surrogate, which RFC 8259 allows and
strict readers refuse. The check at arrival and the parsers read such a text by the same code here.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import orjson
import zstandard

from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile

# Whole escapes, one after another, so that an escaped backslash before `u` is none of a surrogate.
_ESCAPE = re.compile(
    r"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def read_document(content: bytes) -> tuple[Any, bool]:
    """The document, and whether it had to be mended. Raises ValueError for what is no JSON."""
    try:
        return orjson.loads(content), False
    except orjson.JSONDecodeError as error:
        try:
            return orjson.loads(mended(content)), True
        except ValueError:
            raise error from None


def mended(content: bytes) -> bytes:
    """The same document as strict JSON in UTF-8. Raises ValueError where it is none.

    Half a surrogate and bytes that are no UTF-8 become U+FFFD, raw control characters are escaped,
    and a number that no number can hold (NaN, Infinity, 1e400) becomes the text of it, so that its
    cell is refused and not its record. Of a key that stands twice the first counts.
    """
    text = content.decode("utf-8-sig", errors="replace")
    try:
        document = json.loads(
            _ESCAPE.sub(_whole, text),
            strict=False,
            parse_constant=str,
            parse_float=_finite,
            object_pairs_hook=_first,
        )
        strict = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return strict.encode()
    except RecursionError as error:
        raise ValueError("is nested too deep") from error


def _whole(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape[2] else escape[0]


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def readable_paths(archive: Archive, files: list[ArchivedFile], folder: Path) -> list[str]:
    """Paths to kept files as DuckDB reads them: those that are no strict JSON mended, in `folder`.

    The archive keeps the bytes as received. The copies have the names of the originals.
    """
    return [
        _readable(Path(path), archive.read(file), folder)
        for path, file in zip(archive.paths(files), files, strict=True)
    ]


def _readable(path: Path, content: bytes, folder: Path) -> str:
    if not read_document(content)[1]:
        return str(path)
    copy = folder / path.name
    strict = mended(content)
    copy.write_bytes(zstandard.compress(strict) if path.suffix == ".zst" else strict)
    return str(copy)
