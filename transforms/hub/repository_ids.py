"""Ids of repositories on the Hub, and other ways to write them.

The rules are those of `huggingface_hub.utils.validate_repo_id`: `name` or `owner/name`, each of
1 to 96 letters, digits, `-`, `_` or `.`, without `-` or `.` at either end, without `--` and `..`,
and not ending in `.git`.
"""

from __future__ import annotations

import polars as pl

# Blanks, controls and format characters (byte-order mark, zero-width and no-break space, ...).
BLANKS = r"[\s\p{C}\p{Z}]+"
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_ID = rf"^(?:{_PART}/)?{_PART}$"
_FORBIDDEN = r"--|\.\.|\.git$"
# A folder of the Hub's cache: models--OWNER--NAME, with or without snapshots/<commit> behind it.
_CACHED = r"(?:^|[/\\])models--([^/\\]+?)(?:[/\\]|$)"
_ADDRESS = (
    r"^(?i:https?://)?(?i:www\.)?(?i:huggingface\.co|hf\.co)/(?:models/)?"
    r"([^/?#\s]+/[^/?#\s]+?)/?(?:/(?:tree|blob|resolve|raw|commit|discussions)(?:/.*)?)?(?:[?#].*)?$"
)
_NO_OWNER = r"^(?:datasets|spaces|models|collections|papers|docs|blog|api)/"


def trimmed(text: pl.Expr) -> pl.Expr:
    """A text without blanks, controls and format characters at its ends."""
    return text.str.replace(f"^{BLANKS}", "").str.replace(f"{BLANKS}$", "")


def is_repository_id(text: pl.Expr) -> pl.Expr:
    """Whether the Hub allows a text as the id of a repository; null for null."""
    return text.str.contains(_ID) & ~text.str.contains(_FORBIDDEN)


def has_form_of_id(text: pl.Expr) -> pl.Expr:
    """Whether a text has the form of an id. The Hub has old ids that it forbids today."""
    return trimmed(text).str.contains(_ID)


def repository_id(text: pl.Expr) -> pl.Expr:
    """The id that a text names: an id, an address on the Hub, or a folder of its cache.

    Null for anything else: a path, a drive, a URL elsewhere, a sentence.
    """
    bare = trimmed(text)
    address = bare.str.extract(_ADDRESS)
    on_hub = pl.when(~address.str.contains(_NO_OWNER)).then(address)
    cached = bare.str.extract(_CACHED).str.replace("--", "/", literal=True)
    found = pl.coalesce(on_hub, cached, bare)
    return pl.when(is_repository_id(found)).then(found)


def why_not(text: pl.Expr) -> pl.Expr:
    """Why a text names no repository: one of the reasons of the contract."""
    bare = trimmed(text)
    return (
        pl.when(bare == "")
        .then(pl.lit("empty"))
        .when(bare.str.contains(r"^(?:/|\\|~|\.{1,2}[/\\]|[A-Za-z]:)|\\"))
        .then(pl.lit("path"))
        .when(bare.str.contains("://", literal=True))
        .then(pl.lit("address"))
        .when(bare.str.count_matches("/", literal=True) > 1)
        .then(pl.lit("path"))
        .otherwise(pl.lit("no_repository_id"))
    )
