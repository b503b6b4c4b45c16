"""The CSV reader, used both when a file arrives and when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.sources.epoch import FILES, MODELS, parse_tables, read_table
from flows.sources.formats.csv_file import DamagedCsvError, read_csv, utf8
from tests.support.frames import PROPERTY
from warehouse.archive.archive import Archive
from warehouse.archive.draft import open_draft
from warehouse.archive.record_locator import locate
from warehouse.contracts.table import contract
from warehouse.database import duckdb_file

HEADER = "Model,Organization,Publication date,Parameters,Link,Country (of organization)"
A, B = "a,OpenAI,2024-05-13,7,x,US", 'b,"Ali\nbaba",2024-05-14,,"y, ""z""",China'
NAME = "notable_ai_models.csv"


def records(data: bytes) -> list[list[str]]:
    return [cells for _, cells in read_table(data, contract(MODELS)).records]


SOUND = [
    ["a", "OpenAI", "2024-05-13", "7", "x", "US"],
    ["b", "Ali\nbaba", "2024-05-14", "", 'y, "z"', "China"],
]
WIDE = HEADER.replace(",", " ,\u00a0")
QUOTED = '"' + HEADER.replace(",", '","') + '"'
READ = {
    "LF": f"{HEADER}\n{A}\n{B}\n",
    "a mix": f"{HEADER}\n{A}\r\n{B}\n",
    "another mix": f"{HEADER}\r\n{A}\n{B}\r\n",
    "CR": f"{HEADER}\r{A}\r{B}\r",
    "a mark of byte order": f"\ufeff{HEADER}\n{A}\n{B}\n",
    "two of them": f"\ufeff\ufeff{HEADER}\n{A}\n{B}\n",
    "a blank last line": f"{HEADER}\n{A}\n{B}\n\n",
    "many": f"{HEADER}\n{A}\n{B}\n\r\n\n\n",
    "blank lines between": f"{HEADER}\n\n{A}\n\n{B}\n",
    "a line of blanks": f"{HEADER}\n{A}\n{B}\n \t\u00a0\n",
    "a line of delimiters": f"{HEADER}\n{A}\n,,,,,\n{B}\n , ,,,,\n",
    "delimiters at the end of lines": f"{HEADER},\n{A},\n{B},\n",
    "names with blanks": f"{WIDE}\n{A}\n{B}\n",
    "names in quotes": f"{QUOTED}\n{A}\n{B}\n",
}


@pytest.mark.parametrize("form", READ)
def test_every_way_of_ending_lines_gives_the_same_records(form: str) -> None:
    assert records(READ[form].encode()) == SOUND


REFUSED = {
    "no delimiter": ("Model\na\n", "columns missing"),
    "another delimiter": (f"{HEADER}\n{A}\n".replace(",", ";"), "columns missing"),
    "a blank first line": (f"\n{HEADER}\n{A}\n", "line 1: is blank"),
    "nothing": ("", "line 1: is blank"),
    "a header alone": (f"{HEADER}\n", "no record"),
    "blank records": (f"{HEADER}\n\n,,,,,\n", "no record"),
    "a record too short": (f"{HEADER}\n{A}\nb,c\n", "line 3: 2 cells, but the header has 6"),
    "a record too long": (f"{HEADER}\n{A},\n{B}\n", "line 2: 7 cells, but the header has 6"),
    "a cut record": (f"{HEADER}\n{A}\n{A[:-1]}", "ends in the middle of a line"),
    "a cut in quotes": (f'{HEADER}\n{A}\n"b\n', "line 3: unexpected end of data"),
    "text behind quotes": (f'{HEADER}\n{A}\n"b"c,d,e,f,g,h\n', "line 3"),
    "a NUL": (f"{HEADER}\n{A}\nb\0,c,d,e,f,g\n", "line 3: contains a NUL byte"),
    "a column twice": (f"{HEADER},Link\n{A},z\n", "repeated ['Link']"),
    "a column twice but for blanks": (f"{HEADER},Link \n{A},z\n", "repeated ['Link']"),
    "text under no name": (f"{HEADER},\n{A},z\n", "column 7 has no name"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_damaged_files_are_rejected_with_the_line(fault: str) -> None:
    text, message = REFUSED[fault]
    with pytest.raises(DamagedCsvError) as refused:
        records(text.encode())
    assert message in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252"])
def test_other_encodings_are_rejected(encoding: str) -> None:
    with pytest.raises(DamagedCsvError, match="is not UTF-8"):
        records(f"{HEADER}\n{A.replace('a,', 'é,')}\n".encode(encoding))


def test_long_cells_are_read() -> None:
    assert (
        records(f"{HEADER}\n{A.replace('x', 'x' * 3_000_000)}\n".encode())[0][4] == "x" * 3_000_000
    )


@pytest.mark.parametrize("form", READ)
def test_a_record_is_found_in_its_file_by_its_line_number(form: str) -> None:
    data = READ[form].encode()
    for number, cells in read_table(data, contract(MODELS)).records:
        place = locate(NAME, data, number)
        assert data[place.start : place.end].decode().strip().startswith(cells[0])


# ---- encoded twice -------------------------------------------------------------------------------

NAMES = """Université Grenoble Alpes|Xi’an Jiaotong University|Türkiye|北京大学|Mila – Québec
São Paulo|Łódź|सारांश|🤗""".replace("\n", "|").split("|")
PLAIN = ["Université", "naïve façade", "SÃO PAULO", "Ünal", "5 µm ± 2 °C", "« Là »", "Ð", "â€", "Å"]


def spoilt(text: str, encoding: str) -> str:
    """The text as a program writes it that takes its UTF-8 for another encoding."""
    if encoding == "latin-1":
        return text.encode().decode("latin-1")
    return "".join(  # as browsers and spreadsheets do: what Windows-1252 lacks stays as it is
        bytes([b]).decode("cp1252", "ignore") or chr(b) for b in text.encode()
    )


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("name", NAMES)
def test_names_encoded_twice_or_more_are_repaired_and_noted(name: str, encoding: str) -> None:
    once = spoilt(name, encoding)
    for text in (once, spoilt(once, encoding)):
        held = read_table(f"{HEADER}\n{A.replace('OpenAI', text)}\n".encode(), contract(MODELS))
        assert held.records[0][1][1] == name
        assert held.notes == [f"texts encoded twice: 1; {text[:60]!r} is read as {name[:60]!r}"]


@pytest.mark.parametrize("name", [*NAMES, *PLAIN])
def test_sound_names_are_unchanged(name: str) -> None:
    held = read_csv(f"n\n{name}\n")
    assert (held.records, held.notes) == ([(1, [name])], [])


def test_lost_characters_are_noted() -> None:
    assert read_csv("n,m\nUniversit\ufffd,x\n").notes == [
        "cells with U+FFFD (the producer lost characters): 1"
    ]


@PROPERTY
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_any_text_is_read_or_rejected(text: str) -> None:
    try:
        held = read_csv(utf8(text.encode()))
    except DamagedCsvError:
        return
    assert all(len(cells) == len(held.header) for _, cells in held.records)


# ---- cells and records ---------------------------------------------------------------------------


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    opened = duckdb_file.create(tmp_path / "w.duckdb")
    yield opened
    opened.close()


def load(con: duckdb.DuckDBPyConnection, archive: Path, name: str, text: str) -> None:
    held = Archive(archive)
    with open_draft(held, "epoch", date(2026, 8, 15)) as draft:
        draft.add_file(name, text.encode(), url="u", retrieved_at=datetime(2026, 8, 15, tzinfo=UTC))
        about = dict.fromkeys(("producer", "url", "citation", "license", "redistribution"), "x")
        parse_tables(con, held, draft.seal(**about))


UNUSABLE = [
    (NAME, "Parameters", "1,760,000,000,000", "cell"),
    (NAME, "Parameters", "1.76T", "cell"),
    (NAME, "Training compute (FLOP)", "~3e25", "cell"),
    (NAME, "Training time (hours)", "12 h", "cell"),
    (NAME, "Training compute cost (2023 USD)", "$1,000", "cell"),
    (NAME, "Publication date", "12/11/24", "record"),
    (NAME, "Publication date", "2024-05-13 00:00:00", "record"),
    (NAME, "Publication date", "13.5.2024", "record"),
    ("epoch_capabilities_index.csv", "ECI Score", "155,5", "cell"),
    ("epoch_capabilities_index.csv", "Training compute (FLOP)", "inf", "cell"),
    ("epoch_capabilities_index.csv", "Release date", "5/13/24", "record"),
    ("model_versions.csv", "Version release date", "45425", "record"),
]


@pytest.mark.parametrize(("name", "column", "text", "kind"), UNUSABLE)
def test_an_unusable_cell_is_null_and_rejects_the_record_only_if_essential(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, column: str, text: str, kind: str
) -> None:
    table = contract(FILES[name][1])
    ours = next(n for n, c in table.columns.items() if column in c.source_names)
    others = [
        c.source_names[0] for c in table.columns.values() if c.source_names and not c.optional
    ]
    header = [c for c in others if c != column] + [column]
    blank = "," * (len(header) - 1)
    load(con, tmp_path / "archive", name, f'{",".join(header)}\nx{blank}"{text}"\ny{blank}\n')
    quarantine = "SELECT table_name, file_name, line, kind, column_name, reason FROM raw.quarantine"
    reason = f"{ours}: expected {table.columns[ours].written}"
    named = ours if kind == "cell" else None
    assert con.execute(quarantine).fetchall() == [(table.table, name, 1, kind, named, reason)]
    ((record,),) = con.execute("SELECT record FROM raw.quarantine").fetchall()
    assert (record == text) == (kind == "cell") and text in record
    kept = con.execute(f"SELECT line, {ours} FROM {table.sql_name} ORDER BY line").fetchall()
    assert kept == [(1, None), (2, None)][kind == "record" :]


def test_blanks_around_dates_and_numbers_are_ignored(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    line = "a\u200b,\u00a0OpenAI,\u20092024-05-13\ufeff,7\u00a0,x,US"
    load(con, tmp_path / "archive", NAME, f"{HEADER}\n{line}\n")
    query = f"SELECT model_name_epoch, organization, publication_date, parameters FROM {MODELS}"
    assert con.execute(query).fetchall() == [("a", "OpenAI", date(2024, 5, 13), 7.0)]
