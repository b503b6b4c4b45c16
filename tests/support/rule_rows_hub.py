"""Sound and faulty rows for the rules on the Hub's tables, the registry and what was refused."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.support.rule_rows_arena import Fault, Rows, refused_line


def shares(**change: Any) -> Rows:
    on = {
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": "base",
    }
    on |= {"lineage_coverage": 1.0, "panel_id": "whole_hub"}
    data = [
        {**on, "credit": credit, "country_code": code, "share": n / 3, "share_lower": n / 3,
         "share_upper": n / 3, "numerator": float(n), "denominator": 3.0}
        for credit, numbers in (("fractional", (1, 2)), ("full", (2, 2)))
        for code, n in zip(("US", "CN"), numbers, strict=True)
    ]  # fmt: skip
    return (
        [*data[:3], {**data[3], **change}]
        if "credit" not in change
        else [{**data[0], **change}, *data[1:]]
    )


def labs(**change: Any) -> Rows:
    """A lab that moved on the day of the counters (`change` is to that) and one that never did."""
    ever, day = date(1900, 1, 1), date(2026, 8, 15)
    on = {"kind": "lab", "confidence": "low", "evidence_kind": "none"}
    return [
        {**on, "lab_id": "mover", "country_code": "FR", "valid_from": ever, "valid_to": day},
        {**on, "lab_id": "mover", "country_code": "SG", "valid_from": day, **change},
        {**on, "lab_id": "still", "country_code": "US", "valid_from": ever},
    ]


def roots(**change: Any) -> Rows:
    """One model with three equal roots and one that is its own; `change` is to the latter."""
    many = [
        {"model_id_hf": "a/b", "root_model_id_hf": f"r/{i}", "weight": 1 / 3, "end_reason": "root"}
        for i in range(3)
    ]
    own = {"model_id_hf": "a/c", "root_model_id_hf": "a/c", "weight": 1.0, "end_reason": "root"}
    return [*many, {**own, **change}]


def lab_shares(**change: Any) -> Rows:
    on = {
        "population": "all",
        "metric": "downloads_30d",
        "metric_window": "30d",
        "attribution": "base",
    }
    on |= {"lineage_coverage": 1.0, "panel_id": "whole_hub"}
    data = [
        {**on, "lab_id": lab, "share": n / 3, "numerator": float(n), "denominator": 3.0}
        for lab, n in (("a", 1), ("b", 2))
    ]
    return [data[0], {**data[1], **change}]


def registry_weights(**change: Any) -> Rows:
    """The weight of a day: two thirds documented, one third not examined."""
    weights = [
        {"confidence": "high", "evidence_kind": "specific", "downloads_30d": 2, "share": 2 / 3},
        {
            "confidence": "not_examined",
            "evidence_kind": "not_examined",
            "downloads_30d": 1,
            "share": 1 / 3,
            **change,
        },
    ]
    return [{"n_namespaces": 1, "n_models": 1, **w} for w in weights]


def counters(**change: Any) -> Rows:
    return [
        {"model_id_hf": "a/b", "downloads_30d": 0, "likes": 0, "trending_score": 0.0},
        {"model_id_hf": "a/c", "downloads_30d": None, **change},
    ]


def twin(**change: Any) -> dict[str, Any]:
    """An id that is counted under another one."""
    return {
        "model_id_hf": "a/twin",
        "counted_model_id_hf": "a/b",
        "is_counted_once": True,
        **change,
    }


FRACTIONAL = {"credit": "fractional", "share": 0.4, "share_lower": 0.4, "share_upper": 0.4}
FAULTS: list[Fault] = [
    (
        "core.hub_daily_counters",
        "counters_are_not_negative",
        counters(trending_score=-0.5),
        {"model_id_hf": "a/c", "trending_score": -0.5},
    ),
    (
        "core.hub_daily_counters",
        "counters_are_not_negative",
        counters(downloads_all_time=-1),
        {"model_id_hf": "a/c"},
    ),
    (
        "core.hub_daily_counters",
        "counted_models_have_attributes_and_roots",
        counters(model_id_hf="a/bare"),
        {"model_id_hf": "a/bare", "has_attributes": False, "has_root": True},
    ),
    (
        "core.hub_daily_counters",
        "counted_models_have_attributes_and_roots",
        counters(model_id_hf="a/rootless"),
        {"model_id_hf": "a/rootless", "has_attributes": True, "has_root": False},
    ),
    (
        "core.hub_model_roots",
        "weights_sum_to_one",
        roots(weight=0.999),
        {"model_id_hf": "a/c", "n_roots": 1},
    ),
    (
        "core.hub_counter_days",
        "counters_are_plausible",
        [{"models": 2, "counter_outage": "stale_day", "unchanged_share_100": 0.8}],
        {"as_of_date": "2026-08-15", "counter_outage": "stale_day"},
    ),
    (
        "core.hub_counter_days",
        "history_counts_every_model",
        [{"models": 4}],
        {"as_of_date": "2026-08-15", "models": 4, "n_rows": 2, "n_doubles": 1},
    ),
    (
        "core.hub_daily_counters",
        "no_repository_is_counted_twice",
        counters(model_id_hf="A/B"),
        {"model_id_hf": "A/B", "reason": "case"},
    ),
    (
        "core.hub_daily_counters",
        "no_repository_is_counted_twice",
        counters(model_id_hf="a/twin"),
        {"model_id_hf": "a/twin"},
    ),
    (
        "core.hub_suspected_doubles",
        "suspected_duplicates_are_few",
        [twin(is_counted_once=False, downloads_30d=1)],
        {"n_ids": 1, "downloads_30d": 1},
    ),
    (
        "core.labs",
        "one_country_on_every_date",
        labs(valid_from=date(2026, 8, 16)),
        {"lab_id": "mover", "as_of_date": "2026-08-15", "n_countries": 0},
    ),
    (
        "core.labs",
        "one_country_on_every_date",
        labs(valid_from=date(2026, 8, 14), lab_id="still"),
        {"lab_id": "still", "n_countries": 2},
    ),
    (
        "mart.lab_share_daily",
        "fractional_shares_sum_to_one",
        lab_shares(share=0.66),
        {"attribution": "base", "n_labs": 2},
    ),
    (
        "mart.registry_weight",
        "shares_sum_to_one",
        registry_weights(share=0.34),
        {"n_rows": 2},
    ),
    (
        "mart.registry_weight",
        "not_examined_has_no_evidence",
        registry_weights(confidence="low"),
        {"confidence": "low", "evidence_kind": "not_examined"},
    ),
    (
        "mart.country_share_daily",
        "fractional_shares_sum_to_one",
        shares(**FRACTIONAL, numerator=1.2),
        {"attribution": "base", "n_countries": 2},
    ),
    (
        "mart.country_share_daily",
        "share_is_numerator_by_denominator",
        shares(numerator=1.9),
        {"country_code": "CN", "credit": "full"},
    ),
    (
        "mart.country_share_daily",
        "share_is_numerator_by_denominator",
        shares(denominator=0.0),
        {"country_code": "CN"},
    ),
    (
        "mart.country_share_daily",
        "share_is_within_bounds",
        shares(share_upper=0.66),
        {"country_code": "CN"},
    ),
    (
        "mart.country_share_daily",
        "one_denominator_per_definition",
        shares(denominator=3.5),
        {"credit": "full", "n_denominators": 2},
    ),
    (
        "core.model_identities",
        "one_model_of_a_system_per_model_id",
        [
            {"system": "lmarena", "name": name, "model_id": "lmarena:command-r", "rule": "raw"}
            for name in ("command-r", "command-r+")
        ],
        {"one_name": "command-r", "other_name": "command-r+"},
    ),
    (
        "core.model_families",
        "model_matches_one_family",
        [
            {"system": "hub", "model_name": "a/b", "family_id": None},
            {"system": "hub", "model_name": "a/c", "family_id": "qwen"},
        ],
        {"system": "hub", "model_name": "a/b"},
    ),
    (
        "mart.family_share_daily",
        "shares_sum_to_one",
        [{"family_id": f, "attribution": "base", "share": 0.4} for f in ("qwen", "llama")],
        {"attribution": "base", "sum_of_shares": 0.8},
    ),
    (
        "raw.quarantine",
        "newest_snapshot_is_used",
        [refused_line("french")],
        {"snapshot_id": "hub/2026-08-15", "continues_with": "hub/2026-08-14"},
    ),
    *(
        (f"mart.{by}_share_daily", "day_has_one_panel", data, {"without": without})
        for by, data, without in (
            ("country", shares(panel_id="excerpt_2026-08-15"), 0),
            ("lab", lab_shares(panel_id=None), 1),
            ("family", [{"family_id": "qwen", "panel_id": None}], 1),
        )
    ),
    *(
        (f"mart.{by}_share_daily", "share_is_missing_only_without_lineage", data, {})
        for by, data in (
            ("country", shares(share=None)),
            ("country", shares(share_missing="lineage_not_recorded")),
            ("country", shares(lineage_coverage=0.0)),
            ("country", shares(lineage_coverage=None)),
            ("lab", lab_shares(numerator=None)),
            ("family", [{"family_id": "qwen", "attribution": "name", "lineage_coverage": 1.0}]),
        )
    ),
    (
        "mart.family_share_daily",
        "families_do_not_exceed_their_lab",
        [
            {k: v for k, v in lab_shares()[0].items() if k != "lab_id"}
            | {"family_id": "qwen", "numerator": 1.5},
        ],
        {"lab_id": "a", "families": 1.5, "numerator": 1.0},
    ),
]
SOUND: dict[str, Rows] = {
    "core.hub_counter_days": [{"models": 3}],
    "core.hub_daily_counters": counters(),
    "core.hub_model_roots": roots(),
    "core.labs": labs(),
    "mart.lab_share_daily": lab_shares(),
    "mart.country_share_daily": shares(),
    "mart.registry_weight": registry_weights(),
}
