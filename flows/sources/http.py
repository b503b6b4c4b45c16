"""HTTP requests to the sources: retries, time limits, and errors that say what to do."""

from __future__ import annotations

import logging
import os
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from huggingface_hub import close_session, get_session
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # lazy

import flows.sources.session  # noqa: F401  sets the session that `get_session` returns
from flows.credentials import HUB
from flows.settings import Settings
from flows.sources.reachability import (
    CONNECT_SECONDS,
    is_failing,
    is_given_up,
    is_lost,
    record_answer,
    record_failure,
)
from warehouse.archive.draft import Draft
from warehouse.contracts.source import cards
from warehouse.storage.redact import redact

TRIES = 6
MAX_WAIT = 900  # s: three windows of the Hub's quota; longer waits fail this run
RETRY_STATUSES = (408, 429, 500, 502, 503, 504)
CONNECTION_ERRORS = (
    httpx2.TimeoutException,
    httpx2.NetworkError,
    httpx2.RemoteProtocolError,
    httpx2.DecodingError,
)

# The largest response known, an edition of the AI Index, has some 40 MB.
MAX_BYTES = 512 << 20  # of a response, decoded
MAX_RATIO, FREE_BYTES = 500, 8 << 20  # a decoded body above 8 MiB, to what was sent

log = logging.getLogger("observatory.http")


class TooLargeError(ValueError):
    """A response that exceeds the limits; the message names them."""


class SourceError(RuntimeError):
    """A source could not be read. Says which source, what happened, where, and what to do."""

    def __init__(
        self,
        source: str,
        what: str,
        where: str,
        do: str,
        *,
        is_transient: bool = False,
        is_unreachable: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(redact(f"{source}: {what}\n  where: {where}\n  what to do: {do}"))
        self.source, self.what = source, redact(what)
        self.is_transient = is_transient  # a retry after a minute may succeed
        self.is_unreachable = is_unreachable  # no connection came about
        self.status = status  # of the response, if there was one


def damaged_response(
    draft: Draft, name: str, data: bytes, url: str, what: str, do: str
) -> SourceError:
    """Quarantines a damaged response. Returns the error that says what is wrong with it."""
    stored = draft.quarantine(name, data)
    return SourceError(
        draft.source, f"{draft.day} {what}", f"{url} (response stored as {stored})", do
    )


def get(
    source: str,
    url: str,
    settings: Settings,
    *,
    headers: dict[str, str] | None = None,
    absent_ok: bool = False,
    variable: str | None = None,
    deadline: float | None = None,
    timeout_factor: float = 1,
) -> httpx2.Response:
    """GET with retries: after a 429 when the source says, after 5xx and broken connections later.

    Sends the token of the source's card. Waits double with each try; none exceeds `deadline`
    (monotonic clock) or MAX_WAIT. Returns 200 and 304 responses, and 404 if `absent_ok`. Raises
    SourceError, naming the `variable` of the token (default: the card's, else HF_TOKEN).
    """
    headers = _authorization(source, url) | (headers or {})
    variable = variable or _token_variable(source) or HUB
    timeout = settings.http_timeout_seconds * timeout_factor
    for attempt in range(1, TRIES + 1):
        try:
            response, outcome = _request(url, headers, timeout)
        except (UnicodeEncodeError, TooLargeError) as error:
            raise _unusable(source, url, error, variable) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _retries_failed(source, url, _about(error), None, variable, None) from error
        if response is not None and response.status_code not in RETRY_STATUSES:
            break
        wait = _wait(response, attempt, settings.http_first_wait_seconds)
        too_long = wait > MAX_WAIT or (deadline and time.monotonic() + wait > deadline)
        if attempt == TRIES or too_long or (response is None and is_given_up(url)):
            requested = wait if too_long else None
            raise _retries_failed(source, url, outcome, response, variable, requested)
        log.warning("%s: %s; retry in %.3g s (try %s/%s)", source, outcome, wait, attempt, TRIES)
        time.sleep(wait)
    assert response is not None
    if (status := response.status_code) in (200, 304) or (absent_ok and status == 404):
        return response
    raise SourceError(source, f"HTTP {status}", url, _advice(response, variable), status=status)


def _token_variable(source: str) -> str | None:
    """The variable of the token that the source's card names."""
    terms = cards().get(source)
    return terms.token.variable if terms and terms.token else None


def _authorization(source: str, url: str) -> dict[str, str]:
    """The header with the token of the source's card. Raises SourceError if it is required."""
    variable = _token_variable(source)
    token = os.environ.get(variable, "").strip() if variable else ""
    if variable and not token and cards()[source].required_token:
        do = f"set {variable}, or leave the source out"
        raise SourceError(source, "the source requires a token", url, do)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _about(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _unusable(
    source: str, url: str, error: UnicodeEncodeError | TooLargeError, variable: str
) -> SourceError:
    """The error for a token that cannot be sent, or a response beyond the limits."""
    if isinstance(error, TooLargeError):
        return SourceError(source, str(error), url, "check the address and the server")
    return SourceError(
        source,
        f"the token has the character {error.object[error.start]!a}, which no token has",
        url,
        f"set {variable} again, or log in to Hugging Face again if it is not set",
    )


def _request(
    url: str, headers: dict[str, str], timeout: float
) -> tuple[httpx2.Response | None, str]:
    """One request: the response if one came, and a short description of the outcome."""
    if is_lost(url):
        return None, "no connection a moment ago"
    limits, began = httpx2.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)), time.monotonic()
    try:
        with get_session().stream("GET", url, headers=headers, timeout=limits) as received:
            response = _bounded(received)
    except CONNECTION_ERRORS as error:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            record_failure(url, time.monotonic() - began)
        if isinstance(error, httpx2.ConnectError):
            close_session()  # else the pool may reuse a dead connection
        return None, _about(error)
    record_answer(url)
    return response, f"HTTP {response.status_code}"


def _bounded(received: httpx2.Response) -> httpx2.Response:
    """The response with its body, decoded piece by piece. Raises TooLargeError at the limit."""
    body = bytearray()
    for piece in received.iter_bytes():
        body += piece
        sent = max(received.num_bytes_downloaded, 1)
        if len(body) > MAX_BYTES or (len(body) > FREE_BYTES and len(body) > MAX_RATIO * sent):
            raise TooLargeError(
                f"the response has more than {len(body):,} bytes, sent as {sent:,}; the limits are "
                f"{MAX_BYTES:,} bytes and {MAX_RATIO} times what is sent"
            )
    gone = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(k, v) for k, v in received.headers.multi_items() if k.lower() not in gone]
    return httpx2.Response(
        received.status_code, headers=headers, content=bytes(body), request=received.request
    )


def _wait(response: httpx2.Response | None, attempt: int, first_wait: float) -> float:
    requested = _requested_wait(response)
    return first_wait * min(2 ** (attempt - 1), 8) if requested is None else requested + first_wait


def _requested_wait(response: httpx2.Response | None) -> float | None:
    """Seconds to wait by the response: RateLimit of a 429, else Retry-After (s or a date)."""
    if response is None:
        return None
    quota = parse_ratelimit_headers(response.headers) if response.status_code == 429 else None
    if quota is not None and quota.remaining == 0:
        return float(quota.reset_in_seconds)
    after = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", after):
        return float(after)
    try:
        return max((parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds(), 0)
    except (TypeError, ValueError):  # absent, or in an unknown form
        return None


def _retries_failed(
    source: str,
    url: str,
    outcome: str,
    response: httpx2.Response | None,
    variable: str,
    wait: float | None,
) -> SourceError:
    requested = f"; the source requires another {wait:.0f} s" if wait is not None else ""
    return SourceError(
        source,
        f"no response after retries ({outcome}){requested}",
        url,
        _quota_advice(response, variable)
        or "check the network and the source's status, then run again; stored files are reused",
        is_transient=True,
        is_unreachable=response is None and is_failing(url),
        status=response.status_code if response is not None else None,
    )


def without_secrets(url: str) -> str:
    """An address without the parameters that carry a secret: only headers hold our credentials."""
    address, question, query = url.partition("?")
    pairs = [p for p in query.split("&") if redact(f"?{p}") == f"?{p}"]
    return address + (question + "&".join(pairs) if pairs else "")


def _advice(response: httpx2.Response, variable: str) -> str:
    if advice := _quota_advice(response, variable):
        return advice
    if response.status_code in (401, 403):
        return f"authentication failed: set {variable} to a valid token, or leave the source out"
    if response.status_code == 404:
        return "the address has moved: compare the source card with the producer's page"
    code = response.headers.get("x-error-code") or response.text
    return f"the source says: {redact(code)[:200]!r}"  # a part of a secret is not recognized


def _quota_advice(response: httpx2.Response | None, variable: str) -> str | None:
    """What to do if the source says, as GitHub does, that its quota is used up; else None."""
    if response is None or response.headers.get("x-ratelimit-remaining") != "0":
        return None
    return (
        f"the quota is used up until {_clock(response.headers.get('x-ratelimit-reset'))}: run "
        f"again then (stored files are reused), or set {variable} for a larger quota"
    )


def _clock(seconds: str | None) -> str:
    """A time given in seconds since 1970, in readable form."""
    if seconds is None or not re.fullmatch(r"\d{1,11}", seconds):
        return "an unknown time"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M UTC")
