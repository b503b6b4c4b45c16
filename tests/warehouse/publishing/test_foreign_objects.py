"""Publishing and cleaning up delete only what they wrote; latest does not move back by itself."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from flows.cli.exit_codes import exit_code
from flows.steps.publish import Allowed, check_places, publish_to
from tests.support.foreign import (
    assert_foreign_copies_are_not_replaced,
    assert_foreign_objects_stay,
)
from tests.support.releases import AS_OF, build_warehouse
from tests.support.s3_places import carry, reader_sees
from tests.warehouse.releases.test_release import stage
from warehouse.publishing.pointer import read_pointer
from warehouse.publishing.retention import clean
from warehouse.releases.manifest import Manifest, ReleaseError
from warehouse.storage.local import LocalStorage

Staged = tuple[Path, Manifest]
LATER = AS_OF + timedelta(days=1)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Staged, Staged]:
    """A release, and one of the next day."""
    folder = tmp_path_factory.mktemp("staged")
    made = []
    for number, day in enumerate((AS_OF, LATER)):
        database = build_warehouse(folder / f"{number}.duckdb", models=50 + number)
        made.append((folder / str(number), stage(database, folder / str(number), as_of=day)))
    return made[0], made[1]


@pytest.fixture(params=["folder", "link"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> LocalStorage:
    root = tmp_path / "published"
    if request.param == "link":
        (tmp_path / "disk").mkdir()
        root.symlink_to(tmp_path / "disk")
    return LocalStorage(root)


def test_objects_of_others_stay(
    storage: LocalStorage, pair: tuple[Staged, Staged], tmp_path: Path
) -> None:
    assert_foreign_objects_stay(storage, *pair, tmp_path)


def test_objects_of_others_are_not_replaced(
    storage: LocalStorage, pair: tuple[Staged, Staged], tmp_path: Path
) -> None:
    assert_foreign_copies_are_not_replaced(storage, pair[0], tmp_path)
    with pytest.raises(ReleaseError, match="was not published by this program"):
        (storage.root / "latest").mkdir(exist_ok=True)
        (storage.root / "latest" / "manifest.json").write_text("theirs")
        check_places([storage.url], AS_OF, "internal")


def test_partial_files_of_others_stay(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    names = ["movie.mkv.part", ".movie.mkv.part", "releases/.x.0a1b2c3d4e5f.part"]
    ours = "releases/2026-08-15-aaaaaaaaaaaa/.x.parquet.0a1b2c3d4e5f.part"
    for name in (*names, ours):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [u.key for u in clean(storage, grace=timedelta(0)).uploads] == [ours]
    assert all((tmp_path / name).exists() for name in names)


def test_latest_moves_to_an_earlier_day_only_if_that_is_allowed(
    pair: tuple[Staged, Staged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = LocalStorage(tmp_path / "published")
    carry(storage, *pair[1], tmp_path / "back")
    earlier, later = pair[0][1], pair[1][1]
    for refused in (
        lambda: check_places([storage.url], AS_OF, "internal"),
        lambda: publish_to(storage.url, *pair[0]),
    ):
        with pytest.raises(ReleaseError, match="releases rollback") as caught:
            refused()
        assert exit_code(caught.value) == 6
        assert "\n" not in str(caught.value)
    assert reader_sees(storage) == later.release_id
    assert not storage.keys(f"releases/{earlier.release_id}/")
    check_places([storage.url], LATER, "internal")  # the same day
    check_places([storage.url], AS_OF, "internal", Allowed(older=True))
    monkeypatch.setattr("flows.steps.publish.verify_published", lambda *_: None)
    publish_to(storage.url, *pair[0], Allowed(shrink=True, older=True))
    pointer = read_pointer(storage)
    assert pointer is not None
    assert pointer.release_id == earlier.release_id


def test_a_place_that_does_not_answer_does_not_stop_a_build(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_places([str(tmp_path / "file" / "published")], date(2026, 8, 15), "internal")
