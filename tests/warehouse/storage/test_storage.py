"""A folder as storage: complete objects, valid keys, readable errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from warehouse.storage.files import atomic_writer
from warehouse.storage.local import LocalStorage
from warehouse.storage.open import open_storage
from warehouse.storage.protocol import MissingObjectError, StorageError, check_key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        ".hidden",
        "a/.x.part",
        "a\\b",
        "a\0b",
        "ü",
    ],
)
def test_invalid_keys_fail(key: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="invalid storage key"):
        LocalStorage(tmp_path).put_bytes(key, b"x")
    assert list(tmp_path.iterdir()) == []


def test_ordinary_keys_are_valid() -> None:
    key = "releases/2026-08-15-0123456789ab/mart.country_share_daily.parquet"
    assert check_key(key) == key


def test_objects_round_trip(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "out"))
    assert storage.put_bytes("a/b.json", b"one")
    (tmp_path / "local").write_bytes(b"four")
    storage.put_file("a/c", tmp_path / "local")
    storage.copy("a/c", "d")
    storage.download("d", tmp_path / "back")
    assert storage.get_bytes("a/b.json") == b"one"
    assert (tmp_path / "back").read_bytes() == b"four"
    assert storage.size("a/c") == 4
    assert storage.keys() == ["a/b.json", "a/c", "d"]
    assert storage.keys("a/") == storage.keys("a") == ["a/b.json", "a/c"]
    assert storage.keys("nothing/") == []
    storage.delete("d")
    storage.delete("d")
    assert storage.size("d") is None
    assert storage.size("d") is None


def test_if_absent_does_not_replace_an_object(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    assert storage.put_bytes("k", b"first", if_absent=True)
    assert not storage.put_bytes("k", b"second", if_absent=True)
    assert storage.get_bytes("k") == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["k"]


def test_if_absent_works_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links on this file system")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    test_if_absent_does_not_replace_an_object(tmp_path)


def test_a_failed_write_keeps_the_old_object(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_writer(path) as stream:
        stream.write(b"new, but half")
        raise RuntimeError("power cut")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_partial_files_of_a_killed_process_are_not_objects(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / ".manifest.json.0a1b2c.part").write_bytes(b"half")
    assert LocalStorage(tmp_path).keys("latest/") == []


def test_the_error_names_a_missing_object(tmp_path: Path) -> None:
    with pytest.raises(MissingObjectError, match=r"a/b\.json: no such object"):
        LocalStorage(tmp_path).get_bytes("a/b.json")


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latest").write_bytes(b"")
    with pytest.raises(StorageError, match="latest/x: "):
        LocalStorage(tmp_path).put_bytes("latest/x", b"")


def test_addresses(tmp_path: Path) -> None:
    assert open_storage(f"file://{tmp_path}/a%20b").url == f"{tmp_path}/a b"
    assert open_storage(str(tmp_path)).url == str(tmp_path)


@pytest.mark.parametrize(
    "url", ["gs://bucket", "https://user:hunter2@host/x", "file://host/x", "", "s3://Bad_Bucket/x"]
)
def test_unsupported_addresses_fail(url: str) -> None:
    with pytest.raises(StorageError) as told:
        open_storage(url)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "s3:/bucket",
            "s3:bucket/x",
            "s3//bucket",
            "S3:/bucket",
            " s3:/bucket",
            "file:/x",
            "gs:/x",
        ),
        *("s3;//bucket", "s3a:/bucket", "https:/host/x", "oss:/x", "s3:\\\\bucket"),
    ],
)
def test_a_misspelled_address_is_not_a_folder(url: str) -> None:
    with pytest.raises(StorageError, match="is neither a folder nor an address"):
        open_storage(url)


def test_spaces_around_an_address_do_not_make_it_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert open_storage(" s3://bucket/x ").url == "s3://bucket/x"
    assert open_storage(f" file://{tmp_path} ").url == open_storage(str(tmp_path)).url


def test_errors_do_not_repeat_passwords_of_addresses() -> None:
    with pytest.raises(StorageError) as told:
        open_storage("s3://key:hunter2@bucket/x")
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("error", [StorageError("a", "b", "c"), MissingObjectError("a")])
def test_storage_errors_can_be_pickled(error: StorageError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
