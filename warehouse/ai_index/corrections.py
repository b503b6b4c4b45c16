"""Guarded corrections: known faults of a source's files, and how they are handled.

Each has a guard that recognizes the fault. When the producer repairs the file, the guard no longer
holds: the correction is reported as outdated and is not applied to the repaired file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from warehouse.contracts.table import Strict
from warehouse.contracts.yaml_files import read_yaml

CORRECTIONS = Path(__file__).with_name("corrections.yml")


class CorrectionError(ValueError):
    """An invalid file of corrections."""


@dataclass(frozen=True)
class Csv:
    """One CSV file as it was read."""

    header: list[str]
    records: list[list[str]]
    encoding: str

    def column(self, name: str) -> list[str]:
        """The cells of a column. Raises ValueError for an unknown name."""
        position = self.header.index(name)
        return [r[position] for r in self.records if len(r) > position]


class Records(Strict):
    """These records are in the file, and these cells are in none of its records."""

    guard: Literal["records"] = "records"
    present: tuple[tuple[str, ...], ...]
    absent: tuple[str, ...] = ()

    def holds(self, file: Csv, other: Csv | None) -> bool:
        """Whether the file still has the fault."""
        records = {tuple(r) for r in file.records}
        cells = {cell for r in file.records for cell in r}
        return records.issuperset(self.present) and cells.isdisjoint(self.absent)


class SameContent(Strict):
    """Two files that should differ have the same header and records."""

    guard: Literal["same_content"] = "same_content"

    def holds(self, file: Csv, other: Csv | None) -> bool | None:
        """Whether the file still has the fault."""
        return None if other is None else _content(file) == _content(other)


class SecondUpload(Strict):
    """A figure was uploaded twice, with the same or with other content."""

    guard: Literal["second_upload"] = "second_upload"
    identical: bool

    def holds(self, file: Csv, other: Csv | None) -> bool:
        """Whether the file still has the fault."""
        return other is not None and (_content(file) == _content(other)) == self.identical


class Header(Strict):
    """The file has another table's header."""

    guard: Literal["header"] = "header"
    header: tuple[str, ...]

    def holds(self, file: Csv, other: Csv | None) -> bool:
        """Whether the file still has the fault."""
        return tuple(file.header) == self.header


class Repeats(Strict):
    """A column repeats cells; without a column: the header does."""

    guard: Literal["repeats"] = "repeats"
    column: str | None = None
    cells: tuple[str, ...]

    def holds(self, file: Csv, other: Csv | None) -> bool:
        """Whether the file still has the fault."""
        if self.column is not None and self.column not in file.header:
            return False
        seen = Counter(file.header if self.column is None else file.column(self.column))
        return all(seen[cell] > 1 for cell in self.cells)


class Encoding(Strict):
    """The file is not UTF-8."""

    guard: Literal["encoding"] = "encoding"
    encoding: str

    def holds(self, file: Csv, other: Csv | None) -> bool:
        """Whether the file still has the fault."""
        return file.encoding == self.encoding


Guard = Annotated[
    Records | SameContent | SecondUpload | Header | Repeats | Encoding, Field(discriminator="guard")
]


class Value(Strict):
    """One value of a later revision."""

    subject: str
    period: str
    value: float


class Revision(Strict):
    """The values of a later revision of a figure."""

    figure: str
    number: int = Field(ge=2)
    values: tuple[Value, ...]


class Correction(Strict):
    """One fault of one file of an edition."""

    id: str
    edition: int
    file: str
    other: str | None = None
    defect: str
    rule: str
    source: str
    holds_while: Guard
    blocks: tuple[str, ...] = ()  # figures that must not be mapped
    revision: Revision | None = None

    def still_holds(self, files: Mapping[str, Csv]) -> bool | None:
        """Whether the edition's files still have the fault; None if the file is missing."""
        file = files.get(self.file)
        return None if file is None else self.holds_while.holds(file, files.get(self.other or ""))


@cache
def ai_index_corrections() -> tuple[Correction, ...]:
    """Every correction of the AI Index's files. Raises CorrectionError naming what is wrong."""
    return read_corrections(CORRECTIONS)


def read_corrections(path: Path) -> tuple[Correction, ...]:
    """The corrections of one file, each id once. Raises CorrectionError naming file and error."""
    try:
        document = read_yaml(path)
        found = TypeAdapter(tuple[Correction, ...]).validate_python(document)
    except (ValidationError, yaml.YAMLError) as error:
        raise CorrectionError(f"{path}: {error}") from error
    if twice := [i for i, n in Counter(c.id for c in found).items() if n > 1]:
        raise CorrectionError(f"{path}: duplicate ids: {', '.join(twice)}")
    return found


def _content(file: Csv) -> tuple[list[str], list[list[str]]]:
    return file.header, file.records
