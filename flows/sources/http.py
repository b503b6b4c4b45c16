"""Speaking HTTP to the sources: retries, time limits, and errors that say what to do."""

from __future__ import annotations

import io
import lzma
import re
import zipfile
import zlib
from datetime import UTC, datetime

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import http_backoff  # type: ignore[attr-defined]  # lazy re-export

from warehouse.archive import without_query_secrets

# What the zip reader says of bytes that are cut, flipped, encrypted or packed in an odd way.
DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


class SourceError(RuntimeError):
    """A source did not give what we need. Says which source, what, where and what to do."""

    def __init__(
        self,
        source: str,
        what: str,
        where: str,
        do: str,
        *,
        is_transient: bool = False,
        status: int | None = None,
    ) -> None:
        text = f"{source}: {what}\n  where: {where}\n  what to do: {do}"
        super().__init__(without_query_secrets(text))
        self.source = source
        self.is_transient = is_transient  # asking again in a minute may help
        self.status = status  # of the answer, where there was one


def get(
    source: str,
    url: str,
    *,
    timeout: float,
    headers: dict[str, str] | None = None,
    absent_ok: bool = False,
    variable: str = "HF_TOKEN",
) -> httpx2.Response:
    """GET with the Hub client's backoff (429 honouring RateLimit and Retry-After, 5xx, resets).

    Returns 200 and 304 answers, and 404 where `absent_ok`. Raises SourceError otherwise; it names
    the `variable` where the source's token belongs.
    """
    try:
        answer = http_backoff("GET", url, headers=headers or {}, timeout=timeout)
    except (httpx2.HTTPError, HfHubHTTPError, OSError) as error:
        raise SourceError(
            source,
            f"no answer after retries ({type(error).__name__}: {error})",
            url,
            _quota(getattr(error, "response", None), variable)
            or "check the network and the source's status, then run again: what was kept stays",
            is_transient=True,
        ) from error
    if answer.status_code in (200, 304) or (absent_ok and answer.status_code == 404):
        return answer
    status = answer.status_code
    advice = _advice(status, answer, variable)
    raise SourceError(source, f"HTTP {status}", url, advice, status=status)


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


def _advice(status: int, answer: httpx2.Response, variable: str) -> str:
    if told := _quota(answer, variable):
        return told
    if status in (401, 403):
        return f"the source wants a token or refuses this one: set {variable}, or drop the source"
    if status == 404:
        return "the address has moved: compare the source card with the producer's page"
    code = answer.headers.get("x-error-code") or answer.text[:200]
    return f"the source says: {code!r}"


def _quota(answer: httpx2.Response | None, variable: str) -> str | None:
    """What to do where a source says, as GitHub does, that its quota is used up; else None."""
    if answer is None or answer.headers.get("x-ratelimit-remaining") != "0":
        return None
    return (
        f"the quota is used up until {_clock(answer.headers.get('x-ratelimit-reset'))}: run "
        f"again then, what was kept stays, or set {variable} for a larger one"
    )


def _clock(seconds: str | None) -> str:
    """A moment given in seconds since 1970, as people read it."""
    if seconds is None or not re.fullmatch(r"\d{1,11}", seconds):
        return "a moment that the source does not say"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")
