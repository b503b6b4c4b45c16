"""Damaged inputs: the same rows, explained differences or a refusal by name, never a traceback."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from flows.cli.options import SAMPLE
from flows.sources.parse import parse_snapshot
from tests.fuzz.corpus import Input, inputs
from tests.fuzz.judge import Judge, Loaded
from tests.fuzz.mutations import damaged

SEED = 2026


def violations(archive: Path, folder: Path, numbers: range) -> Iterator[str]:
    """Mutants that led to what is not allowed: number, file, damage and what happened."""
    judge, found = Judge(parse_snapshot, folder), inputs(archive)
    sound: dict[str, Loaded] = {each.source: judge.load(each) for each in found}
    for number in numbers:
        rng, each = Random(f"{SEED}-{number}"), found[number % len(found)]
        name = rng.choice(sorted(each.files))
        damage = damaged(rng, name, each.files[name])
        judged = judge.judge(each, name, damage, sound[each.source])
        if judged.violation:
            yield f"{number} {each.source} {name} {damage.how:.100}: {judged.violation}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_mutant_is_read_quarantined_or_refused_by_name(tmp_path: Path) -> None:
    assert list(violations(SAMPLE, tmp_path / "mutants", range(300))) == []


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(7200)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_thousands_of_mutants_of_the_sample(tmp_path: Path) -> None:
    assert list(violations(SAMPLE, tmp_path / "mutants", range(300, 6000))) == []


def test_a_column_that_moves_within_a_file_of_epoch_changes_no_row(tmp_path: Path) -> None:
    judge = Judge(parse_snapshot, tmp_path / "moved")
    (sound,) = (each for each in inputs(SAMPLE) if each.source == "epoch")
    before = judge.load(sound).rows
    for name, data in sound.files.items():
        for column in (0, 3, 9):
            rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
            text = io.StringIO()
            csv.writer(text).writerows(
                [*row[:column], *row[column + 1 :], row[column]] for row in rows
            )
            assert judge.load(sound.with_file(name, text.getvalue().encode())).rows == before


def test_an_undamaged_input_loads_every_record(tmp_path: Path) -> None:
    judge = Judge(parse_snapshot, tmp_path / "sound")
    sources: list[Input] = inputs(SAMPLE)
    assert len(sources) == 12
    assert all(judge.load(each).total and not judge.load(each).records for each in sources)
