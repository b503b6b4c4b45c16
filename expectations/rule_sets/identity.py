"""Rules of model identities and families."""

from __future__ import annotations

from expectations.rule import Rule, on

IDENTITY: tuple[Rule, ...] = (
    on("core.model_identities").critical(
        "one_model_of_a_system_per_model_id",
        "Two names of one system share a model_id only if both are listed as its aliases, if one "
        "is the display name of the other's key, or if they differ by case alone.",
        "SELECT system, model_id, min(name) AS one_name, max(name) AS other_name, "
        "count(DISTINCT lower(trim(name))) AS n_names, count(DISTINCT lower(trim(name))) "
        "FILTER (rule IN ('raw', 'normal_form')) AS n_own FROM {batch} "
        # Most keys occur once; only the others are grouped.
        "WHERE hash(system, model_id) IN (SELECT hash(system, model_id) FROM {batch} "
        "GROUP BY ALL HAVING count(*) > 1) GROUP BY system, model_id "
        "HAVING n_names > 1 AND (n_own > 1 OR (n_own = 1 AND bool_or(rule = 'alias')))",
    ),
    on("core.model_families").warning(
        "model_matches_one_family",
        "No model matches two families with the same priority. Change the priority of one of the "
        "rules.",
        "SELECT system, model_name, rule FROM {batch} WHERE family_id IS NULL",
    ),
)
