"""Rules of the AI Index's files, figures and corrections."""

from __future__ import annotations

from expectations.rule import Rule, on

# Two files of one edition and two figures with one content, as file names without folders.
_TWINS = """
    SELECT one.edition, one.figure, two.figure AS other_figure, one.file_name,
        two.file_name AS other_file_name
    FROM {batch} AS one JOIN {batch} AS two ON one.snapshot_id = two.snapshot_id
        AND one.edition = two.edition AND one.content_sha256 = two.content_sha256
        AND one.file_name < two.file_name AND one.figure IS DISTINCT FROM two.figure
    WHERE NOT EXISTS (
        SELECT 1 FROM "raw"."ai_index_corrections" AS c
        WHERE c.edition = one.edition AND c.guard = 'same_content'
            AND [split_part(one.file_name, '/', -1), split_part(two.file_name, '/', -1)] IN (
                [c.file_name, c.other_file_name], [c.other_file_name, c.file_name]
            )
    )
"""
_MAPPED = 'SELECT edition, figure FROM "raw"."ai_index_figures"'

AI_INDEX: tuple[Rule, ...] = (
    on("raw.ai_index_corrections").warning(
        "correction_still_applies",
        "Every correction matches the fault that it describes. A correction that no longer "
        "matches is not applied: the figure was repaired, so remove it from "
        "warehouse/ai_index/corrections.yml.",
        "SELECT correction_id, edition, file_name, defect FROM {batch} WHERE NOT still_holds",
    ),
    on("raw.ai_index_files").critical(
        "mapped_figures_have_distinct_content",
        "No mapped figure has the same content as another figure, unless the pair is listed in "
        "warehouse/ai_index/corrections.yml.",
        f"FROM ({_TWINS}) AS twins SELECT * WHERE EXISTS (SELECT 1 FROM ({_MAPPED}) AS m "
        "WHERE m.edition = twins.edition AND m.figure IN (twins.figure, twins.other_figure))",
    ),
    on("raw.ai_index_files").warning(
        "figures_have_distinct_content",
        "No two figures of an edition have the same content, unless the pair is listed in "
        "warehouse/ai_index/corrections.yml.",
        _TWINS,
    ),
    on("raw.ai_index_files").warning(
        "second_uploads_are_listed",
        "Every second upload (fig_x(1).csv) is listed in warehouse/ai_index/corrections.yml.",
        "SELECT edition, file_name FROM {batch} AS f WHERE regexp_matches(f.file_name, "
        '\'\\(\\d+\\)\\.csv$\') AND NOT EXISTS (SELECT 1 FROM "raw"."ai_index_corrections" AS c '
        "WHERE c.edition = f.edition AND c.guard = 'second_upload' "
        "AND c.other_file_name = split_part(f.file_name, '/', -1))",
    ),
    on("raw.ai_index_files").warning(
        "mapped_figures_have_a_file",
        "Every figure that the source card maps has a file in the editions that are loaded.",
        f"SELECT DISTINCT edition, figure FROM ({_MAPPED}) AS mapped "
        "WHERE edition IN (SELECT edition FROM {batch}) AND (edition, figure) NOT IN "
        "(SELECT (edition, figure) FROM {batch} WHERE figure IS NOT NULL)",
    ),
    on("core.ai_index_series").warning(
        "areas_are_known",
        "Every area is a country spelling in warehouse/registry/data/country_aliases.csv or a "
        "region in the source card.",
        "SELECT edition, figure, subject, count(*) AS n_rows FROM {batch} "
        "WHERE subject_kind = 'area' AND subject_key IS NULL GROUP BY ALL",
    ),
    on("core.ai_index_series").critical(
        "one_value_is_preferred",
        "If an edition gives a quantity several times, exactly one value is preferred.",
        "SELECT edition, series, detail, coalesce(subject_key, subject) AS subject_key, period, "
        "count(*) FILTER (WHERE is_preferred) AS n_preferred FROM {batch} WHERE NOT is_point "
        "GROUP BY ALL HAVING n_preferred <> 1",
    ),
    on("core.ai_index_series").warning(
        "figures_of_an_edition_agree",
        "Figures of the same edition and revision agree on a quantity that both print.",
        "SELECT edition, series, coalesce(subject_key, subject) AS subject_key, period, "
        "string_agg(DISTINCT figure, ', ' ORDER BY figure) AS figures, min(value) AS lowest, "
        "max(value) AS highest FROM {batch} WHERE NOT is_point "
        "GROUP BY edition, revision, series, detail, coalesce(subject_key, subject), period "
        "HAVING highest - lowest > 1e-6 * abs(highest)",
    ),
    on("core.ai_index_series").critical(
        "shares_are_within_their_unit",
        "Shares are between 0 and 1, percentages between 0 and 100.",
        "SELECT edition, figure, line, series, subject, value, unit FROM {batch} WHERE value < 0 "
        "AND unit IN ('share', 'percent') OR value > 1 AND unit = 'share' "
        "OR value > 100 AND unit = 'percent'",
    ),
    on("core.ai_index_series").warning(
        "download_shares_add_up",
        "The Hub download shares of a year sum to between 95 and 100.5 %.",
        "SELECT edition, figure, period, sum(value) AS percent FROM {batch} "
        "WHERE series = 'hub_download_share_by_country' AND is_preferred GROUP BY ALL "
        "HAVING percent NOT BETWEEN 95 AND 100.5",
    ),
    on("mart.ai_index_arena_gap").critical(
        "leader_has_the_higher_win_rate",
        "The expected win rate is above one half exactly where the gap is above zero.",
        "SELECT edition, comparison, period, gap_points, expected_win_rate FROM {batch} "
        "WHERE sign(gap_points) <> sign(expected_win_rate - 0.5)",
    ),
)
