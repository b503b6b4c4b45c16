"""A public release as a data set repository on the Hub, in one commit.

Nothing is sent unless asked for; a release that is there already, whole, is not committed again.
The Hub makes Croissant and the viewer from the Parquet by itself.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from flows.settings import Settings
from warehouse.releases.manifest import MANIFEST, Manifest, ReleaseError, parse_manifest
from warehouse.releases.metadata.card import card
from warehouse.storage.files import file_sha256

log = logging.getLogger("observatory.hub_release")

CARD = "README.md"
KEPT = {".gitattributes", CARD}  # the Hub's own, and the card: in no manifest


@dataclass(frozen=True)
class Change:
    """What a commit would do, or did: paths by kind, and the commit itself once it was made."""

    repo: str
    release_id: str
    is_new: bool
    adds: tuple[str, ...]
    deletes: tuple[str, ...]
    bytes: int
    commit: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the repository holds this release already."""
        return not (self.adds or self.deletes)


def publish_to_hub(
    settings: Settings, repo: str, folder: Path, manifest: Manifest, *, really: bool
) -> Change:
    """Makes the repository equal to a staged release. Without `really` only says how.

    Raises ReleaseError for an internal release, without HF_TOKEN, and for what the Hub refuses.
    """
    if manifest.audience != "public":
        raise ReleaseError(
            f"release {manifest.release_id} is {manifest.audience}: only a public one may go to "
            "the Hub, for it leaves out what a license does not let us share"
        )
    token = os.environ.get("HF_TOKEN")
    if really and not token:
        raise ReleaseError("HF_TOKEN is not set: the Hub takes commits with a token only")
    api = HfApi(endpoint=settings.hub_url, token=token or False)
    (folder / CARD).write_text(card(manifest), encoding="utf-8", newline="\n")
    try:
        head, there = _there(api, repo)
        change = _change(api, repo, folder, manifest, there)
        if change.is_empty or not really:
            return change
        return _commit(api, change, folder, head)
    except HfHubHTTPError as error:
        raise ReleaseError(_refused(repo, error)) from error


def _there(api: HfApi, repo: str) -> tuple[str | None, dict[str, RepoFile]]:
    """The newest commit of the repository and its files; nothing where it does not exist yet."""
    try:
        head = api.repo_info(repo, repo_type="dataset").sha
        found = api.list_repo_tree(repo, repo_type="dataset", revision=head, recursive=True)
        return head, {f.path: f for f in found if isinstance(f, RepoFile)}
    except RepositoryNotFoundError:
        return None, {}


def _change(
    api: HfApi, repo: str, folder: Path, manifest: Manifest, there: dict[str, RepoFile]
) -> Change:
    staged = {CARD, MANIFEST, *(o.path for o in manifest.objects)}
    if _holds(api, repo, manifest.release_id, there) and not _differs(folder / CARD, there[CARD]):
        return Change(repo, manifest.release_id, False, (), (), 0)
    adds = sorted(p for p in staged if p not in there or _differs(folder / p, there[p]))
    size = sum((folder / p).stat().st_size for p in adds)
    deletes = sorted(set(there) - staged - KEPT)
    return Change(repo, manifest.release_id, not there, tuple(adds), tuple(deletes), size)


def _holds(api: HfApi, repo: str, release_id: str, there: dict[str, RepoFile]) -> bool:
    """Whether this release is there, whole, by the manifest there: a DuckDB file made again
    differs in a random number, and that alone is no news."""
    if MANIFEST not in there or CARD not in there:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        path = api.hf_hub_download(repo, MANIFEST, repo_type="dataset", local_dir=scratch)
        try:
            held = parse_manifest(Path(path).read_bytes(), f"{repo}/{MANIFEST}")
        except ReleaseError as error:
            log.warning("%s; writing it anew", error)
            return False
    listed = {o.path: o for o in held.objects}
    return (
        held.release_id == release_id
        and set(listed) == set(there) - KEPT - {MANIFEST}
        and all(_has_bytes(there[p], o.bytes, o.sha256) for p, o in listed.items())
    )


def _has_bytes(file: RepoFile, size: int, sha256: str) -> bool:
    """By digest where the Hub keeps the file in LFS; of a small text it tells size alone."""
    return file.lfs.sha256 == sha256 if file.lfs else file.size == size


def _differs(path: Path, there: RepoFile) -> bool:
    if there.lfs:
        return there.lfs.sha256 != file_sha256(path)
    data = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)  # git's own name
    return there.blob_id != blob.hexdigest()


def _commit(api: HfApi, change: Change, folder: Path, head: str | None) -> Change:
    if change.is_new:
        api.create_repo(change.repo, repo_type="dataset", private=False, exist_ok=True)
    adds = [CommitOperationAdd(p, folder / p) for p in change.adds]
    deletes = [CommitOperationDelete(p) for p in change.deletes]
    done = api.create_commit(
        change.repo,
        [*adds, *deletes],
        repo_type="dataset",
        commit_message=f"Release {change.release_id}",
        parent_commit=head,  # of two publishers at once the second is told, and nothing is mixed
    )
    log.info("%s: commit %s", change.repo, done.oid)
    return Change(**{**vars(change), "commit": done.oid})


def _refused(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    advice = {
        401: "HF_TOKEN is not valid",
        403: "the token of HF_TOKEN may not write there; give it write access to the namespace",
        412: "another commit came in between; run again",
        429: "the Hub's rate limit is reached; run again later",
    }
    message = error.server_message or str(error).splitlines()[0]
    return f"{repo}: the Hub refused with HTTP {status} ({message}); " + advice.get(
        status, "nothing was committed; run again"
    )
