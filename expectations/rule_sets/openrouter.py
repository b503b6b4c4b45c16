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
)
