"""Numbers, dates and names as people read them."""

from __future__ import annotations

import json
import logging
from datetime import date, datetime

import pytest

from flows.reports.text import (
    display,
    json_printable,
    one_line,
    percent,
    printable,
    probability,
    size,
)
from tests.support.command_line import HOSTILE, assert_harmless
from warehouse.storage.redact import hide, redact_logs


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0, "0.0 %"),
        (6.4e-06, "< 0.1 %"),
        (0.1234, "12.3 %"),
        (0.99999, "> 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_a_share_is_a_percentage(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "< 0.1 %"), (0.5, "50.0 %"), (1.0, "> 99.9 %")]
)
def test_a_probability_is_never_0_or_100(value: float | None, text: str) -> None:
    assert probability(value) == text


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (24_699_970, "24.7 MB"), (2 * 10**12, "2.0 TB")],
)
def test_a_size_has_a_unit(n_bytes: int, text: str) -> None:
    assert size(n_bytes) == text


@pytest.mark.parametrize(
    ("value", "name", "unit", "text"),
    [
        (True, "", None, "yes"),
        (1234567, "rows", None, "1,234,567"),
        (2026, "year", None, "2026"),
        (24_699_970, "bytes", None, "24.7 MB"),
        (0.25, "downloads_share", None, "25.0 %"),
        (0.25, "value", "share", "25.0 %"),
        (0.25, "coverage", None, "25.0 %"),
        (9.7e-07, "probability_best", None, "< 0.1 %"),
        (1475.0, "rating", "arena points", "1,475"),
        (0.0, "gap", None, "0"),
        (-2.5e-06, "gap", None, "> -0.001"),
        (12.3456, "gap", None, "12.35"),
        (date(2026, 8, 15), "", None, "2026-08-15"),
        (datetime(2026, 8, 15, 4, 30, 1), "", None, "2026-08-15 04:30"),
        ((), "", None, "–"),
        (["a", None], "", None, "a, –"),
        ({"country_code": "CN"}, "", None, "country_code=CN"),
        ("text", "", None, "text"),
    ],
)
def test_a_value_is_readable(value: object, name: str, unit: str | None, text: str) -> None:
    assert display(value, name, unit) == text


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[2Jb\u202ec\nd") == "a\ufffd[2Jb\ufffdc\nd"


@pytest.mark.parametrize("text", [HOSTILE, "\x9b2J", "\U000e0041\u200b", "\ud800", "plain"])
def test_json_has_no_character_that_steers_a_terminal_and_the_same_content(text: str) -> None:
    written = json_printable(json.dumps({text: [text]}, ensure_ascii=False, indent=1))
    assert_harmless(written)
    assert json.loads(written) == {text: [text]}


def test_a_message_for_other_programs_is_one_line_without_markup() -> None:
    shown = one_line(f"{HOSTILE} <!channel> <https://evil|good>")
    assert_harmless(shown)
    assert "\n" not in shown
    assert "<" not in shown


def test_names_and_secrets_in_any_log_are_inert(caplog: pytest.LogCaptureFixture) -> None:
    hide("MarkedSecretOfTheTest")
    redact_logs(printable)
    logging.getLogger("observatory.test").warning("%s has %s", HOSTILE, "MarkedSecretOfTheTest")
    try:
        raise ValueError("https://me:hunter2@h/x?token=hunter2 MarkedSecretOfTheTest")
    except ValueError:
        logging.getLogger("httpx").exception("GET %s", "https://me:hunter2@h/x")
    assert_harmless(caplog.records[0].getMessage())
    assert "Traceback" in caplog.text
    assert "hunter2" not in caplog.text
    assert "MarkedSecret" not in caplog.text
