"""Credentials in addresses: kept apart from the address, and sent only to where it points.

An address of the settings loses its user name, password and query here. So nothing that records,
logs or shows an address can repeat them. `flows/sources/session.py` adds them to requests again.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

from warehouse.contracts.source import cards
from warehouse.storage.redact import hide

HUB, GITHUB = "HF_TOKEN", "GITHUB_TOKEN"
# Variables of all tokens: of the Hub and GitHub, which serve several sources, and of source cards.
TOKENS = (HUB, GITHUB, *(c.token.variable for c in cards().values() if c.token))


@dataclass(frozen=True)
class Credentials:
    """What was in an address beside scheme, host and path."""

    user: str
    password: str
    query: tuple[tuple[str, str], ...]

    @property
    def basic(self) -> str:
        """User and password as in an Authorization header; empty without them."""
        pair = f"{self.user}:{self.password}"
        return base64.b64encode(pair.encode()).decode() if pair != ":" else ""


_of_address: dict[str, Credentials] = {}
_homes: dict[str, set[str]] = {
    variable: set() for variable in TOKENS
}  # variable of a token -> origins


def separate(url: str) -> str:
    """The address without credentials, which are remembered for requests to it.

    The query is a credential too, except for a part with a placeholder in braces. Raises
    ValueError, without repeating the address, if it is not a valid one.
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if parts.scheme not in ("http", "https") or not parts.hostname or not _is_port(parts):
        hint = "; percent-encode special characters of a password" if "@" in url else ""
        shown = "the value" if set("@?") & set(url) else repr(url)
        raise ValueError(f"{shown} is not an http:// or https:// address{hint}")
    pairs = parts.query.split("&") if parts.query else []
    kept = "&".join(p for p in pairs if "{" in p)
    hidden = tuple(parse_qsl("&".join(p for p in pairs if "{" not in p), keep_blank_values=True))
    bare = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), kept, ""))
    if user or hidden:
        _remember(bare.partition("?")[0].partition("{")[0], user, hidden)
    return bare


def hide_in(url: str) -> None:
    """Makes `redact` remove what is secret in an address that is not one of the settings."""
    if "://" in url:
        user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
        secrets = [password or user, *(value for _, value in parse_qsl(urlsplit(url).query))]
        hide(*secrets, *map(unquote, secrets))


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:  # not a number: a password with a slash ends up here
        return False


def _remember(base: str, userinfo: str, query: tuple[tuple[str, str], ...]) -> None:
    user, _, password = userinfo.partition(":")
    found = Credentials(unquote(user), unquote(password), query)
    hide(password or user, unquote(password or user), *(value for _, value in query))
    hide(*(quote(value, safe="") for _, value in query), found.basic)
    _of_address[base] = found


def credentials_for(url: str) -> Credentials | None:
    """The credentials of the longest address that the URL begins with."""
    found = [base for base in _of_address if _is_below(url, base)]
    return _of_address[max(found, key=len)] if found else None


def _is_below(url: str, base: str) -> bool:
    return _origin(url) == _origin(base) and url.startswith(base)


def set_home(variable: str, url: str) -> None:
    """Allows a token to be sent to the host of an address."""
    _homes[variable].add(_origin(url))


def is_home(variable: str, url: str) -> bool:
    """Whether a token may be sent to an address: it is on the host of the settings."""
    return _origin(url) in _homes[variable]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port or default
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port != default else "")
