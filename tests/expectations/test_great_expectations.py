"""Great Expectations: quiet, offline, imported late, and its Data Docs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from copy import deepcopy
from datetime import date
from pathlib import Path

import pytest

from expectations.answers import Question
from expectations.context import ephemeral_context
from expectations.docs import build_docs
from expectations.rule import Rule
from expectations.suites import checks_for
from expectations.validate import _run_checks, opened
from tests.conftest import ROOT
from tests.support.markup import markup
from tests.support.pages import HOSTILE
from tests.support.validation import KNOWN, MODELS, NO_RULES, alone, models, validate


def test_validation_prints_and_logs_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    typo = Rule("typo", MODELS.table, "critical", "A typo.", "SELECT nn FROM {batch}")
    assert validate(models(tmp_path), rules=[typo]).failures("critical")
    assert capfd.readouterr() == ("", "")
    assert [r for r in caplog.records if r.name.startswith("great_expectations")] == []


def test_great_expectations_is_imported_only_for_validation() -> None:
    code = (
        "import sys, expectations.validate, expectations.docs; "
        "sys.exit(bool({'great_expectations', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_data_docs_show_every_table_of_every_stage(tmp_path: Path) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -77 WHERE model_id = 'b'")
    reports = [validate(path, *KNOWN), alone(path, "core.labs", rules=NO_RULES)]
    index = build_docs(reports, tmp_path / "docs", date(2026, 8, 15))
    assert index == tmp_path / "docs" / "index.html"
    text = index.read_text()
    assert "core.models" in text and "core.labs" in text
    pages = {p.relative_to(tmp_path / "docs").as_posix() for p in index.parent.rglob("*.html")}
    assert pages == {
        "index.html",
        "validations/core/core.models.html",
        "validations/core/core.labs.html",
        "validations/published/core.labs.html",
    }
    page = (index.parent / "validations/core/core.models.html").read_text()
    assert "n of core.models is at least 0 and at most 100." in page and "-77" in page
    every = [r for report in reports for r in report.results]
    for outcome in ("passed", "failed"):
        n = sum(r.outcome == outcome for r in every)
        assert f"{n} {'expectations ' if outcome == 'passed' else ''}{outcome}" in text
        assert n > 0


def test_data_docs_load_nothing_from_other_sites(tmp_path: Path) -> None:
    docs = build_docs([validate(models(tmp_path), *KNOWN)], tmp_path / "docs", date(2026, 8, 15))
    for page in docs.parent.rglob("*.html"):
        found = markup(page.read_text(encoding="utf-8"))
        assert found.inline == []
        assert found.tags.count("h1") == found.tags.count("title") == 1
        for link in [*found.loads, *found.links]:
            assert (page.parent / link).is_file(), link


def test_names_from_sources_are_text_in_data_docs(tmp_path: Path) -> None:
    """Failing rows are shown there: a name that is markup is shown as text."""
    hostile = HOSTILE.replace("'", "''")
    path = models(tmp_path, f"UPDATE core.models SET kind = '{hostile}', model_id = '{hostile}'")
    rule = Rule("named", MODELS.table, "critical", "No <b>.", "SELECT * FROM {batch}")
    report = validate(path, rules=[rule])
    assert report.failures("critical")
    docs = build_docs([report], tmp_path / "docs", date(2026, 8, 15)).parent
    pages = [p.read_text("utf-8") for p in docs.rglob("*.html")]
    assert any("&lt;img src=x" in page for page in pages)
    assert not any("<img src=x" in page or "<b>." in page for page in pages)


def test_data_docs_of_the_same_results_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models(tmp_path, "UPDATE core.models SET n = -77, lab_id = 'z', share = 'nan'")
    sites = []
    for zone in ("UTC", "Pacific/Kiritimati"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        folder = build_docs([validate(path)], tmp_path / zone, date(2026, 8, 15)).parent
        found = sorted(p for p in folder.rglob("*") if p.is_file())
        sites.append({p.relative_to(folder): p.read_bytes() for p in found})
    assert sites[0] == sites[1]


def test_reports_add_up_in_the_order_of_their_key(tmp_path: Path) -> None:
    path = models(tmp_path)
    one, two = validate(path, "core.models"), validate(path, "core.labs")
    assert (one + two).results == (two + one).results == validate(path, *KNOWN).results


OFFLINE = """
import os, socket, sys
from pathlib import Path

def refuse(*args, **kwargs):
    raise AssertionError("validation opened a network connection")

socket.socket.connect = socket.getaddrinfo = refuse
from tests.support.markup import markup
from tests.support.pages import HOSTILE
from tests.support.validation import models, validate
report = validate(models(Path(sys.argv[1])))
report.raise_for_critical()
from expectations.context import ephemeral_context
with ephemeral_context() as context:
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert context.variables.progress_bars == {"globally": False, "metric_calculations": False}
print(len(report.results))
"""


def test_validation_sends_no_analytics_and_opens_no_connection(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GX_")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (int(done.stdout) > 0, done.stderr) == (True, "")


def test_expectations_of_a_table_share_one_metric() -> None:
    from expectations.counting import METRIC, suite_for

    suite = suite_for(Question("core.models", MODELS.sql_name, checks_for(MODELS)))
    needed = {id(each.get_validation_dependencies()) for each in suite.expectations}
    (metric,) = suite.expectations[0].get_validation_dependencies().get_metric_configurations()
    assert len(suite.expectations) > 10 and len(needed) == 1
    assert metric.metric_name == METRIC


def test_configuration_is_computed_once_and_copies_share_the_expectation() -> None:
    from expectations.counting import Expectation, suite_for

    suite = suite_for(Question("core.models", MODELS.sql_name, checks_for(MODELS)))
    for made in suite.expectations:
        known = made.configuration
        assert known is made.configuration
        assert known.to_json_dict() == Expectation.configuration.fget(made).to_json_dict()
        copied = deepcopy(known)
        copied.kwargs["batch_id"] = "other"
        assert copied.to_domain_obj() is made and "batch_id" not in known.kwargs


FAULTS = (
    "UPDATE core.models SET n = -1, kind = NULL WHERE model_id = 'b'",
    "UPDATE core.models SET n = NULL, kind = 'its', share = -1 WHERE model_id = 'b'",
    "UPDATE core.models SET kind = NULL, share = NULL",
    "DELETE FROM core.models",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_results_are_those_of_great_expectations_own_metrics(tmp_path: Path, fault: str) -> None:
    """Every class of it that we answer from the one statement of a table."""
    from expectations.counting import CLASSES, gxe

    path = models(tmp_path, fault)
    question = Question("core.models", MODELS.sql_name, checks_for(MODELS))
    with ephemeral_context() as context, opened(context, path, [question]) as source:
        found = _run_checks(source, question).results
        ours = {r.expectation_config.meta["position"]: r for r in found}
        batch = source.get_asset("core.models").get_batch_definition("all").get_batch()
        for at, check in enumerate(checks_for(MODELS)):
            if check.arguments is not None:
                kind = getattr(gxe, "".join(map(str.capitalize, check.name.split("_"))))
                assert issubclass(CLASSES[check.name], kind)
                theirs = batch.validate(kind(**check.arguments), result_format="BASIC")
                expected = {k: v for k, v in theirs.result.items() if not k.startswith("partial_")}
                found = dict(ours[at].result)
                found.pop("partial_unexpected_list", None)
                assert (ours[at].success, found) == (theirs.success, expected), check.name
