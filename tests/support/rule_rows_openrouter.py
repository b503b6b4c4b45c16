"""Sound and faulty rows for the rules of expectations/rule_sets/openrouter.py."""

from __future__ import annotations

from datetime import date
from typing import Any

Rows = list[dict[str, Any]]
DAY = date(2026, 10, 1)
SNAPSHOT = {"snapshot_id": "openrouter/2026-10-02", "snapshot_date": date(2026, 10, 2)}


def tokens(n_models: int = 50, **change: Any) -> Rows:
    """A day's models and `other`; `change` applies to the first model."""
    known = {"day": DAY, "kind": "model", "lab_id": "a", "country_code": "US", "tokens": 10}
    models = [{**known, **SNAPSHOT, "model_permaslug": f"a/m{n}"} for n in range(n_models)]
    other = {"model_permaslug": "other", "kind": "other", "lab_id": None, "country_code": "XX"}
    return [{**models[0], **change}, *models[1:], {**models[0], **other}]


def restated(**change: Any) -> Rows:
    row = {
        "day": DAY,
        "model_permaslug": "a/m",
        "previous_snapshot_id": "openrouter/2026-10-02",
        "snapshot_id": "openrouter/2026-10-03",
        "snapshot_date": date(2026, 10, 3),
        "tokens_before": 1000,
        "tokens_after": 1050,
    }
    return [{**row, **change}]


def shares(**change: Any) -> Rows:
    """A day with one country, one lab and cloaked models; `change` applies to the country."""
    day = {"day": DAY, "tokens_in_doubt": 30, "tokens_total": 100, "has_other": False}
    day |= {"holder_name": "A", "n_models": 1}
    known = {"is_doubt": False, "tokens": 70, "share": 0.7, "share_lower": 0.7, "share_upper": 1.0}
    cloaked = {"holder": "cloaked", "is_doubt": True, "tokens": 30, "share": 0.3}
    return [
        {**day, **known, "level": "country", "holder": "US", **change},
        {**day, **cloaked, "level": "country"},
        {**day, **known, "level": "lab", "holder": "a"},
        {**day, **cloaked, "level": "lab"},
    ]


SOUND: dict[str, Rows] = {
    "mart.token_share_daily": shares(),
    "core.openrouter_tokens": tokens(slug_date=DAY, slug_date_spelling="mmdd"),
    "core.openrouter_restatements": [
        *restated(),
        *restated(model_permaslug="a/new", tokens_before=None),
        *restated(model_permaslug="a/gone", tokens_after=None),
    ],
}
TOKENS, SHARES = "core.openrouter_tokens", "mart.token_share_daily"
FIRST = {"model_permaslug": "a/m0"}
FAULTS: list[tuple[str, str, Rows, dict[str, Any]]] = [
    (TOKENS, "only_models_have_a_lab", tokens(kind="cloaked"), FIRST),
    (TOKENS, "only_models_have_a_lab", tokens(country_code="XX"), FIRST),
    (TOKENS, "only_models_have_a_lab", tokens(lab_id=None), FIRST),
    (TOKENS, "date_in_name_is_used_or_has_a_reason", tokens(slug_date_spelling="mmdd"), FIRST),
    (TOKENS, "date_in_name_is_used_or_has_a_reason", tokens(slug_date=DAY), FIRST),
    (
        TOKENS,
        "date_in_name_is_used_or_has_a_reason",
        tokens(slug_date=DAY, slug_date_spelling="mmdd", slug_date_refusal="year_unknown"),
        FIRST,
    ),
    (TOKENS, "days_have_fifty_models_and_other", tokens(49), {"n_models": 49, "n_other": 1}),
    (TOKENS, "days_have_fifty_models_and_other", tokens()[:-1], {"n_models": 50, "n_other": 0}),
    (
        TOKENS,
        "publishers_are_examined",
        tokens(lab_id=None, country_code="XX", tokens=100),
        {"unexamined": 100},
    ),
    (
        "core.openrouter_restatements",
        "restatements_are_small",
        restated(tokens_after=949),
        {"tokens_after": 949},
    ),
    (SHARES, "shares_of_a_day_sum_to_one", shares(share=0.6), {"level": "country"}),
    (SHARES, "shares_of_a_day_sum_to_one", shares(tokens=71), {"tokens": 101}),
    (SHARES, "shares_of_a_day_sum_to_one", shares(tokens_in_doubt=31), {"level": "country"}),
    (SHARES, "shares_of_a_day_sum_to_one", shares(tokens_total=101), {"level": "country"}),
    (SHARES, "levels_have_the_same_tokens", shares()[:2], {"n_levels": 1}),
    (SHARES, "levels_have_the_same_tokens", shares(tokens_total=101), {"n_levels": 2}),
    (SHARES, "bounds_add_the_doubt", shares(share_upper=0.9), {"holder": "US"}),
    (SHARES, "bounds_add_the_doubt", shares(share_upper=None), {"holder": "US"}),
    (SHARES, "bounds_add_the_doubt", shares(share_lower=0.6), {"holder": "US"}),
    (SHARES, "bounds_add_the_doubt", shares(is_doubt=True), {"holder": "US"}),
]
