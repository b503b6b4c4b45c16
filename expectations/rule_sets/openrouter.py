"""Rules of OpenRouter's daily rankings."""

from __future__ import annotations

from expectations.rule import Rule, on

OPENROUTER: tuple[Rule, ...] = (
    on("core.openrouter_tokens").critical(
        "only_models_have_a_lab",
        "A cloaked model and `other` have no lab and the country XX; a model without a lab has the "
        "country XX.",
        "SELECT day, model_permaslug, kind, lab_id, country_code FROM {batch} "
        "WHERE (kind <> 'model' AND lab_id IS NOT NULL) "
        "OR (lab_id IS NULL) <> (country_code = 'XX')",
    ),
    on("core.openrouter_tokens").critical(
        "date_in_name_is_used_or_has_a_reason",
        "A date that is written in a model's id is read, or slug_date_refusal says why not.",
        "SELECT day, model_permaslug, slug_date, slug_date_spelling, slug_date_refusal "
        "FROM {batch} WHERE (slug_date IS NOT NULL AND slug_date_refusal IS NOT NULL) "
        "OR (slug_date IS NULL AND slug_date_refusal IS NULL) <> (slug_date_spelling IS NULL)",
    ),
    on("core.openrouter_tokens").warning(
        "days_have_fifty_models_and_other",
        "Every day lists 50 models and one row `other` for the rest. Without it, shares are of the "
        "listed models only.",
        "SELECT day, count(*) FILTER (kind <> 'other') AS n_models, "
        "count(*) FILTER (kind = 'other') AS n_other FROM {batch} GROUP BY day "
        "HAVING n_models <> 50 OR n_other <> 1",
    ),
    on("core.openrouter_tokens").warning(
        "publishers_are_examined",
        "The registry has examined the publishers of at least 95 % of the newest day's tokens, "
        "without cloaked models and `other`.",
        "SELECT day, sum(tokens) AS tokens, sum(tokens) FILTER (lab_id IS NULL) AS unexamined "
        "FROM {batch} WHERE kind = 'model' AND day = (SELECT max(day) FROM {batch}) GROUP BY day "
        "HAVING unexamined > 0.05 * sum(tokens)",
    ),
    on("core.openrouter_restatements").warning(
        "restatements_are_small",
        "No later answer changed a figure by more than 5 %.",
        "SELECT day, model_permaslug, snapshot_id, tokens_before, tokens_after FROM {batch} "
        "WHERE abs(tokens_after - tokens_before) > 0.05 * tokens_before",
    ),
    on("mart.token_share_daily").critical(
        "shares_of_a_day_sum_to_one",
        "On every day and level the shares sum to 1, the tokens to tokens_total, and those of the "
        "rows in doubt to tokens_in_doubt.",
        "SELECT day, level, sum(share) AS shares, sum(tokens) AS tokens FROM {batch} "
        "GROUP BY day, level HAVING abs(shares - 1) > 1e-9 OR tokens <> max(tokens_total) "
        "OR min(tokens_total) <> max(tokens_total) OR min(tokens_in_doubt) <> max(tokens_in_doubt) "
        "OR coalesce(sum(tokens) FILTER (is_doubt), 0) <> max(tokens_in_doubt)",
    ),
    on("mart.token_share_daily").critical(
        "levels_have_the_same_tokens",
        "Countries and labs have the same tokens in all and in doubt on every day.",
        "SELECT day, count(DISTINCT level) AS n_levels FROM {batch} GROUP BY day HAVING "
        "n_levels <> 2 OR count(DISTINCT tokens_total) > 1 OR count(DISTINCT tokens_in_doubt) > 1",
    ),
    on("mart.token_share_daily").critical(
        "bounds_add_the_doubt",
        "A holder's share lies between its own tokens and those with all tokens in doubt; a row in "
        "doubt has no bounds.",
        "SELECT day, level, holder, share, share_lower, share_upper FROM {batch} WHERE CASE "
        "WHEN is_doubt THEN share_lower IS NOT NULL OR share_upper IS NOT NULL "
        "ELSE share_lower IS DISTINCT FROM share OR share_upper IS NULL "
        "OR abs(share_upper - share - tokens_in_doubt / tokens_total) > 1e-9 END",
    ),
)
