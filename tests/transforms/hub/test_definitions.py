"""Populations, metrics and kinds: every rule has its definition in words, and the reverse."""

from __future__ import annotations

from transforms.hub.definitions import FIRST_PARTY_KINDS, METRICS, POPULATIONS, WINDOWS
from transforms.mart.attribution_range import ANY
from warehouse.contracts.table import contract
from warehouse.contracts.vocabulary import vocabulary


def test_every_population_has_a_rule_and_a_definition() -> None:
    assert list(POPULATIONS) == list(vocabulary("population"))
    assert [*POPULATIONS, ANY] == list(vocabulary("population_or_any"))


def test_every_metric_has_a_rule_a_window_and_a_definition() -> None:
    assert list(METRICS) == list(WINDOWS) == list(vocabulary("metric"))
    assert set(WINDOWS.values()) == set(vocabulary("metric_window"))


def test_first_party_kinds_are_kinds_of_the_registry() -> None:
    assert list(FIRST_PARTY_KINDS) == list(vocabulary("first_party_kind"))
    assert set(FIRST_PARTY_KINDS) < set(vocabulary("kind"))


def test_a_column_with_a_vocabulary_has_its_values_and_explains_them() -> None:
    column = contract("mart.country_share_daily").columns["population"]
    assert column.values == POPULATIONS
    for word, meaning in vocabulary("population").items():
        assert f"{word} = {meaning}" in column.description
