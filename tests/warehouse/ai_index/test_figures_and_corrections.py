"""The map of figures, and the guards of corrections."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from warehouse.ai_index.corrections import (
    CorrectionError,
    Csv,
    ai_index_corrections,
    read_corrections,
)
from warehouse.ai_index.figures import Figure, figures

SOUND = {
    "edition": 2026,
    "figure": "1.1.1",
    "header": ["Models", "Area", "Year"],
    "values": {"Models": "notable_models"},
    "subject": "Area",
    "subject_kind": "area",
    "period": "Year",
    "unit": "models",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": {"Modells": "notable_models"}}, "no column"),
        ({"subject": "area"}, "no column"),
        ({"fixed_period": "2025"}, "give exactly one of period"),
        ({"period": None}, "give exactly one of period"),
        ({"period_form": "years"}, "period_form"),
        ({"subject": None}, "subject_kind must be none"),
        ({"subject_kind": "none"}, "subject_kind must be none"),
        ({"value_form": "text"}, "value_form"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_inconsistent_figure_is_an_error(change: dict[str, Any], message: str) -> None:
    assert [row["value_index"] for row in Figure.model_validate(SOUND).rows()] == [0]
    with pytest.raises(ValueError, match=message):
        Figure.model_validate(SOUND | change)


def test_blocked_figures_are_not_mapped() -> None:
    mapped = {(f.edition, f.figure) for f in figures()}
    blocked = {(c.edition, f) for c in ai_index_corrections() for f in c.blocks}
    assert blocked and not mapped & blocked
    assert len(mapped) == len(figures())
    spelt = {value for f in figures() for value in f.values.values()}
    assert all(re.fullmatch(r"[a-z_]+", name) for name in spelt)


HERE = Csv(["Country", "Status"], [["France", "a"], ["Korea", "b"], ["France", "c"]], "utf-8")
SAME = Csv(list(HERE.header), [list(r) for r in HERE.records], "mac_roman")
OTHER = Csv(["Country", "Status"], [["France", "a"]], "utf-8")
FILES = {"fig_1.csv": HERE, "fig_2.csv": SAME, "fig_3.csv": OTHER}


@pytest.mark.parametrize(
    ("guard", "other", "holds"),
    [
        ({"guard": "records", "present": [["France", "a"], ["Korea", "b"]]}, None, True),
        ({"guard": "records", "present": [["Korea", "a"]]}, None, False),
        ({"guard": "records", "present": [["France", "a"]], "absent": ["Japan"]}, None, True),
        ({"guard": "records", "present": [["France", "a"]], "absent": ["Korea"]}, None, False),
        ({"guard": "same_content"}, "fig_2.csv", True),
        ({"guard": "same_content"}, "fig_3.csv", False),
        ({"guard": "same_content"}, "fig_4.csv", None),
        ({"guard": "second_upload", "identical": True}, "fig_2.csv", True),
        ({"guard": "second_upload", "identical": True}, "fig_3.csv", False),
        ({"guard": "second_upload", "identical": False}, "fig_3.csv", True),
        ({"guard": "second_upload", "identical": False}, "fig_4.csv", False),
        ({"guard": "header", "header": ["Country", "Status"]}, None, True),
        ({"guard": "header", "header": ["Country"]}, None, False),
        ({"guard": "repeats", "column": "Country", "cells": ["France"]}, None, True),
        ({"guard": "repeats", "column": "Country", "cells": ["France", "Korea"]}, None, False),
        ({"guard": "repeats", "column": "Area", "cells": ["France"]}, None, False),
        ({"guard": "repeats", "cells": ["Country"]}, None, False),
        ({"guard": "encoding", "encoding": "utf-8"}, None, True),
        ({"guard": "encoding", "encoding": "mac_roman"}, None, False),
    ],
)
def test_guard_holds_while_the_file_has_the_fault(
    tmp_path: Path, guard: dict[str, Any], other: str | None, holds: bool | None
) -> None:
    about = {"id": "x", "edition": 2026, "file": "fig_1.csv", "other": other, "holds_while": guard}
    path = tmp_path / "corrections.yml"
    path.write_text(json.dumps([about | {"defect": "d", "rule": "r", "source": "s"}]))
    (correction,) = read_corrections(path)
    assert correction.still_holds(FILES) is holds
    assert correction.still_holds({}) is None


@pytest.mark.parametrize(
    "text",
    ["- 1", "a: [", "", '[{"id": "x"}]', "same twice", '[{"guard": "magic"}]'],
)
def test_invalid_corrections_are_an_error_with_the_file(tmp_path: Path, text: str) -> None:
    one = {"id": "x", "edition": 2026, "file": "f", "defect": "d", "rule": "r", "source": "s"}
    sound = one | {"holds_while": {"guard": "same_content"}}
    path = tmp_path / "corrections.yml"
    path.write_text(json.dumps([sound, sound]) if text == "same twice" else text)
    with pytest.raises(CorrectionError, match=re.escape(str(path))):
        read_corrections(path)
