"""Names in the form in which they are compared: without invisible characters and case."""

from __future__ import annotations

import polars as pl

# Blanks of every kind, line ends and tabs become one blank. Format characters (zero-width space,
# soft hyphen, byte order mark) and five letters without a glyph are removed.
_BLANK = r"[\p{Z}\p{Cc}\x{2800}]+"
_UNSEEN = r"[\p{Cf}\x{115F}\x{1160}\x{3164}\x{FFA0}\x{034F}]"


def tidy(name: str | pl.Expr) -> pl.Expr:
    """A name in Unicode's composed form (NFC), single blanks within and none around it."""
    expr = pl.col(name) if isinstance(name, str) else name
    seen = expr.str.replace_all(_UNSEEN, "").str.replace_all(_BLANK, " ")
    return seen.str.strip_chars().str.normalize("NFC")


def folded(name: str | pl.Expr) -> pl.Expr:
    """A tidy name without case; names are joined in this form only."""
    return tidy(name).str.to_lowercase()
