"""Rules of Epoch's notable models and of the AI Index's counts of them."""

from __future__ import annotations

from expectations.rule import Rule, on

_CELL = "edition, measure, period, country_code, method"

EPOCH: tuple[Rule, ...] = (
    on("core.notable_model_labs").critical(
        "weights_sum_to_one",
        "The weights of the organizations of every record sum to 1, and no organization is left "
        "out.",
        "SELECT vintage_date, line, sum(weight) AS sum_of_weights, count(*) AS n_rows, "
        "max(position) AS last_position FROM {batch} GROUP BY vintage_date, line "
        "HAVING (abs(sum(weight) - 1) <= 1e-9 AND count(*) = max(position) "
        "AND count(*) = max(n_organizations)) IS NOT TRUE",
    ),
    on("core.notable_model_labs").warning(
        "organizations_are_examined",
        "The registry has examined at least 99 % of the organizations of the newest vintage, by "
        "rows. `observatory registry gaps` lists the others.",
        "SELECT vintage_date, count(*) AS n_rows, count(lab_id) AS n_examined FROM {batch} "
        "WHERE vintage_date = (SELECT max(vintage_date) FROM {batch}) GROUP BY vintage_date "
        "HAVING count(lab_id) < 0.99 * count(*)",
    ),
    on("mart.ai_index_reconciliation").critical(
        "residual_is_derived_minus_printed",
        "residual = n_derived - n_printed, and is null exactly where one of them is.",
        f"SELECT {_CELL}, n_printed, n_derived, residual FROM {{batch}} "
        "WHERE residual IS DISTINCT FROM n_derived - n_printed",
    ),
    on("mart.ai_index_reconciliation").warning(
        "rederived_counts_match_printed_ones",
        "With a vintage close to the 2026 edition and the edition's own method, the US count is "
        "within 1 and the Chinese within 2 of the printed one in every year from 2014 to 2024, "
        "except for the residuals in warehouse/registry/data/ai_index_residuals.csv.",
        f"SELECT {_CELL}, n_printed, n_derived, residual, vintage_date FROM {{batch}} "
        "WHERE edition = 2026 AND measure = 'notable_models' AND is_edition_method "
        "AND year BETWEEN 2014 AND 2024 AND NOT is_reviewed AND explanation <> 'vintage_far' "
        "AND abs(residual) > CASE country_code WHEN 'US' THEN 1 WHEN 'CN' THEN 2 END",
    ),
)
