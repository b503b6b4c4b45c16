"""Publishes a public release as a dataset repository on the Hugging Face Hub, in one commit.

A release that the repository already has is not committed again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

import flows.sources.session  # noqa: F401  sends the token to the Hub of the settings only
from flows.settings import Settings
from warehouse.releases.manifest import MANIFEST, Manifest, ReleaseError, parse_manifest
from warehouse.releases.metadata.card import card
from warehouse.storage.files import file_sha256, git_blob_id
from warehouse.storage.redact import redact
from warehouse.storage.scratch import scratch_folder

log = logging.getLogger("observatory.publish_to_huggingface")

CARD = "README.md"
# Of the HTTP client, the Hub's client, and its library for large files.
NO_ANSWER = (
    *(httpx2.HTTPError, httpx2.InvalidURL, ConnectionError, TimeoutError),
    LocalEntryNotFoundError,
)
UNLISTED = {".gitattributes", CARD}  # not in the manifest: the Hub's own file, and the card


@dataclass(frozen=True)
class Change:
    """What a commit would do or did; `commit` is its id once it was made."""

    repo: str
    release_id: str
    is_new: bool
    adds: tuple[str, ...]
    deletes: tuple[str, ...]
    bytes: int
    commit: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the repository has this release already."""
        return not (self.adds or self.deletes)


def publish_to_hub(
    settings: Settings, repo: str, folder: Path, manifest: Manifest, *, commit: bool
) -> Change:
    """Makes the repository equal to a staged release; without `commit` it is a dry run.

    Raises ReleaseError for an internal release, without HF_TOKEN, and if the Hub returns an error.
    """
    if manifest.audience != "public":
        raise ReleaseError(
            f"release {manifest.release_id} is {manifest.audience}; only a public release, which "
            "leaves out what licenses do not allow to share, can be published on the Hub"
        )
    token = os.environ.get("HF_TOKEN")
    if commit and not token:
        raise ReleaseError("HF_TOKEN is not set; set it to a token with write access")
    api = HfApi(endpoint=settings.hub_url, token=token or False)
    (folder / CARD).write_text(card(manifest, repo), encoding="utf-8", newline="\n")
    with _errors_explained(settings.hub_url, repo):
        head, stored = _stored_files(api, repo)
        change = _change(api, repo, folder, manifest, stored)
        if change.is_empty or not commit:
            return change
        return _commit(api, change, folder, head)


@contextmanager
def _errors_explained(hub: str, repo: str) -> Iterator[None]:
    """Turns what huggingface_hub and its HTTP client raise into a ReleaseError."""
    try:
        yield
    except HfHubHTTPError as error:
        raise ReleaseError(_refused(repo, error)) from error
    except OfflineModeIsEnabled as error:
        raise ReleaseError(
            f"{hub}: offline mode is on; unset HF_HUB_OFFLINE and run again"
        ) from error
    except NO_ANSWER as error:
        raise ReleaseError(
            f"{hub} cannot be reached ({_brief(error)}); check the network connection and run again"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise ReleaseError(
            f"{hub}: not a response of the Hub ({_brief(error)}); check OBSERVATORY_HUB_URL, "
            "HF_ENDPOINT and proxies"
        ) from error


def _brief(error: Exception) -> str:
    """Kind and first line of an error, without secrets."""
    first = str(error).strip().splitlines()[:1]
    return redact(": ".join([type(error).__name__, *first]))


def _stored_files(api: HfApi, repo: str) -> tuple[str | None, dict[str, RepoFile]]:
    """The newest commit of the repository and its files; none if it does not exist yet."""
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
    held = _held(api, repo, there)
    if held and manifest.is_sample and not held.is_sample:
        raise ReleaseError(
            f"{repo} has release {held.release_id} of real observations, and this one is of the "
            "sample; nothing was committed: use another repository"
        )
    if held and held.as_of > manifest.as_of:
        raise ReleaseError(
            f"{repo} has release {held.release_id} of {held.as_of}, which is later than "
            f"{manifest.as_of}; nothing was committed: check the clock, or revert the commit there"
        )
    same = _holds(held, manifest.release_id, there) and not _differs(folder / CARD, there[CARD])
    if same:
        return Change(repo, manifest.release_id, False, (), (), 0)
    adds = sorted(p for p in staged if p not in there or _differs(folder / p, there[p]))
    size = sum((folder / p).stat().st_size for p in adds)
    named = {o.path for o in held.objects} if held else set()  # other files are not ours
    deletes = sorted((set(there) & named) - staged - UNLISTED)
    return Change(repo, manifest.release_id, not there, tuple(adds), tuple(deletes), size)


def _held(api: HfApi, repo: str, there: dict[str, RepoFile]) -> Manifest | None:
    """The manifest in the repository; None if it has none that is valid."""
    if MANIFEST not in there:
        return None
    with scratch_folder("hub") as scratch:
        path = api.hf_hub_download(repo, MANIFEST, repo_type="dataset", local_dir=scratch)
        try:
            return parse_manifest(Path(path).read_bytes(), f"{repo}/{MANIFEST}")
        except ReleaseError as error:
            log.warning("%s; it is replaced", error)
            return None


def _holds(held: Manifest | None, release_id: str, there: dict[str, RepoFile]) -> bool:
    """Whether the repository has this complete release, by the manifest stored there.

    The staged files are not compared, since the DuckDB file differs from run to run.
    """
    if held is None or CARD not in there:
        return False
    return held.release_id == release_id and all(
        o.path in there and _has_bytes(there[o.path], o.bytes, o.sha256) for o in held.objects
    )


def _has_bytes(file: RepoFile, size: int, sha256: str) -> bool:
    """Compares digests for files in LFS; of small files the Hub lists only the size."""
    return file.lfs.sha256 == sha256 if file.lfs else file.size == size


def _differs(path: Path, there: RepoFile) -> bool:
    if there.lfs:
        return there.lfs.sha256 != file_sha256(path)
    return there.blob_id != git_blob_id(path.read_bytes())


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
        parent_commit=head,  # fails if another commit came first
    )
    log.info("%s: commit %s", change.repo, done.oid)
    return replace(change, commit=done.oid)


def _refused(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    advice = {
        401: "authentication failed: check HF_TOKEN",
        403: "the token in HF_TOKEN has no write access to this namespace; use one that has",
        412: "another commit was made in the meantime; run again",
        429: "the Hub's rate limit is reached; run again later",
    }
    message = error.server_message or str(error).splitlines()[0]
    return f"{repo}: the Hub returned HTTP {status} ({message}); " + advice.get(
        status, "nothing was committed; run again"
    )
