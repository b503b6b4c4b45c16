"""Rules for the evidence of labs and names."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from polars import col

from warehouse.contracts.evidence import (
    MOST_LABS,
    STRICT_FROM,
    is_generic_list,
    is_shared_home_page,
)

URL, READ_ON = col("evidence_url"), col("evidence_read_on")
SURE = col("confidence") != "low"
# Rows that break a rule, and the message; of every file with a day of reading.
EVIDENCE: tuple[tuple[pl.Expr, str], ...] = (
    (
        SURE & URL.is_null(),
        "confidence is {confidence} without evidence; add evidence_url and evidence_read_on, or "
        "set confidence to low",
    ),
    (
        URL.is_not_null() & ~is_generic_list() & READ_ON.is_null(),
        "evidence_read_on is blank; give the day on which the page at evidence_url was read",
    ),
    (
        SURE & is_generic_list() & (col("known_from") >= STRICT_FROM),
        "evidence_url is a list of many labs, and the row is known from {known_from}; give a page "
        "about this name and the day it was read, or set confidence to low",
    ),
    (
        ~is_generic_list() & (col("lab_id").n_unique().over("evidence_url") > MOST_LABS),
        f"evidence_url {{evidence_url}} is given for more than {MOST_LABS} labs; give a page about "
        "each, or add it to GENERIC_LISTS in warehouse/contracts/evidence.py",
    ),
    (
        is_shared_home_page(),
        "evidence_url {evidence_url} is the home page of a shared site; give the page that names "
        "the lab",
    ),
    (
        READ_ON.is_not_null() & URL.is_null(),
        "evidence_read_on is given without evidence_url; add the page that was read",
    ),
    (
        READ_ON.gt(datetime.now(UTC).date()),
        "evidence_read_on {evidence_read_on} is in the future; give the day of reading",
    ),
)
