"""How well a row of labs.csv or namespaces.csv is documented."""

from __future__ import annotations

from datetime import date

import polars as pl
from polars import col

# Lists of many labs. Each names a country or lab, but no source for the single row.
GENERIC_LISTS = (
    "https://epoch.ai/data/ai-models",
    "https://github.com/Interconnects-AI/tracked-models",
    "https://github.com/cisco-ai-defense/defenseclaw",
    "https://blog.sina.cn/dpool/blog/s/blog_4726a69b0101gl8z.html",  # ranking of universities
)
MOST_LABS = 10  # a page that is evidence for more labs is such a list
# Sites of many organizations; their home pages are evidence for nobody.
SHARED_SITES = ("huggingface.co", "github.com", "arxiv.org", "linkedin.com", "wikipedia.org")
STRICT_FROM = date(2026, 11, 30)  # rows known from this day on need a page of their own

_LIST = f"(?i)^(?:{'|'.join(url.replace('.', r'[.]') for url in GENERIC_LISTS)})(?:[/?#]|$)"
_HOME = rf"(?i)^https://(?:[a-z]+[.])*(?:{'|'.join(SHARED_SITES)})/?$"


def is_generic_list() -> pl.Expr:
    """Whether `evidence_url` is a list of many labs, or a page of such a list."""
    return col("evidence_url").str.contains(_LIST)


def is_shared_home_page() -> pl.Expr:
    """Whether `evidence_url` is the home page of a site that many organizations share."""
    return col("evidence_url").str.contains(_HOME)


def evidence_kind() -> pl.Expr:
    """`specific` (a page about this row), `list` (one of GENERIC_LISTS) or `none`.

    The registry's rules require the day of reading for every specific page.
    """
    return (
        pl.when(col("evidence_url").is_null())
        .then(pl.lit("none"))
        .when(is_generic_list())
        .then(pl.lit("list"))
        .otherwise(pl.lit("specific"))
        .alias("evidence_kind")
    )
