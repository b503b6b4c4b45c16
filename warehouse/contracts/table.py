"""Table contracts: the only list of a table's columns.

`warehouse/contracts/tables/<layer>/<table>.yml` describes one table. From it come the DuckDB DDL
and comments, the Polars schema, the Great Expectations suite and the manifest's column list.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from warehouse.contracts.formats import FORMATS, default_format
from warehouse.contracts.usage_warnings import WARNINGS, warnings
from warehouse.contracts.vocabulary import explained, with_shared_columns
from warehouse.contracts.yaml_files import read_yaml

if TYPE_CHECKING:
    import polars as pl

TABLES = Path(__file__).parent / "tables"

Layer = Literal["raw", "core", "mart", "meta"]
LAYERS: tuple[Layer, ...] = ("raw", "core", "mart", "meta")
# The attached database with the tables that no release includes: they are in a file of their own,
# so that the warehouse file has not a byte of them and can be released as it is.
UNPUBLISHED = "unpublished"

# Types that common BI tools read from Parquet; many of them cannot read lists and structs.
# Each with its name in Polars.
PHYSICAL: Mapping[str, str] = {
    "BOOLEAN": "Boolean",
    "INTEGER": "Int32",
    "BIGINT": "Int64",
    "DOUBLE": "Float64",
    "DATE": "Date",
    "TIMESTAMP": "Datetime",  # in microseconds
    "VARCHAR": "String",
}


class ContractError(ValueError):
    """An invalid contract file, or a table that does not match its contract."""


class Strict(BaseModel):
    """Forbids unknown fields, so that a misspelled field is an error and not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Texts may be wrapped in the file; they are shown as one line.
Text = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]


class Column(Strict):
    """One column: its physical type, its meaning and the conditions on its values."""

    type: Literal["BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR"]
    description: Text
    unit: str | None = None
    nullable: bool = False
    values: tuple[str, ...] | None = None
    vocabulary: str | None = None  # of vocabulary.yml: defines and explains the values
    min: float | None = None
    max: float | None = None
    references: str | None = None  # "core.labs.lab_id"
    source_names: tuple[str, ...] = Field(default=(), alias="from")
    optional: bool = False  # the source may lack this column altogether
    format: str | None = None  # how a text is written; default: the one of its type
    # What happens to an unusable value: its record is refused, or only the value is set to null and
    # noted. The default is to refuse the record if the column is not nullable.
    on_unusable: Literal["discard_row", "discard_value"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_vocabulary(cls, given: object) -> object:
        return explained(given) if isinstance(given, dict) and "vocabulary" in given else given

    @model_validator(mode="after")
    def _is_consistent(self) -> Column:
        if self.format and self.type not in getattr(FORMATS.get(self.format), "types", ()):
            raise ValueError(f"format {self.format!r} is not a format of {self.type}")
        if self.on_unusable == "discard_value" and not self.nullable:
            raise ValueError("on_unusable: discard_value needs nullable: true")
        return self

    @property
    def written(self) -> str | None:
        """The format that a text of this column must have; None for text columns."""
        return self.format or default_format(self.type)

    @property
    def is_essential(self) -> bool:
        """Whether a record with an unusable value is refused."""
        if self.on_unusable is None:
            return not self.nullable
        return self.on_unusable == "discard_row"


class Thresholds(Strict):
    """How much a table may shrink from one release to the next before the run stops."""

    rows_fall_pct: float | None = None
    # False for tables with the newest snapshots only: two releases cannot be compared.
    between_releases: bool = True
    min_rows: int = 0
    # The run stops above this share of refused records of a snapshot, if at least so many.
    refused_pct: float = 5
    refused_rows: int = 20


class Origin(Strict):
    """Where the records of a raw table are stored, so that a row can be traced to its bytes.

    `file` and `member` (of a zip) are names with columns of the row in braces and `*`; the record
    is the one whose number (from 1) is in column `record`, or whose fields equal columns of the
    row: `match: {<field of the record>: <column>}`. `is_code`: the file is part of this project.
    """

    file: str
    member: str | None = None
    record: str | None = None
    match: dict[str, str] = {}
    is_code: bool = False


class Newest(Strict):
    """What a reader expects of the newest rows: for each `per` those of its last `date`."""

    date: str
    per: tuple[str, ...] = ()


class Contract(Strict):
    """The contract of one table, from its YAML file."""

    table: str
    description: Text
    grain: Text
    key: tuple[str, ...]
    columns: dict[str, Column]
    warnings: tuple[str, ...] = ()  # codes of warnings.yml
    drift: Literal["evolve", "freeze", "discard_row", "discard_value"] = "freeze"
    thresholds: Thresholds = Thresholds()
    published: bool = True
    license_inputs: tuple[str, ...] = ()
    # Source id -> SQL condition of the rows made from it; its license applies to those rows only.
    license_rows: dict[str, str] = {}
    newest: Newest | None = None  # makes the view `latest.<name>`
    origin: Origin | None = None  # of raw tables
    # What makes a raw table that has no records of its own, with columns of the row in braces.
    made_by: str | None = None
    # Input table -> SQL condition on `it`, a row of the input, and `this`, a row of this table: the
    # input rows that a row is made from. Default: equal values in the key columns of both.
    traces: dict[str, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _with_shared_columns(cls, given: object) -> object:
        if not isinstance(given, dict) or not isinstance(given.get("columns"), dict):
            return given
        return {**given, "columns": with_shared_columns(given["columns"])}

    @model_validator(mode="after")
    def _key_exists(self) -> Contract:
        unknown = [c for c in self.key if c not in self.columns]
        if unknown or not self.key:
            raise ValueError(
                f"key names unknown columns: {', '.join(unknown)}" if unknown else "key is empty"
            )
        newest = (self.newest.date, *self.newest.per) if self.newest else ()
        if unknown := [c for c in newest if c not in self.columns]:
            raise ValueError(f"newest names unknown columns: {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _warnings_are_explained(self) -> Contract:
        if unknown := sorted(set(self.warnings) - set(warnings())):
            raise ValueError(f"explain these warnings in {WARNINGS}: {', '.join(unknown)}")
        return self

    @property
    def layer(self) -> str:
        """The DuckDB schema: raw, core, mart or meta."""
        return self.table.split(".")[0]

    @property
    def name(self) -> str:
        """The table's name without its layer."""
        return self.table.split(".")[1]

    @property
    def sql_name(self) -> str:
        """`"layer"."name"`, quoted for SQL; after the name of its database if not published."""
        name = f"{quote(self.layer)}.{quote(self.name)}"
        return name if self.published else f"{quote(UNPUBLISHED)}.{name}"

    @property
    def polars_schema(self) -> pl.Schema:
        """Column name -> Polars type, in the contract's order."""
        import polars as pl  # noqa: PLC0415  after `.env` was read: it has the number of threads

        return pl.Schema({n: getattr(pl, PHYSICAL[c.type])() for n, c in self.columns.items()})

    def create_sql(self) -> str:
        """DDL without a primary key, which would make loading millions of rows ten times slower."""
        columns = ", ".join(
            f"{quote(name)} {c.type}{'' if c.nullable else ' NOT NULL'}"
            for name, c in self.columns.items()
        )
        return f"CREATE TABLE {self.sql_name} ({columns})"

    def comments(self) -> dict[str | None, str]:
        """What each column means, by its name; that of None is about the table."""
        about = f"{self.description} Grain: {self.grain}."
        if self.warnings:
            about += f" Warnings: {', '.join(self.warnings)}."
        units = {name: f" Unit: {c.unit}." if c.unit else "" for name, c in self.columns.items()}
        return {None: about} | {n: c.description + units[n] for n, c in self.columns.items()}

    def comment_sql(self) -> list[str]:
        """`COMMENT ON` statements for the table and every column."""
        return [
            f"COMMENT ON COLUMN {self.sql_name}.{quote(name)} IS {literal(text)}"
            if name
            else f"COMMENT ON TABLE {self.sql_name} IS {literal(text)}"
            for name, text in self.comments().items()
        ]

    def check_frame(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        """Raises ContractError unless names, order and types are those of the contract."""
        got, want = frame.collect_schema(), self.polars_schema
        if got == want and list(got) == list(want):
            return
        lacks = [c for c in want if c not in got]
        adds = [c for c in got if c not in want]
        types = [f"{c} is {got[c]}, not {want[c]}" for c in want if c in got and got[c] != want[c]]
        differences = {"missing columns": lacks, "unknown columns": adds, "wrong types": types}
        listed = [f"{what}: {', '.join(names)}" for what, names in differences.items() if names]
        raise ContractError(
            f"{self.table} does not match its contract: "
            + ("; ".join(listed) or f"columns are not in the order {', '.join(want)}")
        )


def quote(identifier: str) -> str:
    """A SQL identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL string literal, for statements that take no parameters (DDL, COMMENT)."""
    return "'" + text.replace("'", "''") + "'"


def read_contract(path: Path) -> Contract:
    """One contract file. Raises ContractError naming the file and what is wrong in it."""
    try:
        contract = Contract.model_validate(read_yaml(path))
    except (ValidationError, yaml.YAMLError) as error:
        raise ContractError(f"{path}: {error}") from error
    expected = f"{path.parent.name}.{path.stem}"
    if contract.table != expected:
        raise ContractError(
            f"{path}: the table is {contract.table!r}, but the path requires {expected!r}"
        )
    return contract


def _layer_then_name(contract: Contract) -> tuple[int, str]:
    return LAYERS.index(contract.layer), contract.name


@cache
def contracts() -> dict[str, Contract]:
    """Every contract, by table name (`mart.country_share_daily`), sorted by layer and name."""
    found = [read_contract(p) for p in sorted(TABLES.glob("*/*.yml"))]
    return {c.table: c for c in sorted(found, key=_layer_then_name)}


def contract(table: str) -> Contract:
    """The contract of one table. Raises ContractError for a name without a file."""
    try:
        return contracts()[table]
    except KeyError:
        raise ContractError(
            f"no contract for {table}: warehouse/contracts/tables/{table.replace('.', '/')}.yml"
        ) from None
