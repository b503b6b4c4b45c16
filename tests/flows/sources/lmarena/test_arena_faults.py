"""Damaged responses of the Space and the catalog are errors, and the source can recover."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.cli.exit_codes import exit_code
from flows.sources.http import SourceError
from flows.steps.observe import observe
from tests.conftest import DAY, settings_for
from tests.standin import Answer, Call, StandIn
from tests.support.arena import (
    CATALOG,
    SPACE,
)
from tests.support.source_faults import HTML, Fault, damaged, half
from warehouse.archive.archive import Archive

TABLE = f"{SPACE}/leaderboard_table_20250330.csv"
BOARD = f"{CATALOG}/2025-12-11/leaderboard-vision.json"
FAULTS = {
    "space: web page for the tree": Fault(
        "lmarena_space", "/tree/", lambda _: HTML, ("no usable response", "arena-leaderboard")
    ),
    "space: web page for a table": Fault(
        "lmarena_space", "/resolve/", lambda _: HTML, ("no usable response", "size")
    ),
    "space: other bytes on the way": Fault(
        "lmarena_space", "/resolve/", lambda b: b[:-9] + b"x" * 9, ("but the tree says",)
    ),
    "space: web page as a table": Fault(
        "lmarena_space",
        TABLE,
        lambda _: HTML,
        ("leaderboard_table_20250330.csv: line 1", "missing"),
    ),
    "space: cut on the way": Fault(
        "lmarena_space", "/resolve/", lambda b: b[:-9], ("no usable response",)
    ),
    "space: recorded file cut": Fault(
        "lmarena_space", TABLE, half, ("leaderboard_table_20250330.csv: line", "cells, but")
    ),
    "space: header twice": Fault(
        "lmarena_space",
        TABLE,
        lambda b: b.replace(b"MMLU,", b"Model,", 1),
        ("line 1", "repeated ['Model']"),
    ),
    "space: unknown column": Fault(
        "lmarena_space",
        TABLE,
        lambda b: b.replace(b"MMLU,", b"MMLU-Pro,", 1),
        ("line 1", "unknown in raw.arena_space_tables ['MMLU-Pro']"),
    ),
    "space: no record": Fault(
        "lmarena_space", TABLE, lambda b: b[: b.index(b"\n") + 1], ("has a header but no records",)
    ),
    "space: other encoding": Fault(
        "lmarena_space", TABLE, lambda b: b.decode().encode("utf-16"), ("byte 0 is not UTF-8",)
    ),
    "space: open quote": Fault(
        "lmarena_space", TABLE, lambda b: b + b'"a,b\n', ("the file seems incomplete",)
    ),
    "catalog: web page for the commits": Fault(
        "arena_catalog", "/commits?", lambda _: HTML, ("commits-1.json", "JSONDecodeError")
    ),
    "catalog: other JSON": Fault(
        "arena_catalog", "/commits?", lambda _: b'{"message": "hi"}', ("is not a list of commits",)
    ),
    "catalog: invalid commit id": Fault(
        "arena_catalog",
        "/commits?",
        lambda b: json.dumps([{**e, "sha": "../../etc"} for e in json.loads(b)]).encode(),
        ("is not the id of a commit",),
    ),
    "catalog: tree in part": Fault(
        "arena_catalog",
        "/git/trees/",
        lambda b: json.dumps(json.loads(b) | {"truncated": True}).encode(),
        ("tree.json", "the tree is incomplete"),
    ),
    "catalog: web page for a tree": Fault(
        "arena_catalog", "/git/trees/", lambda _: HTML, ("tree.json", "JSONDecodeError")
    ),
    "catalog: torn on the way": Fault(
        "arena_catalog", "/github/raw/", half, ("leaderboard-image.json", "but the tree says")
    ),
    "catalog: recorded file cut": Fault(
        "arena_catalog", BOARD, half, ("leaderboard-vision.json", "JSONDecodeError")
    ),
    "catalog: web page as a board": Fault(
        "arena_catalog", BOARD, lambda _: HTML, ("leaderboard-vision.json", "JSONDecodeError")
    ),
    "catalog: no board": Fault(
        "arena_catalog",
        BOARD,
        lambda _: b'{"full": 7}',
        ("the category 'full' has 7 instead of models",),
    ),
    "catalog: a list": Fault("arena_catalog", BOARD, lambda _: b"[]", ("is JSON but not a board",)),
    "catalog: half a character": Fault(
        "arena_catalog",
        BOARD,
        lambda _: b'{"full": {"\\ud800": {"rating": 1}}}',
        ("UnicodeEncodeError",),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_damaged_response_is_an_error_and_the_source_recovers(
    small: Path, tmp_path: Path, name: str
) -> None:
    fault = FAULTS[name]
    with (
        damaged(small, tmp_path / "damaged", fault) as server,
        pytest.raises(SourceError) as failed,
    ):
        observe(fault.source, settings_for(server, tmp_path), DAY)
    for text in (*fault.messages, f"{fault.source}: ", "where: http://127.0.0.1:", "what to do: "):
        assert text in str(failed.value)
    assert exit_code(failed.value) == 3
    archive = Archive(tmp_path / "archive")
    assert archive.snapshots() == []
    with StandIn(small) as server:
        sealed = observe(fault.source, settings_for(server, tmp_path), DAY).snapshot
    assert all(archive.is_sound(f) for f in sealed.files)
    assert len(sealed.files) == {"lmarena_space": 3, "arena_catalog": 6}[fault.source]


@pytest.mark.parametrize(
    ("source", "address"), [("lmarena_space", "/api/spaces/"), ("arena_catalog", "/github/")]
)
def test_a_repository_that_moved_is_an_error(
    small: Path, tmp_path: Path, source: str, address: str
) -> None:
    class Gone(StandIn):
        def answer(self, call: Call) -> Answer:
            if address in call.target:
                return Answer(404, b'{"message":"Not Found"}', {"X-Error-Code": "RepoNotFound"})
            return super().answer(call)

    with Gone(small) as server, pytest.raises(SourceError) as failed:
        observe(source, settings_for(server, tmp_path), DAY)
    assert "404" in str(failed.value)
    assert "moved" in str(failed.value)
    assert not failed.value.is_transient


def test_an_empty_space_or_catalog_is_an_error(small: Path, tmp_path: Path) -> None:
    for path in small.rglob("leaderboard*"):
        path.rename(path.with_name(f"other-{path.name}"))
    with StandIn(small) as server:
        settings = settings_for(server, tmp_path)
        for source, message in (("lmarena_space", "YYYYMMDD.csv"), ("arena_catalog", "no commit")):
            with pytest.raises(SourceError, match=message):
                observe(source, settings, DAY)
