"""`observatory trace`: it finds the exact source bytes, and the contributions add up."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli.app import app
from flows.tracing.contributions import SHARES, contributions
from flows.tracing.find_row import TracedRow
from transforms.plan import plan
from warehouse.archive.record_locator import LocateError, locate
from warehouse.code_version import ROOT
from warehouse.contracts.table import Contract, contracts
from warehouse.database.duckdb_file import create_tables, open_read_only

SHARE = "population=all metric=downloads_30d attribution=base credit=fractional country_code=CN"


@pytest.fixture(scope="session")
def folder(sampled: tuple[Path, str]) -> Path:
    """The sample's archive, warehouse and release."""
    return sampled[0]


def trace(folder: Path, words: str, *, code: int = 0, **places: Path | None) -> Any:
    """The JSON of `trace`; its output if it must fail."""
    chosen = {"warehouse": folder / "observatory.duckdb", "archive": folder / "archive"} | places
    options = [f"--{name}={path}" for name, path in chosen.items() if path]
    done = CliRunner().invoke(app, ["trace", *words.split(), *options, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if code == 0 else done.output


def bytes_of(record: dict[str, Any]) -> bytes:
    """The record's bytes, read from the archive with nothing but the trace."""
    data = Path(record["path"]).read_bytes()
    if record["path"].endswith(".zst"):
        data = zstandard.decompress(data)
    return data[record["start"] : record["end"]]


def records(found: dict[str, Any], table: str) -> list[dict[str, Any]]:
    return [r for r in found["records"] if r["table"] == table]


# --- down to the bytes -----------------------------------------------------------------------


def test_a_share_is_traced_to_the_items_of_the_listing(folder: Path) -> None:
    found = trace(folder, f"country_share_daily as_of_date=2026-08-15 {SHARE}")
    share = found["contributions"]
    assert share["agrees"]
    assert share["summed_anew"] == pytest.approx(found["columns"]["numerator"]["value"], rel=1e-12)
    value = {m["model_id_hf"]: m["value"] for m in share["largest"]}
    assert len(value) == 5
    items = [r for r in records(found, "raw.hub_models") if r["snapshot_id"] == "hub/2026-08-15"]
    assert {r["key"]["model_id_hf"] for r in items} == set(value)
    for record in items:
        item = json.loads(bytes_of(record))
        assert item["id"] == record["key"]["model_id_hf"]
        assert item["downloads"] == value[item["id"]]
    snapshot = next(s for s in found["snapshots"] if s["snapshot_id"] == "hub/2026-08-15")
    assert snapshot["is_traced"]
    assert found["is_this_code"]
    registry = records(found, "raw.registry_labs")
    assert registry
    assert all(bytes_of(r).decode().startswith(r["key"]["lab_id"]) for r in registry)


def test_a_rank_is_traced_to_the_row_of_the_board(folder: Path) -> None:
    found = trace(folder, "mart.arena_leaders board=text category=overall publish_date=2026-06-26"
                       " country_code=CN --limit=1")  # fmt: skip
    behind = {v["table"]: v for v in found["behind"]}
    best = behind["core.arena_ratings"]["rows"]
    assert best == found["columns"]["n_models"]["value"]
    (record,) = records(found, "raw.arena_leaderboards")
    row = pq.read_table(record["path"]).slice(record["record"] - 1, 1).to_pylist()[0]
    held = behind["raw.arena_leaderboards"]["first"][0]
    assert (row["model_name"], row["rating"]) == (held["model_name"], held["rating"])
    assert row["category"] == "overall"
    assert record["unit"].startswith("row group 0")
    assert record["start"] >= 4  # after the magic bytes


def test_a_count_is_traced_to_the_records_of_the_csv(folder: Path) -> None:
    found = trace(
        folder, "notable_models_by_country source=epoch year=2024 country_code=FR --limit=99"
    )
    behind = {v["table"]: v for v in found["behind"]}
    number = found["columns"]["n_models"]["value"]
    assert behind["core.notable_models"]["rows"] == number > 0
    found = records(found, "raw.epoch_models")
    assert len(found) == number
    for record in found:
        ((cells),) = list(csv.reader(io.StringIO(bytes_of(record).decode("utf-8"))))
        assert any("France" in cell for cell in cells)
    assert all(r["url"].startswith("https://") and len(r["sha256"]) == 64 for r in found)


def test_a_claim_is_traced_to_its_statement_in_the_code(folder: Path) -> None:
    found = trace(folder, "mart.claims claim_id=open-top5-four-cn moment=stated")
    for table in ("raw.claims", "raw.claim_trials"):
        for record in records(found, table):
            item = yaml.safe_load("  " + bytes_of(record).decode())
            assert item["id"] == "open-top5-four-cn"
            assert record["file"] == "warehouse/claims/statements/arena.yml"


def test_a_computed_raw_row_says_what_made_it(folder: Path) -> None:
    with open_read_only(folder / "observatory.duckdb") as con:
        query = "SELECT snapshot_id, model_id_hf FROM unpublished.raw.hub_counter_steps"
        ((snapshot, model),) = con.execute(f"{query} ORDER BY ALL LIMIT 1").fetchall()
    found = trace(folder, f"raw.hub_counter_steps snapshot_id={snapshot} model_id_hf={model}")
    (record,) = records(found, "raw.hub_counter_steps")
    assert record["note"] == (
        f"made by the history of the Hub's snapshots: the record of {model} in {snapshot}, "
        "compared with the previous snapshot (previous_date)"
    )


def test_every_mart_can_be_traced(folder: Path) -> None:
    with open_read_only(folder / "observatory.duckdb") as con:
        for contract in contracts().values():
            if contract.layer != "mart":
                continue
            keys = ", ".join(f'"{c}"::VARCHAR' for c in contract.key)
            rows = con.execute(f"SELECT {keys} FROM {contract.sql_name} LIMIT 1").fetchall()
            for row in rows:
                pairs = [f"{c}={v}" for c, v in zip(contract.key, row, strict=True)]
                options = ["--limit=1", f"--warehouse={folder / 'observatory.duckdb'}"]
                options.append(f"--archive={folder / 'archive'}")
                done = CliRunner().invoke(app, ["trace", contract.table, *pairs, *options])
                assert done.exit_code == 0, (contract.table, done.output)
                assert "Records" in done.stdout


def test_contributions_add_up_to_every_share(folder: Path) -> None:
    with open_read_only(folder / "observatory.duckdb") as con:
        for table, by in SHARES.items():
            sample = (
                f"FROM {table} SELECT rowid, * WHERE numerator > 0 "
                f"ORDER BY hash(population || metric || attribution || {by}) LIMIT 25"
            )
            cursor = con.execute(sample)
            names = [d[0] for d in cursor.description or ()]
            for rowid, *values in cursor.fetchall():
                row = dict(zip(names[1:], values, strict=True))
                found = contributions(con, TracedRow(contracts()[table], rowid, row), 1)
                assert found is not None
                assert found.total == pytest.approx(row["numerator"], rel=1e-9), row
                assert found.models == row["n_models"], row


# --- without the archive, from a release -----------------------------------------------------


def test_a_release_without_archive_is_traced_to_its_snapshots(folder: Path, tmp_path: Path) -> None:
    released = folder / "published" / "latest" / "observatory.duckdb"
    words = f"country_share_daily as_of_date=2026-08-15 {SHARE}"
    found = trace(folder, words, warehouse=released, archive=tmp_path / "nowhere")
    assert found["release"]["release_id"].startswith("2026-08-15-")
    assert found["contributions"]["agrees"]
    (record, *_) = records(found, "raw.hub_models")
    assert "no archive" in record["note"]
    assert {s["snapshot_id"] for s in found["snapshots"] if s["is_traced"]} == {"hub/2026-08-15"}
    assert all(len(s["sidecar_sha256"]) == 64 for s in found["snapshots"])
    with_bytes = trace(folder, words, warehouse=released)
    assert json.loads(bytes_of(records(with_bytes, "raw.hub_models")[0]))["downloads"] > 0


def test_damaged_bytes_are_not_shown(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "archive", tmp_path / "archive")
    for page in (tmp_path / "archive").rglob("*.zst"):
        page.write_bytes(page.read_bytes()[:-1] + b"x")
    words = f"country_share_daily as_of_date=2026-08-15 {SHARE}"
    found = trace(folder, words, archive=tmp_path / "archive")
    for record in records(found, "raw.hub_models"):
        assert "is damaged" in record["note"]
        assert (record["start"], record["text"]) == (None, None)


# --- arguments that do not select one row --------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("country_share_dayly", "country_share_daily"),
        (
            "country_share_daily colour=red",
            "has no column 'colour'; its key is as_of_date, population",
        ),
        ("country_share_daily China", "'China' is not a COLUMN=VALUE pair"),
        ("country_share_daily country_code=CN metric=likes", "without_spikes"),
        ("country_share_daily country_code=CN as_of_date=1999-01-01", "2026-08-15"),
        ("country_share_daily country_code=QQ metric=likes", "US"),
    ],
)
def test_an_ambiguous_selection_lists_the_values(folder: Path, words: str, message: str) -> None:
    assert message in trace(folder, words, code=2)


def test_a_value_is_never_run_as_sql(folder: Path) -> None:
    trace(folder, "country_share_daily country_code=x'--", code=2)


# --- the promises of the contracts -----------------------------------------------------------


def test_traces_are_valid_sql_on_their_tables() -> None:
    inputs = {s.table: set(s.inputs.values()) for s in plan()}
    with duckdb.connect() as con:
        create_tables(con)
        for contract in contracts().values():
            for table, condition in contract.traces.items():
                assert table in inputs[contract.table], (contract.table, table)
                given = contracts()[table].sql_name
                con.execute(
                    f"EXPLAIN SELECT * FROM {given} AS it JOIN {contract.sql_name} AS this "
                    f"ON {condition}"
                )


@pytest.mark.parametrize("contract", contracts().values(), ids=list(contracts()))
def test_every_raw_table_says_where_its_rows_come_from(contract: Contract) -> None:
    row = dict.fromkeys(contract.columns, "x")
    if contract.layer != "raw":
        assert contract.origin is contract.made_by is None
    elif origin := contract.origin:
        assert contract.made_by is None
        origin.file.format_map(row), (origin.member or "").format_map(row)
        assert {origin.record or contract.key[0], *origin.match.values()} <= set(row)
        assert not origin.is_code or list(ROOT.glob(origin.file))
    else:
        assert contract.made_by
        contract.made_by.format_map(row)


# --- records within files --------------------------------------------------------------------

cell = st.text(st.characters(blacklist_characters="\r\0", blacklist_categories=["Cs"]), max_size=8)


@given(
    st.lists(st.lists(cell, min_size=2, max_size=2), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(deadline=None)
def test_a_csv_record_is_found_whatever_it_holds(
    rows: list[list[str]], bom: bool, end: str
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows([["a", "b"], *rows])
    data = (b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode()
    at = data.index(end.encode()) + len(end)
    for number, row in enumerate(rows, start=1):
        place = locate("x.csv", data, number)
        assert place.start == at
        at = place.end
        read = list(csv.reader(io.StringIO(data[place.start : place.end].decode(), newline="")))
        assert read == [row]
    assert at == len(data)
    with pytest.raises(LocateError):
        locate("x.csv", data, len(rows) + 1)


@given(
    st.lists(st.dictionaries(st.sampled_from(["id", "n"]), st.text(max_size=8)), max_size=5),
    st.sampled_from([None, 1]),
    st.booleans(),
)
@settings(deadline=None)
def test_a_json_item_is_found_whatever_it_holds(
    items: list[dict[str, str]], indent: int | None, ascii_only: bool
) -> None:
    data = json.dumps({"strip": items}, indent=indent, ensure_ascii=ascii_only)
    try:
        received = data.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no JSON that anybody could send
    for number, item in enumerate(items, start=1):
        place = locate("x.json", received, number)
        assert json.loads(received[place.start : place.end]) == item
        if "id" in item:
            first = locate("x.json", received, None, {"id": item["id"]})
            assert json.loads(received[first.start : first.end])["id"] == item["id"]
    with pytest.raises(LocateError):
        locate("x.json", received, len(items) + 1)


def test_sql_in_the_file_names_the_snapshots(folder: Path) -> None:
    released = folder / "published" / "latest" / "observatory.duckdb"
    with duckdb.connect(str(released), read_only=True) as con:

        def named(question: str, source: str = "hub/") -> set[tuple[str, str]]:
            query = f"FROM meta.why({question}) SELECT snapshot_id, named_by"
            rows = con.execute(query).fetchall()
            return {(name, by) for name, by in rows if name and name.startswith(source)}

        day = "'mart.country_share_daily', 'as_of_date = ''2026-08-15'''"
        assert named(day) == {("hub/2026-08-15", "day")}
        assert ("lmarena/2026-06-26", "row") in named("'core.arena_ratings'", "lmarena/")
        assert ("lmarena/2026-06-26", "table") in named("'mart.arena_leaders'", "lmarena/")
        both = named("'mart.country_share_daily'")
        assert both == {("hub/2026-08-07", "day"), ("hub/2026-08-15", "day")}
        assert con.execute("FROM meta.why('mart.country_share_daily', 'false')").fetchall() == []


text = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12)


@given(st.lists(st.fixed_dictionaries({"id": text, "lines": st.lists(text)}), min_size=1))
@settings(deadline=None)
def test_a_yaml_record_is_found_whatever_it_holds(items: list[dict[str, Any]]) -> None:
    written = [yaml.safe_dump([item], allow_unicode=True) for item in items]
    data = "# above\n\n  # between\n".join(["", *written, ""]).encode()
    for number, item in enumerate(items, start=1):
        place = locate("x.yml", data, number)
        assert yaml.safe_load("  " + data[place.start : place.end].decode()) == item
        assert b"between" not in data[place.end - 9 : place.end] or "between" in str(item)
    with pytest.raises(LocateError):
        locate("x.yml", data, len(items) + 1)
