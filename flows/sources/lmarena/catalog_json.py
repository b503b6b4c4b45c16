"""The JSON of a board in arena-catalog: {category: {model: {rating, ...}}}."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


class Pairs(list[tuple[str, Any]]):
    """A JSON object with all its entries, including repeated keys."""


def board_entries(data: bytes) -> Iterator[tuple[str, str, Any]]:
    """Category, model and figures, in the file's order. Raises ValueError for other JSON."""
    try:
        content = json.loads(data, object_pairs_hook=Pairs)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(content, Pairs) or not content:
        raise ValueError("is JSON but not a board: expected {category: {model: {rating, ...}}}")
    for category, models in content:
        if not isinstance(models, Pairs):
            raise ValueError(f"the category {category[:50]!r} has {models!r:.50} instead of models")
        for model, figures in models:
            f"{category}{model}".encode()  # raises ValueError for half a surrogate
            yield category, model, figures
