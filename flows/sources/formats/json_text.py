"""JSON from the sources: strict, or with faults that should cost a character and not the page.

A tag that was cut in the middle of an emoji arrives as half a surrogate, which RFC 8259 allows and
strict readers reject. The check on arrival and the parsers share this code.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import orjson
import zstandard

from flows.sources.formats.damage import naming
from warehouse.archive.archive import Archive
from warehouse.archive.snapshot import ArchivedFile

# Matches whole escapes, so that an escaped backslash before `u` is not taken for a surrogate.
_ESCAPE = re.compile(
    r"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def read_document(content: bytes) -> tuple[Any, bool]:
    """The document, and whether it had to be repaired. Raises ValueError if it is not JSON."""
    try:
        return orjson.loads(content), False
    except orjson.JSONDecodeError as error:
        try:
            return orjson.loads(to_strict_json(content)), True
        except ValueError:
            raise error from None


def to_strict_json(content: bytes) -> bytes:
    """The same document as strict JSON in UTF-8. Raises ValueError if it is not JSON.

    Half surrogates and bytes that are not UTF-8 become U+FFFD, raw control characters are escaped,
    and numbers out of range (NaN, Infinity, 1e400) become text, so that only their cell is
    rejected. The first of a repeated key counts.
    """
    text = content.decode("utf-8-sig", errors="replace")
    try:
        document = json.loads(
            _ESCAPE.sub(_replace_half_surrogate, text),
            strict=False,
            parse_constant=str,
            parse_float=_finite,
            object_pairs_hook=_first,
        )
        strict = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return strict.encode()
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _replace_half_surrogate(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape[2] else escape[0]


def _finite(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def readable_paths(archive: Archive, files: list[ArchivedFile], folder: Path) -> list[str]:
    """Paths to stored files that DuckDB can read; files that are not strict JSON are copied.

    The archive keeps the bytes as received. The repaired copies, in `folder`, keep the file names.
    """
    return [
        _readable(Path(path), archive.read(file), folder, file.name)
        for path, file in zip(archive.paths(files), files, strict=True)
    ]


def _readable(path: Path, content: bytes, folder: Path, name: str) -> str:
    with naming(name):
        if not read_document(content)[1]:
            return str(path)
        strict = to_strict_json(content)
    copy = folder / path.name
    copy.write_bytes(zstandard.compress(strict) if path.suffix == ".zst" else strict)
    return str(copy)
