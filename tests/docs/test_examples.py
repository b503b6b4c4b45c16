"""The examples of the pages on adding things work as they are printed."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.support.markdown import blocks, pages
from warehouse.contracts.table import Contract
from warehouse.registry import load

TABLE = "docs/adding-a-table.md"
REGISTRY = "docs/registry.md"


def printed(page: str, language: str) -> list[str]:
    found = [b.code for b in blocks(page, pages()[page]) if b.language == language]
    assert found, f"{page} has no block of {language}"
    return found


def test_the_example_mart_computes_what_its_contract_promises(sampled: tuple[Path, str]) -> None:
    (promise,), (code,) = printed(TABLE, "yaml"), printed(TABLE, "python")
    promised = Contract.model_validate(yaml.safe_load(promise))
    module: dict[str, object] = {}
    exec(code, module)
    module["contract"] = {promised.table: promised}.__getitem__
    latest = sampled[0] / "published/latest"
    inputs = [pl.scan_parquet(latest / f"core.{t}.parquet") for t in ("arena_ratings", "countries")]
    made = module[promised.name](*inputs).collect()  # type: ignore[operator]
    assert made.schema == promised.polars_schema
    assert made.height > 0
    assert made.select(promised.key).is_duplicated().sum() == 0


def test_the_example_lab_keeps_the_rules_of_the_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(load.REGISTRY, folder)
    for name, row in zip(("labs.csv", "namespaces.csv"), printed(REGISTRY, "csv"), strict=True):
        add_sorted(folder / name, row)
    monkeypatch.setattr(load, "REGISTRY", folder)
    tables = load.registry_tables()
    assert tables["raw.registry_labs"].filter(lab_id="example-ai")["country_code"].to_list() == [
        "CA"
    ]
    names = tables["raw.registry_namespaces"].filter(namespace="example-ai")
    assert names["lab_id"].to_list() == ["example-ai"]


def add_sorted(path: Path, row: str) -> None:
    """Adds a row where the order of the file puts it."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    (new,) = csv.reader([row])
    rows.insert(sum((r[0], r[1].lower()) < (new[0], new[1]) for r in rows), new)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
