"""Every recorded vintage of Epoch's files, and the organizations behind its models."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.settings import Settings
from flows.sources.epoch import FILES, read_table
from flows.steps.build import load_raw
from flows.steps.observe import observe
from tests.conftest import settings_for
from tests.standin import StandIn
from tests.support.frames import PROPERTY, REVIEWED, Row, rows, shuffled, table_of
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.contracts.table import contract

DAY = date(2026, 8, 15)
NEXT_DAY, THIRD_DAY = DAY + timedelta(days=1), DAY + timedelta(days=2)
BENCHMARKS = "benchmark_data.zip"
# Recorded vintages: day -> file -> rows, columns of the header
RECORDED = {
    "2024-06-03": {"all_ai_models": (1337, 44)},
    "2024-07-06": {"notable_ai_models": (794, 40)},
    "2024-07-16": {"notable_ai_models": (825, 36), "large_scale_ai_models": (192, 28)},
    "2024-10-18": {"notable_ai_models": (867, 38)},
    "2024-12-24": {"notable_ai_models": (884, 41)},
    "2025-02-24": {"notable_ai_models": (895, 42)},
    "2025-04-08": {"notable_ai_models": (914, 42)},
    "2025-04-18": {"notable_ai_models": (924, 42)},
    "2025-04-23": {"all_ai_models": (2228, 43)},
    "2025-05-01": {"organizations": (1101, 5), "model_versions": (246, 8)},
    "2025-05-06": {
        "notable_ai_models": (954, 40),
        "organizations": (1105, 5),
        "model_versions": (260, 8),
    },
    "2025-05-17": {"notable_ai_models": (954, 40), "large_scale_ai_models": (311, 31)},
    "2025-07-01": {"notable_ai_models": (952, 42)},
    "2025-12-02": {
        "notable_ai_models": (952, 46),
        "large_scale_ai_models": (473, 34),
        "frontier_ai_models": (131, 96),
    },
    "2026-02-16": {"large_scale_ai_models": (485, 34)},
    "2026-02-22": {"epoch_capabilities_index": (513, 11)},
    "2026-03-09": {"epoch_capabilities_index": (583, 11)},
    "2026-05-02": {
        "notable_ai_models": (1011, 47),
        "large_scale_ai_models": (510, 34),
        "frontier_ai_models": (137, 61),
    },
}
TABLES = sorted({table for _, table in FILES.values()})


# ---- every vintage, every row ------------------------------------------------------------------


@pytest.fixture(scope="module")
def vintages(
    recordings: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The raw tables of an archive that holds every recorded file under its own day."""
    folder = tmp_path_factory.mktemp("vintages")
    archive = Archive(folder / "archive")
    for path in sorted((recordings / "epoch").iterdir()):
        lay_down(archive, path)
    load_raw(folder / "build", archive, archive.snapshots("epoch"))
    with duckdb.connect(str(folder / "build"), read_only=True) as con:
        yield con


def lay_down(archive: Archive, folder: Path) -> None:
    """One recorded day as a sealed snapshot, each file judged as on arrival."""
    with open_draft(archive, "epoch", date.fromisoformat(folder.name)) as draft:
        for file in sorted(folder.glob("*.csv")):
            data = file.read_bytes()
            rows = len(read_table(data, contract(FILES[file.name][1])).records)
            draft.add_file(file.name, data, url=f"https://epoch.ai/{file.name}", rows_seen=rows)
        draft.seal(producer="Epoch", url="", citation="", license="", redistribution="derived")


def test_every_recorded_vintage_is_on_the_list(recordings: Path) -> None:
    found = {
        path.name: {file.stem for file in path.glob("*.csv")}
        for path in (recordings / "epoch").iterdir()
    }
    assert found == {day: set(files) for day, files in RECORDED.items()}


@pytest.mark.parametrize("day", RECORDED)
def test_every_row_of_every_vintage_is_in_raw(
    vintages: duckdb.DuckDBPyConnection, day: str
) -> None:
    tables = " UNION ALL ".join(f"SELECT snapshot_id, file_name, line FROM {t}" for t in TABLES)
    found = vintages.execute(
        f"SELECT file_name, count(DISTINCT line), max(line) FROM ({tables}) "
        "WHERE snapshot_id = ? GROUP BY ALL",
        [f"epoch/{day}"],
    ).fetchall()
    refused = vintages.execute(
        "SELECT * FROM raw.quarantine WHERE snapshot_id = ?", [f"epoch/{day}"]
    ).fetchall()
    assert refused == []
    assert {name: (n, last) for name, n, last in found} == {
        name: (rows, rows) for name, (rows, _) in RECORDED[day].items()
    }


@pytest.mark.parametrize(
    ("day", "name"), [(day, name) for day, files in RECORDED.items() for name in files]
)
def test_every_cell_of_every_vintage_is_kept(
    vintages: duckdb.DuckDBPyConnection, recordings: Path, day: str, name: str
) -> None:
    """Each non-blank cell of the file is in a column of its own or in other_columns_json."""
    table = contract(FILES[f"{name}.csv"][1])
    with (recordings / "epoch" / day / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        header, *records = list(csv.reader(lines))
    assert len(header) == RECORDED[day][name][1]
    theirs = sum(bool(cell.strip(" \t\r\n")) for record in records for cell in record)
    columns = [c for c in list(table.columns)[4:] if c != "other_columns_json"]
    own = " + ".join(f"count({column})" for column in columns)
    ((ours,),) = vintages.execute(
        f"SELECT {own} + coalesce(sum(len(json_keys(other_columns_json))), 0) "
        f"FROM {table.sql_name} WHERE snapshot_id = ? AND file_name = ?",
        [f"epoch/{day}", name],
    ).fetchall()
    assert ours == theirs


def test_names_and_countries_are_found_under_every_header(
    vintages: duckdb.DuckDBPyConnection,
) -> None:
    """The name column was System, then Model; the country column moved too."""
    blank = vintages.execute(
        "SELECT snapshot_date, file_name FROM raw.epoch_models GROUP BY ALL "
        "HAVING count(model_name_epoch) < 0.99 * count(*) OR count(country_name) < 0.9 * count(*)"
    ).fetchall()
    assert blank == []


def test_a_release_date_in_the_future_is_kept(
    vintages: duckdb.DuckDBPyConnection,
) -> None:
    found = vintages.execute(
        "SELECT snapshot_date, version_release_date FROM raw.epoch_model_versions "
        "WHERE version_release_date > snapshot_date ORDER BY ALL"
    ).fetchall()
    assert (date(2025, 5, 1), date(2025, 12, 6)) in found


# ---- the benchmarking download -------------------------------------------------------------------


@pytest.fixture
def may_2025(recordings: Path, tmp_path: Path) -> Path:
    """Notable models, and a zip with organisations and model versions but no index."""
    folder = tmp_path / "recordings" / "epoch" / "2025-05-06"
    shutil.copytree(recordings / "epoch" / "2025-05-06", folder)
    return tmp_path / "recordings"


def asked(server: StandIn) -> list[tuple[str, int]]:
    """Addresses that did not give 404, in the order requested."""
    return [(r.path.split("/")[-1], r.status) for r in server.requests if r.status != 404]


def raw_of(settings: Settings) -> dict[str, int]:
    """Rows by table of everything archived."""
    build = settings.archive.parent / "build"
    archive = Archive(settings.archive)
    load_raw(build, archive, archive.snapshots("epoch"))
    with duckdb.connect(str(build), read_only=True) as con:
        return {
            t: n for t in TABLES for (n,) in con.execute(f"SELECT count(*) FROM {t}").fetchall()
        }


def test_one_download_gives_every_member_and_a_missing_one_is_noted(
    may_2025: Path, tmp_path: Path
) -> None:
    with StandIn(may_2025) as server:
        settings = settings_for(server, tmp_path)
        seen = observe("epoch", settings, DAY).snapshot
        assert asked(server) == [("notable_ai_models.csv", 200), (BENCHMARKS, 200)]
    assert [f.name for f in seen.files] == [
        "notable_ai_models.csv", "organizations.csv", "model_versions.csv",
    ]  # fmt: skip
    assert seen.rows_seen == 954 + 1105 + 260
    assert any(note.startswith("epoch_capabilities_index.csv is not off") for note in seen.notes)
    assert raw_of(settings) == {
        "raw.epoch_models": 954,
        "raw.epoch_organizations": 1105,
        "raw.epoch_model_versions": 260,
        "raw.epoch_capabilities": 0,
    }


def test_an_unchanged_zip_with_a_missing_member_is_not_sent_again(
    may_2025: Path, tmp_path: Path
) -> None:
    with StandIn(may_2025) as server:
        settings = settings_for(server, tmp_path)
        first = observe("epoch", settings, DAY).snapshot
        for day in (NEXT_DAY, THIRD_DAY):
            server.requests.clear()
            again = observe("epoch", settings, day).snapshot
            assert asked(server) == [("notable_ai_models.csv", 304), (BENCHMARKS, 304)]
            assert [f.path for f in again.files] == [f.path for f in first.files]
            assert again.notes == first.notes


def test_a_new_table_is_read_from_an_unchanged_zip(
    may_2025: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive from before the table was known must not wait until the zip changes."""
    with StandIn(may_2025) as server:
        settings = settings_for(server, tmp_path)
        with monkeypatch.context() as patched:
            patched.delitem(FILES, "model_versions.csv")
            observe("epoch", settings, DAY)
        server.requests.clear()
        seen = observe("epoch", settings, NEXT_DAY).snapshot
        assert asked(server) == [("notable_ai_models.csv", 304), (BENCHMARKS, 200)]
    assert "model_versions.csv" in [f.name for f in seen.files]


def test_a_member_added_to_the_zip_later_is_stored(may_2025: Path, tmp_path: Path) -> None:
    folder = may_2025 / "epoch" / "2025-05-06"
    versions = folder / "model_versions.csv"
    kept = versions.read_bytes()
    versions.unlink()
    with StandIn(may_2025) as server:
        settings = settings_for(server, tmp_path)
        first = observe("epoch", settings, DAY).snapshot
        assert "model_versions.csv" in " ".join(first.notes)
    versions.write_bytes(kept)
    with StandIn(may_2025) as server:
        settings = settings_for(server, tmp_path)
        assert "model_versions.csv" in [
            f.name for f in observe("epoch", settings, NEXT_DAY).snapshot.files
        ]


# ---- organisations, labs and owners --------------------------------------------------------------

OLD, NEW = date(1900, 1, 1), date(2024, 1, 1)


def reviewed(*given: tuple[str, str, str | None, date, date | None]) -> dict[str, pl.LazyFrame]:
    """Registry of labs (id, country, owner, from, to); each id is also a name in Epoch."""
    held = [
        {
            "lab_id": lab,
            "country_code": code,
            "parent_lab_id": owner,
            "valid_from": start,
            "valid_to": end,
        }
        for lab, code, owner, start, end in given
    ]
    names = [{"namespace": lab, "lab_id": lab} for lab in dict.fromkeys(lab for lab, *_ in given)]
    return {
        "raw_registry_labs": rows("raw.registry_labs", *held, lab_name="A lab", **REVIEWED),
        "raw_registry_namespaces": rows(
            "raw.registry_namespaces", *names, system="epoch", valid_from=OLD, **REVIEWED
        ),
    }


def records(*given: Row, **more: object) -> pl.LazyFrame:
    about = {
        "snapshot_id": f"epoch/{DAY}",
        "snapshot_date": DAY,
        "file_name": "notable_ai_models",
        "publication_date": date(2024, 5, 1),
        **more,
    }
    return rows("raw.epoch_models", *({"line": i, **r} for i, r in enumerate(given, 1)), **about)


def labs_of(raw: pl.LazyFrame, registry: dict[str, pl.LazyFrame]) -> list[Row]:
    made = table_of("core.notable_model_labs", raw_epoch_models=raw, **registry)
    return list(made.iter_rows(named=True))


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("NERSC, Lawrence Berkeley National Laboratory", 1),
        ("Google,NERSC, Lawrence Berkeley National Laboratory,Google", 3),
        ("A,B", 2),
        (" A ,B", 2),
        ("A,,B,", 2),
        (",", 0),
        (None, 0),
    ],
)
def test_a_list_is_split_only_at_commas_without_a_space(cell: str | None, names: int) -> None:
    made = labs_of(records({"organization": cell}), reviewed(("x", "US", None, OLD, None)))
    assert [row["position"] for row in made] == list(range(1, names + 1))
    assert {row["n_organizations"] for row in made} == ({names} if names else set())
    assert sum(float(row["weight"]) for row in made) == pytest.approx(1 if names else 0)
    assert all(row["organization"] == str(row["organization"]).strip() != "" for row in made)


def test_an_organization_has_lab_owner_and_countries_of_its_day() -> None:
    registry = reviewed(
        ("group", "US", None, OLD, None),
        ("house", "FR", "group", OLD, None),
        ("unit", "GB", None, OLD, NEW),
        ("unit", "CN", "house", NEW, None),
    )
    before = {"organization": "unit", "publication_date": date(2023, 12, 31)}
    after = {"organization": "Unit,nobody", "publication_date": NEW}
    undated = {"organization": "unit", "publication_date": None}
    found = [
        tuple(
            row[c]
            for c in (
                "line", "lab_id", "parent_lab_id", "top_lab_id", "country_code", "top_country_code",
            )
        )
        for row in labs_of(records(before, after, undated), registry)
    ]  # fmt: skip
    assert found == [
        (1, "unit", None, "unit", "GB", "GB"),
        (2, "unit", "house", "group", "CN", "US"),
        (2, None, None, None, "XX", "XX"),
        (3, "unit", "house", "group", "CN", "US"),
    ]


def test_circular_owners_give_no_headquarters() -> None:
    registry = reviewed(
        ("a", "US", "b", OLD, None), ("b", "CN", "a", OLD, None), ("c", "FR", "a", OLD, None)
    )
    (row,) = labs_of(records({"organization": "c"}), registry)
    assert (row["lab_id"], row["top_lab_id"], row["top_country_code"]) == ("c", None, "XX")


@pytest.mark.parametrize(
    ("countries", "agrees"),
    [
        ("China", True),
        ("France,China", True),
        ("France", False),
        (None, None),
    ],
)
def test_registry_and_epoch_are_compared_by_the_list_of_the_record(
    countries: str | None, agrees: bool | None
) -> None:
    registry = reviewed(("a", "CN", None, OLD, None))
    record = {"organization": "a,b", "country_name": countries}
    known, unknown = labs_of(records(record), registry)
    assert known["is_country_in_epoch"] is agrees
    assert unknown["is_country_in_epoch"] is None


NAME = st.sampled_from(["group", "house", "unit", "nobody", "A, B"])


@PROPERTY
@given(st.lists(st.lists(NAME, max_size=5), max_size=10), st.integers(0, 2**16))
def test_organizations_are_split_correctly_and_weights_sum_to_one(
    lists: list[list[str]], seed: int
) -> None:
    registry = reviewed(("group", "US", None, OLD, None), ("unit", "GB", "group", OLD, None))
    raw = records(*({"organization": ",".join(names) or None} for names in lists))
    made = labs_of(raw, registry)
    for line, names in enumerate(lists, 1):
        mine = [row for row in made if row["line"] == line]
        assert [row["organization"] for row in mine] == names
        assert sum(float(row["weight"]) for row in mine) == pytest.approx(int(bool(names)))
    assert labs_of(shuffled(raw, seed), registry) == made


# ---- by country, registry and Epoch side by side -------------------------------------------------


def test_models_are_counted_by_the_registry_beside_epochs_own_countries() -> None:
    registry = reviewed(
        ("group", "US", None, OLD, None),
        ("unit", "GB", "group", OLD, None),
    )
    raw = records(
        {"organization": "unit,group,group", "country_name": "United States of America"},
        {"organization": "unit,nobody", "country_name": "France"},
        {"organization": None, "country_name": "France"},
    )
    made = table_of("mart.notable_models_by_country", raw_epoch_models=raw, **registry)
    columns = ["source", "country_code", "n_models", "n_models_fractional"]
    assert made.select(columns).rows() == [
        ("epoch", "FR", 2, 2.0),
        ("epoch", "US", 1, 1.0),
        ("epoch_registry", "GB", 2, 1.0),
        ("epoch_registry", "US", 1, 0.5),
        ("epoch_registry", "XX", 2, 1.5),
    ]
