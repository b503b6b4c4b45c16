"""The Prefect server that a registration is for, and why it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import prefect
from packaging.version import Version
from prefect.client.base import ServerType
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from warehouse.storage.redact import redact


class RegisterError(RuntimeError):
    """The registration failed."""

    exit_code = 1


class ServerError(RegisterError):
    """There is no server that can be used."""

    exit_code = 2


@contextmanager
def server() -> Iterator[SyncPrefectClient]:
    """A client of the server at PREFECT_API_URL, after it answered. Raises ServerError."""
    if not (url := (PREFECT_API_URL.value() or "").strip()):
        raise ServerError(
            "PREFECT_API_URL is not set, so there is no server to register with; "
            "set it, for example to http://127.0.0.1:4200/api"
        )
    with get_client(sync_client=True) as client:
        if client.server_type != ServerType.CLOUD:
            _check_version(_version(client, redact(url)), redact(url))
        yield client


def _version(client: SyncPrefectClient, url: str) -> str:
    try:
        return client.api_version()
    except PrefectHTTPStatusError as error:
        status = error.response.status_code
        todo = "set PREFECT_API_AUTH_STRING to the server's user:password"
        if status != httpx.codes.UNAUTHORIZED:
            todo = "check PREFECT_API_URL; it ends with /api"
        raise ServerError(f"the Prefect server at {url} answered HTTP {status}; {todo}") from error
    except (httpx.HTTPError, ValueError) as error:
        raise ServerError(
            f"no Prefect server answers at {url} ({type(error).__name__}); "
            "start it, or correct PREFECT_API_URL"
        ) from error


def _check_version(theirs: str, url: str) -> None:
    """An older server ignores or refuses what a newer client sends."""
    ours = Version(prefect.__version__)
    if Version(theirs).release[:2] < ours.release[:2]:
        raise ServerError(
            f"the Prefect server at {url} has version {theirs}, older than {ours} here; "
            f"upgrade the server first: pip install prefect=={ours}"
        )
