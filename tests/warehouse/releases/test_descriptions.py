"""Data contract, lineage events, llms.txt and deposit metadata of a release."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from tests.warehouse.releases.test_metadata import small, validated
from transforms.plan import plan
from warehouse.contracts.table import contracts

LINT = """
import open_data_contract_standard as standard, jsonschema, yaml
from pathlib import Path
document = yaml.safe_load(Path(sys.argv[1]).read_text("utf-8"))
schema = json.loads(Path(standard.__file__).with_name("schema.json").read_text("utf-8"))
errors = jsonschema.Draft201909Validator(schema).iter_errors(document)
print(json.dumps({"errors": [e.message for e in errors]}))
"""


@pytest.fixture(scope="session")
def released(sampled: tuple[Path, str]) -> Path:
    return sampled[0] / "published" / "latest"


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return found


def test_the_data_contract_has_every_mart_with_every_column(released: Path) -> None:
    document = yaml.safe_load((released / "datacontract.yaml").read_text("utf-8"))
    marts = [t for t in manifest_of(released)["tables"] if t["name"].startswith("mart.")]
    assert [one["name"] for one in document["schema"]] == [mart["name"] for mart in marts]
    for one, mart in zip(document["schema"], marts, strict=True):
        assert [p["name"] for p in one["properties"]] == [c["name"] for c in mart["columns"]]
        keys = sorted(
            (p["primaryKeyPosition"], p["name"]) for p in one["properties"] if p.get("primaryKey")
        )
        assert [name for _, name in keys] == mart["key"]
        assert (released / one["physicalName"]).is_file()


def test_the_data_contract_is_valid_by_the_schema_of_the_standard(released: Path) -> None:
    assert validated(LINT, released / "datacontract.yaml") == {"errors": []}


def test_lineage_events_name_the_inputs_of_every_computed_table(released: Path) -> None:
    events = [
        json.loads(x) for x in (released / "openlineage.jsonl").read_text("utf-8").splitlines()
    ]
    found = {e["job"]["name"]: {i["name"] for i in e["inputs"]} for e in events}
    assert found == {step.table: set(step.inputs.values()) for step in plan() if step.inputs}
    assert len({UUID(e["run"]["runId"]) for e in events}) == len(events)
    assert {e["eventTime"] for e in events} == {"2026-08-15T00:00:00Z"}


def test_llms_txt_links_only_files_of_the_release(released: Path) -> None:
    text = (released / "llms.txt").read_text("utf-8")
    assert text.startswith("# Origin Observatory")
    assert "SAMPLE" in text
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not (released / link).is_file()] == []


def test_the_deposit_names_every_license(released: Path) -> None:
    deposit = json.loads((released / "zenodo.json").read_text("utf-8"))
    assert deposit["upload_type"] == "dataset"
    assert deposit["publication_date"] == "2026-08-15"
    for table in manifest_of(released)["tables"]:
        for one in table["licenses"]:
            assert f"{one['source']}: {one['raw']}" in deposit["notes"]


def test_a_public_release_describes_no_table_that_is_left_out(tmp_path: Path) -> None:
    manifest = small(tmp_path / "public", "public")
    left_out = {x.table for x in manifest.left_out if x.predicate is None}
    assert left_out
    for name in ("datacontract.yaml", "llms.txt"):
        text = (tmp_path / "public" / name).read_text("utf-8")
        assert not any(table in text for table in left_out)


def test_every_type_of_the_contracts_is_described() -> None:
    from warehouse.releases.metadata.odcs import TYPES

    assert {c.type for t in contracts().values() for c in t.columns.values()} <= set(TYPES)
