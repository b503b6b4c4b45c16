"""Files of a Hugging Face repository at one commit, checked against the digests in its tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx2
from huggingface_hub.errors import HfHubHTTPError

from flows.sources.formats.damage import describe, is_damage
from flows.sources.http import SourceError
from flows.sources.reachability import is_lost
from warehouse.storage.files import git_blob_id, sha256
from warehouse.storage.scratch import scratch_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile


def hub_api(endpoint: str) -> HfApi:
    """The client of the Hub. It takes long to import, and what only parses does not need it."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    return HfApi(endpoint=endpoint)


@dataclass(frozen=True)
class Repository:
    """One repository at one commit. Call its methods inside `translate_errors`."""

    api: HfApi
    repo: str
    kind: Literal["dataset", "space"]
    commit: str

    @classmethod
    def newest(cls, api: HfApi, repo: str, kind: Literal["dataset", "space"]) -> Repository:
        """The repository at its newest commit."""
        return cls(api, repo, kind, str(api.repo_info(repo, repo_type=kind).sha))

    def files(self) -> list[RepoFile]:
        """Every file of the tree, by path."""
        from huggingface_hub.hf_api import RepoFile  # noqa: PLC0415

        tree = self.api.list_repo_tree(
            self.repo, recursive=True, revision=self.commit, repo_type=self.kind
        )
        return sorted((f for f in tree if isinstance(f, RepoFile)), key=lambda f: f.path)

    def url(self, path: str) -> str:
        """Address of a file at this commit."""
        return f"{self.api.endpoint}/{self.kind}s/{self.repo}/resolve/{self.commit}/{path}"

    def download(self, path: str) -> bytes:
        """The bytes of a file, unchecked."""
        with scratch_folder("download") as cache:
            downloaded = self.api.hf_hub_download(
                self.repo, path, revision=self.commit, repo_type=self.kind, cache_dir=cache
            )
            return Path(downloaded).read_bytes()


@contextmanager
def translate_errors(source: str, day: date, address: str) -> Iterator[None]:
    """Turns what huggingface_hub raises for a bad response into a SourceError."""
    if is_lost(address):
        raise SourceError(
            source,
            "no connection a moment ago",
            address,
            "check the network, then run again",
            is_transient=True,
            is_unreachable=True,
        )
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        if not (isinstance(error, httpx2.HTTPError | OSError) or is_damage(error)):
            raise
        raise SourceError(
            source,
            f"{day} no usable response ({type(error).__name__}: {describe(error)})",
            address,
            "check the network and whether the repository has moved, then run again",
            is_transient=_is_transient(error),
            is_unreachable=isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout),
        ) from error


def _is_transient(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, (httpx2.HTTPError, OSError))


def tree_digest(file: RepoFile) -> str:
    """The digest that the tree gives for a file: sha256, or git's blob id for a small file."""
    return file.lfs.sha256 if file.lfs else str(file.blob_id)


def digest_mismatch(data: bytes, digest: str) -> str | None:
    """Describes how bytes differ from a tree's digest (sha256 or blob id); None if they match."""
    name, actual = ("sha256", sha256(data)) if len(digest) == 64 else ("blob id", git_blob_id(data))
    if actual == digest:
        return None
    return f"has {name} {actual[:12]}… but the tree says {digest[:12]}…"
