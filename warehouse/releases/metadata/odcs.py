"""`datacontract.yaml`: the marts as an Open Data Contract Standard 3.1 document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from warehouse.contracts.table import Column, Contract
from warehouse.releases.manifest import Manifest, TableEntry
from warehouse.releases.metadata.about import DESCRIPTION, NAME, TITLE, version
from warehouse.releases.metadata.datapackage import TYPES as FRICTIONLESS

# The physical types of the contracts as logical types of the standard.
TYPES: Mapping[str, str] = {**FRICTIONLESS, "TIMESTAMP": "timestamp"}
LIMITATIONS = (
    "Each row of a share is already a share under one definition: choose population, metric, "
    "window, attribution and credit before anything is added up. Null means not recorded, never 0. "
    "Ratings are comparable within one scale segment only."
)


def odcs(manifest: Manifest, tables: Mapping[str, Contract]) -> str:
    """One schema object per mart, with types, keys, limits and allowed values."""
    marts = [table for table in manifest.tables if table.name.startswith("mart.")]
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": NAME,
        "name": TITLE,
        "version": version(manifest),
        "status": "active",
        "description": {"purpose": DESCRIPTION, "limitations": LIMITATIONS},
        "servers": [
            {"server": "release", "type": "local", "path": "./*.parquet", "format": "parquet"}
        ],
        "schema": [_object(table, tables[table.name]) for table in marts],
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def _object(table: TableEntry, contract: Contract) -> dict[str, Any]:
    return {
        "name": table.name,
        "physicalName": table.path,
        "physicalType": "table",
        "logicalType": "object",
        "description": table.description,
        "dataGranularityDescription": table.grain,
        "properties": [_property(contract, *one) for one in contract.columns.items()],
    }


def _property(contract: Contract, name: str, column: Column) -> dict[str, Any]:
    limits = {"minimum": column.min, "maximum": column.max}
    options = {rule: value for rule, value in limits.items() if value is not None}
    found: dict[str, Any] = {
        "name": name,
        "logicalType": TYPES[column.type],
        "physicalType": column.type,
        "required": not column.nullable,
        "description": column.description + (f" Unit: {column.unit}." if column.unit else ""),
    }
    if name in contract.key:
        found |= {"primaryKey": True, "primaryKeyPosition": contract.key.index(name) + 1}
    if options:
        found["logicalTypeOptions"] = options
    if column.values:
        arguments = {"validValues": list(column.values)}
        found["quality"] = [
            {"type": "library", "metric": "invalidValues", "arguments": arguments, "mustBe": 0}
        ]
    return found
