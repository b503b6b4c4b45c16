"""`run --sample` computes nothing if the same code has already published the same sample."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.cli.options import SAMPLE
from flows.settings import Settings
from flows.steps.reuse import already_published
from tests.conftest import DAY
from tests.support.command_line import call, files_in

WAREHOUSE, PLACE = Path("data/observatory.duckdb"), Path("data/published")


@pytest.fixture
def done(sampled: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the sample was published to the default places."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sampled[0], "data")
    Path("data/observatory.validation").rename("data/validation")
    return tmp_path


def reused(**changes: object) -> bool:
    day, audience = changes.pop("as_of", DAY), "internal"
    settings = Settings(archive=SAMPLE, **changes)  # type: ignore[arg-type]
    return bool(already_published(settings, day, audience))  # type: ignore[arg-type]


def test_a_second_run_reuses_the_release_and_starts_no_server(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(done / "prefect"))
    before = files_in(done / "data")
    ended = call("run", "--sample")
    assert ended.exit_code == 0, ended.output
    assert "was there already, reused" in ended.stdout
    assert "reproduced" in ended.stdout
    assert files_in(done / "data") == before
    assert not list(done.rglob("prefect.db"))


def test_a_missing_copy_is_restored(done: Path) -> None:
    copy = PLACE / "latest" / "mart.claims.parquet"
    before = copy.read_bytes()
    copy.unlink()
    assert reused()
    assert copy.read_bytes() == before


def _table(name: str) -> Path:
    return next((PLACE / "releases").iterdir()) / f"{name}.parquet"


def _damage() -> None:
    path = _table("mart.claims")
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def _other_code() -> None:
    with duckdb.connect(WAREHOUSE) as con:
        con.execute("UPDATE meta.build SET code_digest = 'another'")


def _older_columns() -> None:
    with duckdb.connect(WAREHOUSE) as con:
        con.execute("ALTER TABLE meta.build DROP COLUMN code_digest")


def _other_input() -> None:
    with duckdb.connect(WAREHOUSE) as con:
        con.execute("UPDATE meta.snapshots SET sidecar_sha256 = 'x' WHERE source = 'epoch'")


def _other_release() -> None:
    latest = PLACE / "latest.json"
    found = json.loads(latest.read_bytes())
    latest.write_text(json.dumps(found | {"manifest_sha256": "0" * 64}))


FAULTS: dict[str, Callable[[], object]] = {
    "a damaged table": _damage,
    "a missing table": lambda: _table("mart.claims").unlink(),
    "no warehouse": WAREHOUSE.unlink,
    "no unpublished tables": Path(f"{WAREHOUSE}.unpublished").unlink,
    "a build of other code": _other_code,
    "a build of an older version": _older_columns,
    "a build of another input": _other_input,
    "a changed manifest": _other_release,
    "no release": lambda: shutil.rmtree(PLACE),
    "no Data Docs": lambda: shutil.rmtree("data/validation"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_reused_if_something_is_missing_or_of_another_build(
    done: Path, fault: str
) -> None:
    assert reused()
    FAULTS[fault]()
    assert not reused()


def test_another_day_or_place_is_a_run_of_its_own(done: Path) -> None:
    assert reused()
    assert not reused(as_of=date(2026, 8, 16))
    assert not reused(publish_to=(str(PLACE), "elsewhere"))
