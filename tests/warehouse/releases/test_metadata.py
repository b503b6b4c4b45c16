"""The metadata of a release: valid for its tools, and without excluded content."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import ROOT
from tests.support.releases import AS_OF, CODE, build_warehouse, small_cards, small_tables
from transforms.plan import plan as steps
from warehouse.contracts.source import cards
from warehouse.contracts.table import ContractError, contracts, read_contract
from warehouse.contracts.usage_warnings import warnings
from warehouse.database.duckdb_file import connect
from warehouse.releases.licensing import inherit
from warehouse.releases.manifest import Manifest, ReleaseError
from warehouse.releases.metadata import FILES
from warehouse.releases.stage import stage_release

VALIDATORS = os.environ.get("OBSERVATORY_WITH_VALIDATORS", "")


@pytest.fixture(scope="session")
def released(sampled: tuple[Path, str]) -> Path:
    """The sample's release as published."""
    return sampled[0] / "published" / "latest"


def small(folder: Path, audience: str, database: Path | None = None) -> Manifest:
    return stage_release(
        database or build_warehouse(folder.with_suffix(".duckdb")),
        folder,
        audience=audience,  # type: ignore[arg-type]
        as_of=AS_OF,
        code=CODE,
        sample=False,
        tables=small_tables(),
        source_cards=small_cards(),
    )


def document(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
    return found


def in_catalogs(folder: Path) -> list[str]:
    """Names of the tables that catalogs offer: filled marts, then filled core tables."""
    tables = document(folder, "manifest.json")["tables"]
    filled = [t["name"] for t in tables if t["rows"]]
    return [n for layer in ("mart.", "core.") for n in sorted(filled) if n.startswith(layer)]


def test_results_come_first_and_catalogs_offer_no_raw_or_empty_table(released: Path) -> None:
    names = [t["name"] for t in document(released, "manifest.json")["tables"]]
    order = {"mart": 0, "core": 1, "raw": 2}
    assert names == sorted(names, key=lambda n: (order[n.split(".")[0]], n))
    assert len(in_catalogs(released)) < len(names)
    package, croissant = (document(released, f"{n}.json") for n in ("datapackage", "croissant"))
    assert [r["name"] for r in package["resources"]] == in_catalogs(released)
    assert [r["name"] for r in croissant["recordSet"]] == in_catalogs(released)
    assert [f["contentUrl"] for f in croissant["distribution"]] == [
        f"{name}.parquet" for name in in_catalogs(released)
    ]


# --- for the tools ---------------------------------------------------------------------------


def validated(code: str, *arguments: object) -> dict[str, Any]:
    """The output of a Python with the validators installed, as JSON."""
    if not VALIDATORS:
        pytest.skip("OBSERVATORY_WITH_VALIDATORS names no folder (.ci/run installs it)")
    begin = f"import sys, json, logging; sys.path.append({VALIDATORS!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


# frictionless reads Parquet through pandas, where a whole number beside a null becomes a fraction;
# the rows are given as Python values, so that it judges them and not pandas.
FRICTIONLESS = """
from pathlib import Path
import pyarrow.parquet as pq
from frictionless import Package, Resource, Schema
folder = Path(sys.argv[1])
told = json.loads((folder / "datapackage.json").read_text("utf-8"))
metadata = [e.message for e in Package.metadata_validate(told)]
package = Package.from_descriptor(told, basepath=str(folder))
wrong, rows = [], 0
for resource in package.resources:
    records = pq.read_table(folder / resource.path).slice(0, 200).to_pylist()
    if records:
        schema = Schema.from_descriptor(resource.schema.to_descriptor())
        schema.foreign_keys = []  # the first rows of a table need not refer to those of another
        judged = Resource(data=records, schema=schema)
        report = judged.validate()
        rows += len(records)
        wrong += [[resource.name, *e] for e in report.flatten(["rowNumber", "fieldName", "note"])]
read = package.get_resource("core.countries").validate()
print(json.dumps({"metadata": metadata, "wrong": wrong[:5], "rows": rows,
                  "resources": len(package.resources), "parquet_valid": read.valid}))
"""
CROISSANT = """
from pathlib import Path
import mlcroissant
told = mlcroissant.Dataset(jsonld=Path(sys.argv[1]))
sets = [s.uuid for s in told.metadata.record_sets]
records = list(told.records(sys.argv[2]))
print(json.dumps({"errors": list(told.metadata.ctx.issues.errors),
                  "warnings": list(told.metadata.ctx.issues.warnings),
                  "sets": sets, "rows": len(records), "columns": sorted(records[0])}))
"""


def test_frictionless_finds_the_data_package_valid(released: Path) -> None:
    answer = validated(FRICTIONLESS, released)
    assert (answer["metadata"], answer["wrong"]) == ([], [])
    assert answer["parquet_valid"]
    assert answer["rows"] > 1000
    assert answer["resources"] == len(in_catalogs(released))


def test_frictionless_finds_a_wrong_schema(released: Path, tmp_path: Path) -> None:
    told = document(released, "datapackage.json")
    for resource in told["resources"]:
        (tmp_path / resource["path"]).symlink_to(released / resource["path"])
        if resource["name"] == "core.countries":
            resource["schema"]["fields"][0]["constraints"]["enum"] = ["US"]
    (tmp_path / "datapackage.json").write_text(json.dumps(told))
    answer = validated(FRICTIONLESS, tmp_path)
    assert answer["wrong"][0][0] == "core.countries"
    assert not answer["parquet_valid"]


def test_mlcroissant_validates_and_reads_the_croissant(released: Path) -> None:
    table = "mart.country_share_daily"
    answer = validated(CROISSANT, released / "croissant.json", table)
    assert (answer["errors"], answer["warnings"]) == ([], [])
    manifest = Manifest.model_validate_json((released / "manifest.json").read_bytes())
    assert answer["sets"] == in_catalogs(released)
    held = next(t for t in manifest.tables if t.name == table)
    assert answer["rows"] == held.rows
    assert answer["columns"] == sorted(f"{table}/{c.name}" for c in held.columns)


# --- for people ------------------------------------------------------------------------------


class Page(HTMLParser):
    """Ids, links and resources of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        self.links.add(given.get("href") or "")
        if tag in ("script", "img", "link", "iframe"):
            self.loads.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_dictionary_explains_every_column_and_warning(released: Path) -> None:
    manifest = Manifest.model_validate_json((released / "manifest.json").read_bytes())
    markdown = (released / "DICTIONARY.md").read_text("utf-8")
    html = (released / "dictionary.html").read_text("utf-8")
    page = Page(html)
    assert (page.loads, page.open) == ([], [])
    assert {link.removeprefix("#") for link in page.links if link} <= page.ids
    used = {code for table in manifest.tables for code in table.warnings}
    for table in manifest.tables:
        section = markdown.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ")]
        assert len(rows) == len(table.columns) + 2  # a cell with a bar or a line would add or cut
        assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {7}
        assert f"id='{table.name}'" in html
    for code in used:
        assert warnings()[code].advice in markdown
        assert code in page.ids
    assert not [code for code in warnings() if code not in used and f"### {code}" in markdown]


def test_the_citation_names_every_source_of_every_table(released: Path) -> None:
    manifest = Manifest.model_validate_json((released / "manifest.json").read_bytes())
    text = (released / "CITATION.md").read_text("utf-8")
    for table in manifest.tables:
        assert f"* {table.name}: {', '.join(x.source for x in table.licenses)}\n" in text
    assert all(cards()[s.source].citation in text for s in manifest.sources)
    assert manifest.release_id in text


def test_descriptions_are_escaped(tmp_path: Path) -> None:
    tables = small_tables()
    columns = dict(tables["core.counts"].columns)
    evil = "a | b\n<script>alert(1)</script>"
    columns["downloads"] = columns["downloads"].model_copy(update={"description": evil})
    tables["core.counts"] = tables["core.counts"].model_copy(update={"columns": columns})
    stage_release(
        build_warehouse(tmp_path / "wh.duckdb"), tmp_path / "out", audience="internal", as_of=AS_OF,
        code=CODE, sample=False, tables=tables, source_cards=small_cards(),
    )  # fmt: skip
    assert Page((tmp_path / "out" / "dictionary.html").read_text("utf-8")).loads == []
    assert "<script" not in (tmp_path / "out" / "DICTIONARY.md").read_text("utf-8")


# --- the same in, the same out; and nothing too much -----------------------------------------


def test_the_same_rows_give_the_same_metadata(tmp_path: Path) -> None:
    first = small(tmp_path / "a", "internal")
    again = small(
        tmp_path / "b", "internal", build_warehouse(tmp_path / "c.duckdb", backwards=True)
    )
    digests = [{f.path: f.sha256 for f in m.files if f.path in FILES} for m in (first, again)]
    assert set(digests[0]) == set(FILES)
    assert digests[0] == digests[1]


def test_public_metadata_describe_only_included_tables(tmp_path: Path) -> None:
    manifest = small(tmp_path / "public", "public")
    held = {t.name for t in manifest.tables}
    assert held == {"core.counts", "mart.by_country"}
    told = document(tmp_path / "public", "datapackage.json")
    croissant = document(tmp_path / "public", "croissant.json")
    assert {r["name"] for r in told["resources"]} == held
    assert {r["name"] for r in croissant["recordSet"]} == held
    assert {s["title"] for s in told["sources"]} == {"open, example.org"}
    for name in FILES:
        text = (tmp_path / "public" / name).read_text("utf-8")
        assert "strict, example.org" not in text  # the citation of a source that is not in it
        if name != "CITATION.md":  # which says what was left out
            assert "raw.figures" not in text
    with pytest.raises(ReleaseError, match="rename it"):
        stage_release(
            tmp_path / "public.duckdb", tmp_path / "x", audience="internal", as_of=AS_OF, code=CODE,
            sample=False, tables=small_tables(), source_cards=small_cards(),
            documents={"CITATION.md": tmp_path / "public.duckdb"},
        )  # fmt: skip


def test_a_table_has_the_licenses_of_all_its_inputs() -> None:
    edges = [(s.table, i) for s in steps() for i in s.inputs.values()]
    found = inherit(contracts(), edges)
    assert list(found) == list(contracts())
    for step in steps():
        for name in step.inputs.values():
            held = {
                s for s in found[name].license_inputs if found[name].license_rows.get(s) != "false"
            }
            own = found[step.table]
            assert held <= {*own.license_inputs, *own.license_rows}, (step.table, name)
    # The family of a board's model is found through the Space's display names: credit is due.
    assert "lmarena_space" in found["mart.family_share_daily"].license_inputs


# --- the vocabulary --------------------------------------------------------------------------


def test_an_unexplained_warning_fails(tmp_path: Path) -> None:
    (tmp_path / "mart").mkdir()
    text = (ROOT / "warehouse/contracts/tables/mart/country_share_daily.yml").read_text("utf-8")
    path = tmp_path / "mart" / "country_share_daily.yml"
    path.write_text(text.replace("warnings: [", "warnings: [made_up, "))
    with pytest.raises(ContractError, match=r"explain these warnings.*made_up"):
        read_contract(path)


def test_keys_of_marts_are_dated_and_never_null() -> None:
    for contract in contracts().values():
        if contract.layer in ("core", "mart"):
            null = [c for c in contract.key if contract.columns[c].nullable]
            assert not (contract.published and null), contract.table
        if contract.layer == "mart":
            kinds = {c.type for c in contract.columns.values()}
            assert "TIMESTAMP" not in kinds, contract.table


@pytest.mark.slow
def test_no_public_release_contains_figures_under_a_strict_license(
    built: Any, tmp_path: Path
) -> None:
    """Numbers of at least six digits that only the AI Index or arena-catalog have."""
    folder = tmp_path / "public"
    manifest = stage_release(
        built.warehouse, folder, audience="public", as_of=date(2026, 8, 15), code=CODE, sample=False
    )
    with connect(built.warehouse, read_only=True) as con:
        secret = _numbers(con, "SELECT record_json FROM raw.ai_index_rows")
        free = set()
        for contract in contracts().values():
            if contract.layer == "raw" and not {"ai_index", "arena_catalog"} & set(
                contract.license_inputs
            ):
                free |= _numbers(con, f"SELECT to_json(t)::VARCHAR FROM {contract.sql_name} AS t")
        catalog = _numbers(con, "SELECT rating::VARCHAR FROM raw.arena_catalog_ratings")
    secret = (secret | catalog) - free
    assert len(secret) > 1000
    with duckdb.connect(str(folder / "observatory.duckdb"), read_only=True) as con:
        for table in manifest.tables:
            told = _numbers(con, f"SELECT to_json(t)::VARCHAR FROM {table.name} AS t")
            assert not told & secret, table.name
            snapshots = {c.name for c in table.columns} & {"snapshot_id"}
            for column in snapshots:
                strict = f"{column} LIKE 'ai_index/%' OR {column} LIKE 'arena_catalog/%'"
                query = f"SELECT count(*) FROM {table.name} WHERE {strict}"
                assert con.execute(query).fetchall() == [(0,)], table.name
    for name in FILES:
        found = set(re.findall(r"\d+\.\d{4,}", (folder / name).read_text("utf-8")))
        assert not found & secret, name


def _numbers(con: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    """Distinct decimals with at least six digits in the texts of a query."""
    found = con.execute(
        f"""SELECT DISTINCT unnest(regexp_extract_all(text, '\\d+\\.\\d+')) AS number
        FROM ({query}) AS q(text)"""
    ).fetchall()
    return {n for (n,) in found if len(n.replace(".", "").strip("0")) >= 6 and not _is_ratio(n)}


def _is_ratio(number: str) -> bool:
    """Whether a number is specific: 5/13 occurs anywhere, fractions of large numbers do not."""
    near = Fraction(number).limit_denominator(1000)
    return abs(float(near) - float(number)) < 1e-12
