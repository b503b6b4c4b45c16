"""Columns of text made from columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from infra.bench.draws import Indexes
from infra.bench.population import Flags


def pick(texts: Sequence[str | None], at: Indexes) -> pl.Series:
    """The text at each position."""
    return pl.Series(texts, dtype=pl.String).gather(pl.Series(at))


def as_text(values: Indexes) -> pl.Series:
    """Integers as text."""
    return pl.Series(values).cast(pl.String)


def quoted(texts: pl.Series) -> pl.Series:
    """Texts in double quotes."""
    return '"' + texts + '"'


def moment(milliseconds: Indexes) -> pl.Series:
    """`"2026-08-01T12:34:56.789Z"`."""
    when = pl.Series(milliseconds).cast(pl.Datetime("ms"))
    return when.dt.strftime('"%Y-%m-%dT%H:%M:%S.%3fZ"')


def hex_digits(raw: npt.NDArray[np.uint8]) -> pl.Series:
    """Rows of bytes as hex digits."""
    rows, width = raw.shape
    buffer = pa.py_buffer(np.ascontiguousarray(raw))
    fixed = pa.Array.from_buffers(pa.binary(width), rows, [None, buffer])
    return pl.Series(pl.from_arrow(fixed.cast(pa.binary()))).bin.encode("hex")


def spread(texts: pl.Series, where: Flags) -> pl.Series:
    """The texts at the marked rows, null at the others."""
    at = np.where(where, np.cumsum(where) - 1, len(texts))
    return texts.extend_constant(None, 1).gather(pl.Series(at))
