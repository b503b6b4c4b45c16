"""Damage to bytes from outside, at random but by a seed: one mutation per call.

`damaged` picks a mutation that fits the file's name. A mutation says how many records it touched
at most, so that the judge knows which rows may differ; None if that cannot be said.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.fuzz.json_mutations import JSON
from tests.fuzz.parquet_mutations import PARQUET
from tests.fuzz.values import CELLS
from tests.fuzz.zip_mutations import ZIP


@dataclass(frozen=True)
class Damage:
    """Bytes after a mutation, what it did, and what it may change."""

    data: bytes
    how: str
    touched: int | None = None
    value: object = None  # that was written into one cell; `touched` is then 1
    has_value: bool = False


Mutation = Callable[[Random, bytes], Damage]


def damaged(rng: Random, name: str, data: bytes) -> Damage:
    """One mutation of a file."""
    own = next((found for suffix, found in _BY_SUFFIX.items() if name.endswith(suffix)), ())
    pool = own if own and rng.random() < 0.75 else BYTES
    for _ in range(20):
        chosen = rng.choice(pool)
        made = chosen(rng, data)
        result = made if isinstance(made, Damage) else Damage(made[0], *made[1:])
        if result.data != data:
            return replace_how(result, f"{chosen.__name__.strip('_')}: {result.how}")
    return Damage(b"", "emptied")


def replace_how(damage: Damage, how: str) -> Damage:
    return Damage(damage.data, how, damage.touched, damage.value, damage.has_value)


def _place(rng: Random, data: bytes) -> int:
    """A place in the bytes; the ends, where formats keep their lists, more often."""
    size = max(len(data), 1)
    edge = min(size, 64)
    return rng.choice((rng.randrange(size), rng.randrange(edge), size - 1 - rng.randrange(edge)))


def flip_bits(rng: Random, data: bytes) -> tuple[bytes, str]:
    changed, places = bytearray(data), [_place(rng, data) for _ in range(rng.choice((1, 1, 3, 8)))]
    for at in places:
        if changed:
            changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed), f"bits at {places}"


def overwrite(rng: Random, data: bytes) -> tuple[bytes, str]:
    at, junk = _place(rng, data), rng.choice(_JUNK)
    return data[:at] + junk + data[at + len(junk) :], f"{junk!r:.30} at {at}"


def insert(rng: Random, data: bytes) -> tuple[bytes, str]:
    at, junk = _place(rng, data), rng.choice(_JUNK)
    return data[:at] + junk + data[at:], f"{junk!r:.30} at {at}"


def cut(rng: Random, data: bytes) -> tuple[bytes, str]:
    at = _place(rng, data)
    return data[:at], f"at {at} of {len(data)}"


def cut_start(rng: Random, data: bytes) -> tuple[bytes, str]:
    at = _place(rng, data)
    return data[at:], f"at {at} of {len(data)}"


def remove_slice(rng: Random, data: bytes) -> tuple[bytes, str]:
    at, size = _place(rng, data), rng.choice((1, 4, 64, 1000))
    return data[:at] + data[at + size :], f"{size} bytes at {at}"


def repeat_slice(rng: Random, data: bytes) -> tuple[bytes, str]:
    at, size = _place(rng, data), rng.choice((1, 4, 64, 1000))
    return data[: at + size] + data[at:], f"{size} bytes at {at}"


def repeat_all(_: Random, data: bytes) -> tuple[bytes, str]:
    return data + data, "twice"


def replace_all(rng: Random, _: bytes) -> tuple[bytes, str]:
    whole = rng.choice((b"", b"\0", b"null", b"<html>soon</html>", b"PK\5\6" + b"\0" * 18, b"PAR1"))
    return whole, repr(whole)


_JUNK = (b"\0", b"\xff", b"\xff" * 8, b"%", b'"', b"\n", b"{", b"]", b"\xed\xa0\x80", b"\x1b[2J")
BYTES: Sequence[Callable[[Random, bytes], Any]] = (
    *(flip_bits, flip_bits, overwrite, insert, cut, cut_start, remove_slice, repeat_slice),
    *(repeat_all, replace_all),
)


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _written(rows: list[list[str]], encoding: str = "utf-8", **style: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", **style).writerows(rows)
    return text.getvalue().encode(encoding, errors="replace")


def csv_cell(rng: Random, data: bytes) -> Damage:
    rows, value = _rows(data), rng.choice(CELLS)
    row = rng.choice(rows[1:])
    at = rng.randrange(len(row))
    row[at] = value
    return Damage(_written(rows), f"{rows[0][at]!r:.40} = {value!r:.40}", 1, value, True)


def csv_header(rng: Random, data: bytes) -> tuple[bytes, str, int | None]:
    rows = _rows(data)
    at = rng.randrange(len(rows[0]))
    was, rows[0][at] = rows[0][at], rng.choice(("", "Name", rows[0][0], "x\0y", "%s", "é" * 500))
    return _written(rows), f"{was!r:.40} is {rows[0][at]!r:.40}", None


def csv_column(rng: Random, data: bytes) -> tuple[bytes, str, int | None]:
    rows = _rows(data)
    at, do = rng.randrange(len(rows[0])), rng.choice(("without", "repeated", "moved"))
    for row in rows:
        if at < len(row):
            cell = row.pop(at) if do != "repeated" else row[at]
            row.extend([] if do == "without" else [cell])
    return _written(rows), f"column {at} {do}", None if do != "moved" else 0


def csv_row(rng: Random, data: bytes) -> tuple[bytes, str, int | None]:
    rows = _rows(data)
    at, do = rng.randrange(1, len(rows)), rng.choice(("repeated", "wider", "narrower", "blank"))
    rows[at : at + 1] = {
        "repeated": [rows[at], rows[at]],
        "wider": [[*rows[at], "more"]],
        "narrower": [rows[at][:-1]],
        "blank": [[""] * len(rows[at])],
    }[do]
    return _written(rows), f"row {at} {do}", None


def csv_style(rng: Random, data: bytes) -> tuple[bytes, str, int | None]:
    rows = _rows(data)
    styles: list[dict[str, Any]] = [
        *({"encoding": code} for code in ("utf-16", "latin-1", "utf-8-sig", "cp1252")),
        *({"delimiter": each} for each in (";", "\t", "|")),
        {"quoting": csv.QUOTE_ALL},
    ]
    style = rng.choice(styles)
    rows[-1][0] += "é€"
    return _written(rows, **style), f"{style}", None


CSV = (csv_cell, csv_cell, csv_cell, csv_header, csv_column, csv_row, csv_style)
_BY_SUFFIX: dict[str, Sequence[Callable[[Random, bytes], Any]]] = {
    ".csv": CSV,
    ".json": JSON,
    ".parquet": PARQUET,
    ".zip": ZIP,
}
