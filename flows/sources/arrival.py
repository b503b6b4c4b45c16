"""The check of a response on arrival: bytes that cannot be read are quarantined, with an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flows.sources.formats.damage import describe, is_damage
from flows.sources.http import SourceError, damaged_response
from warehouse.archive.draft import Draft


@contextmanager
def arriving(draft: Draft, name: str, data: bytes, url: str, do: str) -> Iterator[None]:
    """Quarantines `data` and raises SourceError if reading it fails, whatever the reader raises."""
    try:
        yield
    except SourceError:
        raise
    except BaseException as error:
        if not is_damage(error):
            raise
        what = f"{name}: {describe(error)}"
        raise damaged_response(draft, name, data, url, what, do) from error
