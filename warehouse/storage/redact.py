"""Removes secrets from addresses and texts."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/?#\s]*@")
_SECRET = re.compile(
    r"(?i)([?&](?:key|sig|auth|pwd|policy|x-amz-[^=&\s]*"
    r"|[^=&\s]*(?:token|secret|password|signature|credential|api[_-]?key)[^=&\s]*)=)[^&#\s]*"
)
_TOKEN = re.compile(r"\b(hf_|gh[a-z]_|github_pat_)[A-Za-z0-9_]{8,}|(?i:\bbearer\s+)\S+")


def redact(url: str) -> str:
    """The text without user names, passwords and tokens; safe to log and store."""
    return _TOKEN.sub("…", _SECRET.sub(r"\1…", _USER.sub("", url)))
