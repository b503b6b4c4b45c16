"""Rows of the AI Index's tables that satisfy every rule, and rows that break each rule."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]

IN = {"snapshot_id": "ai_index/2026-08-15", "edition": 2026}
FOLDER = "4. Economy/Data"


def corrections(**change: Any) -> Rows:
    """A listed pair, a listed second upload; `change` applies to a fault whose file is missing."""
    return [
        {**IN, "correction_id": "pair", "guard": "same_content", "still_holds": True,
         "file_name": "fig_4.2.9.csv", "other_file_name": "fig_4.2.14.csv"},
        {**IN, "correction_id": "again", "guard": "second_upload", "still_holds": True,
         "file_name": "fig_1.2.3.csv", "other_file_name": "fig_1.2.3(1).csv"},
        {**IN, "correction_id": "gone", "guard": "header", "file_name": "fig_3.8.3.csv", **change},
    ]  # fmt: skip


def files(*more: dict[str, Any], without: str = "") -> Rows:
    """A listed pair and a listed second upload of one content each, and a mapped figure."""
    contents = {
        ("4.2.9", "fig_4.2.9.csv"): "a",
        ("4.2.14", "fig_4.2.14.csv"): "a",
        ("1.2.3", "fig_1.2.3.csv"): "b",
        ("1.2.3", "fig_1.2.3(1).csv"): "b",
        ("1.1.1", "fig_1.1.1.csv"): "c",
    }
    return [
        {**IN, "figure": figure, "file_name": f"{FOLDER}/{name}", "content_sha256": content}
        for (figure, name), content in contents.items()
        if figure != without
    ] + [{**IN, **row} for row in more]


def series(**change: Any) -> Rows:
    """Shares of a year, one of them in two figures; `change` applies to the last one."""
    on = {"edition": 2026, "series": "hub_download_share_by_country", "subject_kind": "area",
          "period": "2025", "unit": "percent", "revision": 1, "is_point": False}  # fmt: skip
    data = [
        {**on, "figure": figure, "line": line, "subject_key": key, "subject": key, "value": value,
         "is_preferred": figure == "1.5.7"}
        for figure, line, key, value in (
            ("1.5.7", 1, "US", 40.0),
            ("1.5.9", 1, "US", 40.0),
            ("1.5.7", 2, "CN", 58.0),
        )
    ]  # fmt: skip
    return [*data[:2], {**data[2], **change}]


def gap(**change: Any) -> Rows:
    on = {"edition": 2026, "comparison": "us_vs_cn"}
    return [
        {**on, "period": "2025-02", "gap_points": 0.0, "expected_win_rate": 0.5},
        {**on, "period": "2026-03", "gap_points": 39.0, "expected_win_rate": 0.556, **change},
    ]


BESIDE: dict[str, Rows] = {
    "raw.ai_index_corrections": corrections(),
    "raw.ai_index_figures": [
        {"edition": 2026, "figure": "4.2.14"},
        {"edition": 2026, "figure": "1.1.1"},
        {"edition": 2025, "figure": "1.3.1"},  # of an edition that is not available
    ],
}
SOUND: dict[str, Rows] = {
    "raw.ai_index_corrections": corrections(),
    "raw.ai_index_files": files(),
    "core.ai_index_series": series(),
    "mart.ai_index_arena_gap": gap(),
}
FAULTS: list[tuple[str, str, Rows, dict[str, Any]]] = [
    (
        "raw.ai_index_corrections",
        "correction_still_applies",
        corrections(still_holds=False),
        {"correction_id": "gone", "file_name": "fig_3.8.3.csv"},
    ),
    (
        "raw.ai_index_files",
        "mapped_figures_have_distinct_content",
        files({"figure": "1.1.2", "file_name": f"{FOLDER}/fig_1.1.2.csv", "content_sha256": "c"}),
        {"figure": "1.1.1", "other_figure": "1.1.2"},
    ),
    (
        "raw.ai_index_files",
        "figures_have_distinct_content",
        files({"figure": "9.9.9", "file_name": f"{FOLDER}/fig_9.9.9.csv", "content_sha256": "b"}),
        {"figure": "1.2.3", "other_figure": "9.9.9"},
    ),
    (
        "raw.ai_index_files",
        "second_uploads_are_listed",
        files({"figure": "1.1.1", "file_name": f"{FOLDER}/fig_1.1.1(1).csv"}),
        {"edition": 2026, "file_name": f"{FOLDER}/fig_1.1.1(1).csv"},
    ),
    (
        "raw.ai_index_files",
        "mapped_figures_have_a_file",
        files(without="1.1.1"),
        {"edition": 2026, "figure": "1.1.1"},
    ),
    (
        "core.ai_index_series",
        "areas_are_known",
        series(subject_key=None, subject="Atlantis"),
        {"figure": "1.5.7", "subject": "Atlantis"},
    ),
    (
        "core.ai_index_series",
        "one_value_is_preferred",
        series(is_preferred=False),
        {"subject_key": "CN", "n_preferred": 0},
    ),
    (
        "core.ai_index_series",
        "one_value_is_preferred",
        series(subject_key="US", value=40.0),
        {"subject_key": "US", "n_preferred": 2},
    ),
    (
        "core.ai_index_series",
        "figures_of_an_edition_agree",
        series(subject_key="US", value=41.0),
        {"subject_key": "US", "figures": "1.5.7, 1.5.9", "lowest": 40.0, "highest": 41.0},
    ),
    (
        "core.ai_index_series",
        "shares_are_within_their_unit",
        series(value=100.5),
        {"subject": "CN", "value": 100.5, "unit": "percent"},
    ),
    (
        "core.ai_index_series",
        "shares_are_within_their_unit",
        series(value=58.0, unit="share"),
        {"subject": "CN", "unit": "share"},
    ),
    (
        "core.ai_index_series",
        "download_shares_add_up",
        series(value=54.9),
        {"figure": "1.5.7", "period": "2025", "percent": 94.9},
    ),
    (
        "mart.ai_index_arena_gap",
        "leader_has_the_higher_win_rate",
        gap(gap_points=-39.0),
        {"period": "2026-03", "gap_points": -39.0},
    ),
]
