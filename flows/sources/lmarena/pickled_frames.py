"""numpy arrays and pandas tables from the content of a pickle (`pickle_reader`).

Neither numpy nor pandas is used: array bytes are decoded here, and tables are assembled from the
blocks that pandas 0.25 to 3 write. Every failure is a PickleError.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flows.sources.lmarena.pickle_reader import Made, Named, PickleError, Value, describe

MAX_CELLS = 20_000_000
_CODES = {
    **{"f2": "e", "f4": "f", "f8": "d", "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H"},
    **{"i4": "i", "u4": "I", "i8": "q", "u8": "Q"},
}
_NUMPY = ("numpy.core", "numpy._core")
_ARRAYS = tuple(f"{n}.multiarray._reconstruct" for n in _NUMPY)
_SCALARS = tuple(f"{n}.multiarray.scalar" for n in _NUMPY)
_BUFFERS = tuple(f"{n}.numeric._frombuffer" for n in _NUMPY)
_BYTES = ("builtins.bytes", "builtins.bytearray", "__builtin__.bytes", "__builtin__.bytearray")
_SLICES = ("builtins.slice", "__builtin__.slice")
_DICTS = ("collections.OrderedDict", "collections.defaultdict")
_MISSING = ("pandas._libs.missing.NA", "pandas.NA")
_BACKED = "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked"
_OFFSETS = {"string": "i", "utf8": "i", "large_string": "q", "large_utf8": "q"}  # Arrow's texts


@dataclass(frozen=True)
class Array:
    """The cells of an array, row by row."""

    shape: tuple[int, ...]
    cells: list[Any]

    def rows(self) -> list[list[Any]]:
        """The rows of a two-dimensional array."""
        height, width = self.shape
        return [self.cells[n * width : (n + 1) * width] for n in range(height)]


@dataclass(frozen=True)
class Table:
    """A DataFrame: labels of its rows, and its columns by label, in order."""

    index: list[Any]
    columns: dict[Any, list[Any]]


@contextmanager
def _pickle_errors() -> Iterator[None]:
    """Turns the errors that a record of unknown shape causes into PickleError."""
    try:
        yield
    except PickleError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        text = f"{type(error).__name__}: {error}"[:200]
        raise PickleError(f"has a table of unknown shape ({text})") from error
    except struct.error as error:
        raise PickleError(f"has an array of the wrong size ({error})") from error
    except RecursionError as error:
        raise PickleError("is nested too deeply") from error


def is_frame(value: object) -> bool:
    """Whether the record is a pandas DataFrame."""
    return isinstance(value, Made) and value.path in ("pandas.DataFrame", _core("frame.DataFrame"))


def is_series(value: object) -> bool:
    """Whether the record is a pandas Series."""
    return isinstance(value, Made) and value.path in ("pandas.Series", _core("series.Series"))


def _core(name: str) -> str:
    return f"pandas.core.{name}"


@_pickle_errors()
def mapping(value: object) -> dict[Any, Any] | None:
    """The content of a dictionary, one of its known kinds, or a Series by label; else None."""
    if isinstance(value, dict):
        return {plain(key): content for key, content in value.items()}
    if isinstance(value, Made) and value.path in _DICTS:
        return {plain(key): content for key, content in value.entries}
    if is_series(value):
        return dict(_series(value))
    return None


@_pickle_errors()
def plain(value: Value) -> Value:
    """A numpy scalar as a plain value, pandas' NA as None; everything else unchanged."""
    if isinstance(value, Named) and value.path in _MISSING:
        return None
    if isinstance(value, Made) and value.path in _SCALARS:
        kind, raw = value.args
        return _decode(_kind(kind), _raw(raw), 1)[0]
    return value


@_pickle_errors()
def frame(value: Value) -> Table:
    """The table of a DataFrame's record."""
    (columns, index), blocks = _manager(value.state)
    found: dict[int, list[Any]] = {}
    for cells, placement in blocks:
        for place, line in zip(_places(placement), _columns(cells), strict=True):
            if place in found:
                raise PickleError("has a table with two columns in one place")
            found[place] = line
        _size((sum(map(len, found.values())),))
    wrong = [len(c) for c in found.values() if len(c) != len(index)]
    if wrong or sorted(found) != list(range(len(columns))) or len(set(columns)) != len(columns):
        raise PickleError("has a table whose columns do not fit together")
    return Table(index, {label: found[n] for n, label in enumerate(columns)})


def _series(value: Value) -> Iterator[tuple[Any, Any]]:
    """Label and value of every entry. Raises PickleError for repeated labels."""
    (index,), ((cells, _),) = _manager(value.state)
    if len(set(index)) != len(index):
        raise PickleError("has a series with repeated labels")
    return zip(index, _values(cells), strict=True)


def _manager(state: dict[str, Any]) -> tuple[list[list[Any]], list[tuple[Any, Any]]]:
    """Labels of each axis, and (values, placement) of each block.

    A manager gets its blocks and axes as arguments, or has them in its state, under the version of
    pandas that introduced this form.
    """
    made = state["_mgr"] if "_mgr" in state else state["_data"]
    if isinstance(made.state, tuple):
        content = made.state[3]["0.14.1"]
        axes: Value = content["axes"]
        blocks: Value = [(b["values"], b["mgr_locs"]) for b in content["blocks"]]
    else:
        blocks, axes = made.args[-2:]
        if isinstance(blocks, Made):  # a series: one block, one axis
            blocks, axes = [blocks], [axes]
        blocks = [block.args[:2] for block in blocks]
    return [_labels(axis) for axis in axes], blocks


def _labels(index: Value) -> list[Any]:
    kind, content = index.args
    if kind.path.endswith("RangeIndex"):
        return list(_range(content["start"], content["stop"], content["step"]))
    labels = _values(content["data"])
    if odd := [label for label in labels if not isinstance(label, str | int | float | None)]:
        raise PickleError(f"has the label {describe(odd[0])}, which is neither text nor number")
    return labels


def _places(placement: Value) -> list[int]:
    if isinstance(placement, Made) and placement.path in _SLICES:
        return list(_range(*placement.args))
    return _values(placement)


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > MAX_CELLS:
        raise PickleError(f"has {len(found):,} labels, more than {MAX_CELLS:,}")
    return found


def _columns(cells: Value) -> list[list[Any]]:
    """The columns of one block: the rows of a plain array, or one column of another kind."""
    if isinstance(cells, Made) and cells.path in _ARRAYS + _BUFFERS:
        array = _array(cells)
        return array.rows() if len(array.shape) == 2 else [array.cells]
    return [_values(cells)]


def _values(value: Value) -> list[Any]:
    """The cells of any structure in which pandas stores a column or labels."""
    if isinstance(value, list):
        return [plain(cell) for cell in value]
    if value.path in _ARRAYS + _BUFFERS:
        (size,), cells = (array := _array(value)).shape, array.cells
        return cells[:size]
    if value.path == _BACKED and value.args[0].path.endswith(".StringArray"):
        return next(_values(part) for part in value.state if _is_array(part))
    state = value.state if isinstance(value.state, dict) else {}
    if "_mask" in state:
        both = zip(_values(state["_data"]), _values(state["_mask"]), strict=True)
        return [None if masked else cell for cell, masked in both]
    if "_pa_array" in state or ("_data" in state and ".Arrow" in f".{value.path.split('.')[-1]}"):
        return _arrow(state.get("_pa_array", state.get("_data")))
    raise PickleError(f"has a column of the unknown type {value.path or '(no name)'}")


def _is_array(value: object) -> bool:
    return isinstance(value, Made) and value.path in _ARRAYS + _BUFFERS


def _array(value: Value) -> Array:
    if value.path in _ARRAYS:
        _, shape, kind, by_column, raw = value.state
    else:
        raw, kind, shape, order = value.args[:4]
        by_column = order == "F"
        if order not in ("C", "F"):
            raise PickleError(f"has an array in the order {describe(order)}")
    size = _size(shape)
    code = _kind(kind)
    cells = [plain(c) for c in raw] if code == "O" else _decode(code, _raw(raw), size)
    if len(cells) != size or len(shape) > 2:
        raise PickleError(
            f"has an array of {len(cells)} cells, {len(shape)} dimensions; not {size}"
        )
    if by_column and len(shape) == 2 and code != "O":  # objects are always listed row by row
        cells = [cell for row in range(shape[0]) for cell in cells[row :: shape[0]]]
    return Array(shape, cells)


def _size(shape: Sequence[int]) -> int:
    if not all(isinstance(n, int) and 0 <= n <= MAX_CELLS for n in shape):
        raise PickleError(f"has an array of the shape {[describe(n) for n in shape[:4]]}")
    if (size := math.prod(shape)) > MAX_CELLS:
        raise PickleError(f"has an array of {size:,} cells, more than {MAX_CELLS:,}")
    return size


def _kind(dtype: Value) -> str:
    """`<f8`, `O`, `<U9` ...: byte order and kind of an array's cells."""
    code, state = dtype.args[0], dtype.state
    if dtype.path != "numpy.dtype" or not isinstance(code, str):
        raise PickleError(f"has cells of the type {dtype.path}")
    if code.startswith("O"):
        return "O"
    return (">" if state and state[1] == ">" else "<") + code


def _decode(kind: str, raw: bytes, size: int) -> list[Any]:
    order, code = kind[0], kind[1:]
    if code in _CODES:
        return list(struct.unpack(f"{order}{size}{_CODES[code]}", raw))
    if code[:1] in ("U", "S") and code[1:].isdecimal():
        width = int(code[1:]) * (4 if code[0] == "U" else 1)
        encoding = f"utf-32-{'be' if order == '>' else 'le'}" if code[0] == "U" else "utf-8"
        if width * size != len(raw):
            raise PickleError(f"has texts in {len(raw)} bytes instead of {width * size}")
        parts = (raw[n * width : (n + 1) * width] for n in range(size))
        return [part.decode(encoding).rstrip("\0") for part in parts]
    raise PickleError(f"has cells of the type {kind!r:.30}, neither numbers nor text")


def _raw(value: Value) -> bytes:
    """Bytes, including those that older protocols wrap into text or a call."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if value.path == "_codecs.encode" and value.args[1] in ("latin1", "latin-1"):
        return str(value.args[0]).encode("latin-1")
    if value.path in _BYTES:
        return _raw(value.args[0]) if value.args else b""
    raise PickleError(f"has bytes in a {value.path}")


def _arrow(value: Value) -> list[Any]:
    """The texts of an Arrow array, whole or in chunks."""
    if value.path == "pyarrow.lib.chunked_array":
        return _joined(value.args[0])
    kind, size, _, start, buffers, *_ = value.args[0]
    valid, ends, content = (None if b is None else _raw(b.args[0]) for b in buffers)
    if not isinstance(kind.args[0], str):
        raise PickleError("has an Arrow array of an unnamed type")
    code = _OFFSETS[kind.args[0]]
    _size((start, size))
    at = struct.calcsize(f"<{code}")
    offsets = struct.unpack_from(f"<{size + 1}{code}", ends or bytes(at), start * at)
    known = [valid is None or valid[n // 8] >> n % 8 & 1 for n in range(start, start + size)]
    if size and not 0 <= min(offsets) <= max(offsets) <= len(content or b""):
        raise PickleError("has an Arrow array with offsets beyond its bytes")
    texts = ((content or b"")[first:end].decode() for first, end in pairwise(offsets))
    return [text if there else None for text, there in zip(texts, known, strict=True)]


def _joined(chunks: list[Any]) -> list[Any]:
    texts: list[Any] = []
    for chunk in chunks:
        texts += _arrow(chunk)
        _size((len(texts),))
    return texts
