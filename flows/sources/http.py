"""Speaking HTTP to the sources: retries, time limits, and errors that say what to do."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import http_backoff  # type: ignore[attr-defined]  # lazy re-export

from warehouse.archive import without_query_secrets

# What the zip reader says of bytes that are cut, flipped, encrypted or packed in an odd way.
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


class SourceError(RuntimeError):
    """A source did not give what we need. Says which source, what, where and what to do."""

    def __init__(
        self, source: str, what: str, where: str, do: str, *, is_transient: bool = False
    ) -> None:
        text = f"{source}: {what}\n  where: {where}\n  what to do: {do}"
        super().__init__(without_query_secrets(text))
        self.source = source
        self.is_transient = is_transient  # asking again in a minute may help


def get(
    source: str,
    url: str,
    *,
    timeout: float,
    headers: dict[str, str] | None = None,
    absent_ok: bool = False,
) -> httpx2.Response:
    """GET with the Hub client's backoff (429 honouring RateLimit and Retry-After, 5xx, resets).

    Returns 200 and 304 answers, and 404 where `absent_ok`. Raises SourceError otherwise.
    """
    try:
        answer = http_backoff("GET", url, headers=headers or {}, timeout=timeout)
    except (httpx2.HTTPError, HfHubHTTPError, OSError) as error:
        raise SourceError(
            source,
            f"no answer after retries ({type(error).__name__}: {error})",
            url,
            "check the network and the source's status, then run again: what was kept stays",
            is_transient=True,
        ) from error
    if answer.status_code in (200, 304) or (absent_ok and answer.status_code == 404):
        return answer
    raise SourceError(
        source, f"HTTP {answer.status_code}", url, _advice(answer.status_code, answer)
    )


def open_zip(data: bytes) -> zipfile.ZipFile:
    """A zip that is sound as a whole; raises one of DAMAGED_ZIP.

    The zip reader by itself passes over members that a damaged directory does not list.
    """
    bundle = zipfile.ZipFile(io.BytesIO(data))
    end = data.rfind(b"PK\5\6") + 10
    promised = int.from_bytes(data[end : end + 2], "little")
    if promised not in (len(bundle.infolist()), 0xFFFF):  # 0xFFFF: more than fits here
        raise zipfile.BadZipFile(f"lists {len(bundle.infolist())} of {promised} files")
    if damaged := bundle.testzip():
        raise zipfile.BadZipFile(f"{damaged} is damaged")
    return bundle


def _advice(status: int, answer: httpx2.Response) -> str:
    if status in (401, 403):
        return "the source wants a token or refuses this one: set HF_TOKEN, or drop the source"
    if status == 404:
        return "the address has moved: compare the source card with the producer's page"
    code = answer.headers.get("x-error-code") or answer.text[:200]
    return f"the source says: {code!r}"
