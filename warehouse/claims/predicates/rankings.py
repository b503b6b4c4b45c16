"""Tests of the Hub's trending list and of LMArena's boards."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from warehouse.claims.predicates.base import Attribution, Test


class _Trending(Test):
    subject: str
    top_n: Literal[5, 10]
    places: int = Field(ge=1, le=10)
    attribution: Attribution = "publisher"
    window_days: int = Field(default=91, gt=0)


class TrendingDays(_Trending):
    """Share of observed days on which a country has `places` of the first `top_n`."""

    test: Literal["trending_days"]


class TrendingWeeks(_Trending):
    """Number of weeks with a day on which a country has `places` of the first `top_n`."""

    test: Literal["trending_weeks"]


class _Arena(Test):
    board: str = "text"
    category: str = "overall"


class ArenaCount(_Arena):
    """Models of a country among the first `top_n`; the highest over a period if there is one."""

    test: Literal["arena_count"]
    subject: str
    top_n: int = Field(ge=1)
    access: Literal["all", "open"] = "all"
    period_from: date | None = None
    period_to: date | None = None


class ArenaRank(_Arena):
    """Best rank of a country's, a lab's or the open models, or the rank of one model."""

    test: Literal["arena_rank"]
    by: Literal["country", "lab", "access", "model"]
    subject: str
    rank: Literal["ordinal", "ub"] = "ordinal"
    access: Literal["all", "open"] = "all"


class ArenaFirst(_Arena):
    """Probability that a country's, a lab's or an open model is truly the best of the board."""

    test: Literal["arena_first"]
    by: Literal["country", "lab", "access"]
    subject: str


class ArenaLead(_Arena):
    """Best rating of `subject` compared with the best of `other` on one board, in `scale`."""

    test: Literal["arena_lead"]
    by: Literal["country", "access"]
    subject: str
    other: str
    scale: Literal["points", "percent", "win_rate"]


class ArenaAhead(_Arena):
    """Probability that one model is truly better than another."""

    test: Literal["arena_ahead"]
    subject: str
    other: str


class ArenaSpread(_Arena):
    """Lead of the first place of a board over place `top_n`, in percent of the latter's rating."""

    test: Literal["arena_spread"]
    top_n: int = Field(ge=2)
