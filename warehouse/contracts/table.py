"""Table contracts: the only list of a table's columns.

`warehouse/contracts/tables/<layer>/<table>.yml` describes one table. From it come the DuckDB DDL
and comments, the Polars schema, the Great Expectations suite and the manifest's column list.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
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
from warehouse.contracts.vocabulary import explained, read_yaml, with_shared_columns

TABLES = Path(__file__).parent / "tables"

Layer = Literal["raw", "core", "mart", "meta"]
LAYERS: tuple[Layer, ...] = ("raw", "core", "mart", "meta")

# The BI-safe types: every Parquet reader we know of takes them, lists and structs it does not.
PHYSICAL: Mapping[str, pl.DataType] = {
    "BOOLEAN": pl.Boolean(),
    "INTEGER": pl.Int32(),
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "DATE": pl.Date(),
    "TIMESTAMP": pl.Datetime("us"),
    "VARCHAR": pl.String(),
}


class ContractError(ValueError):
    """A contract file that cannot be used, or a table that does not match its contract."""


class Strict(BaseModel):
    """Refuses a misspelt field, so that a contract never promises something unread."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# A text of a contract may be wrapped in its file; it is one line wherever it is shown.
Text = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]


class Column(Strict):
    """One column: its physical type, meaning and what its values must satisfy."""

    type: Literal["BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR"]
    description: Text
    unit: str | None = None
    nullable: bool = False
    values: tuple[str, ...] | None = None
    vocabulary: str | None = None  # of vocabulary.yml: gives the values and explains them
    min: float | None = None
    max: float | None = None
    references: str | None = None  # "core.labs.lab_id"
    source_names: tuple[str, ...] = Field(default=(), alias="from")
    optional: bool = False  # the source may lack this column altogether
    format: str | None = None  # how a text is written; default: the one of its type
    # What a value that cannot be used costs: its record, or itself alone (null, with a note). The
    # record where it is nothing without the value; that is the default of what is never null.
    on_unusable: Literal["discard_row", "discard_value"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_vocabulary(cls, given: object) -> object:
        return explained(given) if isinstance(given, dict) and "vocabulary" in given else given

    @model_validator(mode="after")
    def _can_be_read(self) -> Column:
        if self.format and self.type not in getattr(FORMATS.get(self.format), "types", ()):
            raise ValueError(f"format {self.format!r} is not a format of {self.type}")
        if self.on_unusable == "discard_value" and not self.nullable:
            raise ValueError("on_unusable: discard_value needs nullable: true")
        return self

    @property
    def written(self) -> str | None:
        """The format in which a text of this column must be written; None for text itself."""
        return self.format or default_format(self.type)

    @property
    def is_essential(self) -> bool:
        """Whether an unusable value costs the record."""
        return (self.on_unusable or ("discard_value", "discard_row")[not self.nullable]) == (
            "discard_row"
        )


class Thresholds(Strict):
    """How far a table may fall behind the previous release before the run stops."""

    rows_fall_pct: float | None = None
    # Of a table that holds the newest snapshots alone, two releases cannot be compared.
    between_releases: bool = True
    min_rows: int = 0
    # Of one snapshot: the run stops above this share of refused records, if they are this many.
    refused_pct: float = 5
    refused_rows: int = 20


class Origin(Strict):
    """Where a raw table's records lie, so that one row leads back to its bytes.

    `file` and `member` (of a zip) are names with columns of the row in braces and `*`; the record
    is the one whose number (from 1) is in column `record`, or whose fields equal columns of the
    row: `match: {<field of the record>: <column>}`. `is_code`: the file is part of this project.
    """

    file: str
    member: str | None = None
    record: str | None = None
    match: dict[str, str] = {}
    is_code: bool = False


class Contract(Strict):
    """One table as its YAML file promises it."""

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
    # Source id -> SQL predicate of the rows that carry it; only those rows fall under its license.
    license_rows: dict[str, str] = {}
    origin: Origin | None = None  # of raw tables
    # What a raw table without records of its own is made by, with columns of the row in braces.
    made_by: str | None = None
    # Input table -> SQL condition on `it`, a row of the input, and `this`, a row of ours: which of
    # its rows one of ours is made from. Default: equal values in the key columns that both have.
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
            raise ValueError(f"key {list(self.key)} names unknown columns {unknown}")
        return self

    @model_validator(mode="after")
    def _warnings_are_explained(self) -> Contract:
        if unknown := sorted(set(self.warnings) - set(warnings())):
            raise ValueError(f"warnings {unknown} are not explained in {WARNINGS}; add them there")
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
        """`"layer"."name"`, quoted for SQL."""
        return f"{quote(self.layer)}.{quote(self.name)}"

    @property
    def polars_schema(self) -> pl.Schema:
        """Column name -> Polars type, in the contract's order."""
        return pl.Schema({name: PHYSICAL[c.type] for name, c in self.columns.items()})

    def create_sql(self) -> str:
        """DDL. No primary key: on millions of rows it costs ten times the load itself."""
        columns = ", ".join(
            f"{quote(name)} {c.type}{'' if c.nullable else ' NOT NULL'}"
            for name, c in self.columns.items()
        )
        return f"CREATE TABLE {self.sql_name} ({columns})"

    def comment_sql(self) -> list[str]:
        """`COMMENT ON` statements for the table and every column."""
        about = f"{self.description} Grain: {self.grain}."
        if self.warnings:
            about += f" Warnings: {', '.join(self.warnings)}."
        statements = [f"COMMENT ON TABLE {self.sql_name} IS {literal(about)}"]
        for name, column in self.columns.items():
            text = column.description + (f" Unit: {column.unit}." if column.unit else "")
            statements.append(f"COMMENT ON COLUMN {self.sql_name}.{quote(name)} IS {literal(text)}")
        return statements

    def check_frame(self, frame: pl.DataFrame | pl.LazyFrame) -> None:
        """Raises ContractError unless names, order and types are exactly the contract's."""
        got, want = frame.collect_schema(), self.polars_schema
        if got == want and list(got) == list(want):
            return
        lacks = [c for c in want if c not in got]
        adds = [c for c in got if c not in want]
        types = [f"{c}: {got[c]} for {want[c]}" for c in want if c in got and got[c] != want[c]]
        raise ContractError(
            f"{self.table} does not match its contract: missing {lacks}, not in the contract "
            f"{adds}, other type {types or 'none'}"
            + ("" if lacks or adds or types else ", columns in another order")
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
        raise ContractError(f"{path}: says table {contract.table!r}, its place says {expected!r}")
    return contract


def _layer_then_name(contract: Contract) -> tuple[int, str]:
    return LAYERS.index(contract.layer), contract.name


@cache
def contracts() -> dict[str, Contract]:
    """Every contract, by table name (`mart.country_share_daily`), sorted by layer and name."""
    found = [read_contract(p) for p in sorted(TABLES.glob("*/*.yml"))]
    names = [c.name for c in found if c.layer in ("core", "mart")]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ContractError(f"{TABLES}: core and mart both have {twice}; transforms name them bare")
    return {c.table: c for c in sorted(found, key=_layer_then_name)}


def contract(table: str) -> Contract:
    """The contract of one table. Raises ContractError for a name without a file."""
    try:
        return contracts()[table]
    except KeyError:
        raise ContractError(
            f"no contract warehouse/contracts/tables/{table.replace('.', '/')}.yml"
        ) from None
