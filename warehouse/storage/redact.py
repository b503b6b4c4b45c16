"""Removes secrets from addresses and texts: by their form, and those that are known by value."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable
from typing import Any

# The second form is a password with a slash that should have been percent-encoded.
_USER = re.compile(r"(?<=://)(?:[^/?#\s]*@|[^/?#\s:]+:(?!\d+(?:[/?#]|$))[^\s@]*@)")
_SECRET = re.compile(
    r"(?i)([?&](?:key|sig|auth|authorization|pwd|pass|code|policy|jwt|sas|session|x-amz-[^=&\s]*"
    r"|[^=&\s]*(?:token|secret|passw|passphrase|signature|credential|access[_-]?key|api[_-]?key"
    r"|subscription[_-]?key|session[_-]?id)[^=&\s]*)=)[^&#\s]*"
)
_TOKEN = re.compile(
    r"\b(hf_|gh[a-z]_|github_pat_)[A-Za-z0-9_]{8,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?i:\bbearer\s+)\S+|(?i:authorization\W{1,4}basic\s+)\S+"
)
SHORTEST = 6  # characters of a secret that is hidden by its value: shorter ones are in any text
_known: set[str] = set()


def redact(text: str) -> str:
    """The text without user names, passwords and tokens; safe to log and store."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, "…")
    return _TOKEN.sub("…", _SECRET.sub(r"\1…", _USER.sub("", text)))


def hide(*secrets: str) -> None:
    """Makes `redact` remove these values from now on, wherever they are."""
    _known.update(s for s in secrets if len(s) >= SHORTEST)


def redact_logs(inert: Callable[[str], str]) -> None:
    """Removes secrets from every log record of this process, and from its traceback.

    Our own records also go through `inert`: they have names from sources.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "redacts", False):
        return

    def redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401  as in logging
        record = make(*args, **kwargs)
        _redact_record(record, inert if record.name.startswith("observatory") else str)
        return record

    redacted.redacts = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(redacted)


def _redact_record(record: logging.LogRecord, inert: Callable[[str], str]) -> None:
    try:
        text = record.getMessage()
    except (TypeError, ValueError):  # wrong arguments: logging reports them
        return
    if (clean := inert(redact(text))) != text:
        record.msg, record.args = clean, None
    if record.exc_info and record.exc_info[0]:
        told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (clean := redact(told)) != told:
            record.exc_text = clean  # formatters use it instead of the exception
