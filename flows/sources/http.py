"""Speaking HTTP to the sources: retries, time limits, and errors that say what to do."""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from huggingface_hub import close_session, get_session
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # lazy

from warehouse.storage.redact import redact

TRIES = 6
LONGEST_WAIT = 900  # s: three windows of the Hub's quota; who asks for more is asked another day
ASK_AGAIN = (408, 429, 500, 502, 503, 504)
BROKEN_LINE = (
    httpx2.TimeoutException,
    httpx2.NetworkError,
    httpx2.RemoteProtocolError,
    httpx2.DecodingError,
)

log = logging.getLogger("observatory.http")


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
        super().__init__(redact(text))
        self.source, self.what = source, redact(what)
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
    first_wait: float = 1,
    deadline: float | None = None,
) -> httpx2.Response:
    """GET with patience: 429 as long as the source says, 5xx and broken lines ever longer.

    `first_wait` (s) doubles from try to try; no wait goes beyond `deadline` (monotonic clock) or
    LONGEST_WAIT. Returns 200 and 304 answers, and 404 where `absent_ok`. Raises SourceError
    otherwise; it names the `variable` where the source's token belongs.
    """
    for tried in range(1, TRIES + 1):
        try:
            answer, said = _ask(url, headers or {}, timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            said = f"{type(error).__name__}: {error}"
            raise _gave_up(source, url, said, None, variable, None) from error
        if answer is not None and answer.status_code not in ASK_AGAIN:
            break
        wait = _told_to_wait(answer)
        wait = first_wait * min(2 ** (tried - 1), 8) if wait is None else wait + first_wait
        too_long = wait > LONGEST_WAIT or (deadline and time.monotonic() + wait > deadline)
        if tried == TRIES or too_long:
            raise _gave_up(source, url, said, answer, variable, wait if too_long else None)
        log.warning("%s: %s; asking again in %.3g s (%d of %d)", source, said, wait, tried, TRIES)
        time.sleep(wait)
    assert answer is not None
    if answer.status_code in (200, 304) or (absent_ok and answer.status_code == 404):
        return answer
    status = answer.status_code
    advice = _advice(status, answer, variable)
    raise SourceError(source, f"HTTP {status}", url, advice, status=status)


def _ask(url: str, headers: dict[str, str], timeout: float) -> tuple[httpx2.Response | None, str]:
    """One request: the answer if one came, and what there is to say of it."""
    try:
        answer = get_session().request("GET", url, headers=headers, timeout=timeout)
    except BROKEN_LINE as error:
        if isinstance(error, httpx2.ConnectError):
            close_session()  # else the pool may hold on to a line that is dead
        return None, f"{type(error).__name__}: {error}"
    return answer, f"HTTP {answer.status_code}"


def _told_to_wait(answer: httpx2.Response | None) -> float | None:
    """Seconds that a source asks for: RateLimit of a 429, else Retry-After (seconds or a date)."""
    if answer is None:
        return None
    quota = parse_ratelimit_headers(answer.headers) if answer.status_code == 429 else None
    if quota is not None and quota.remaining == 0:
        return float(quota.reset_in_seconds)
    after = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", after):
        return float(after)
    try:
        return max((parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds(), 0)
    except (TypeError, ValueError):  # absent, or in no form that we know
        return None


def _gave_up(
    source: str,
    url: str,
    said: str,
    answer: httpx2.Response | None,
    variable: str,
    wait: float | None,
) -> SourceError:
    told = f"; it asks to wait {wait:.0f} s more" if wait is not None else ""
    return SourceError(
        source,
        f"no answer after retries ({said}){told}",
        url,
        _quota(answer, variable)
        or "check the network and the source's status, then run again: what was kept stays",
        is_transient=True,
        status=answer.status_code if answer is not None else None,
    )


def without_secrets(url: str) -> str:
    """An address without the parameters that carry a secret: we sign requests by header alone."""
    address, question, query = url.partition("?")
    pairs = [p for p in query.split("&") if redact(f"?{p}") == f"?{p}"]
    return address + (question + "&".join(pairs) if pairs else "")


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
