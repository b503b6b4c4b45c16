"""The environment of a run: `.env`, empty values, values that were copied badly, wrong names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.environment import (
    NAMES,
    OTHER_VARIABLES,
    EnvironmentFileError,
    prepare_environment,
    setting_names,
)
from flows.settings import Settings
from tests.conftest import ROOT
from tests.support.command_line import call, run_module
from warehouse.storage.redact import redact

OTHERS = sorted(name for name, _, _ in OTHER_VARIABLES if "*" not in name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty, without the variables that are tested."""
    monkeypatch.chdir(tmp_path)
    for name in (*NAMES, "no_proxy"):  # which wins over NO_PROXY
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def prepared(folder: Path, content: str | bytes) -> dict[str, str]:
    """The environment after a `.env` with this content was loaded."""
    (folder / ".env").write_bytes(content.encode() if isinstance(content, str) else content)
    prepare_environment()
    return dict(os.environ)


@pytest.mark.parametrize("name", [*sorted(NAMES - {"AWS_*"}), "AWS_PROFILE", "AWS_CA_BUNDLE"])
def test_every_documented_name_is_read_from_the_file(folder: Path, name: str) -> None:
    assert prepared(folder, f"{name}=from-the-file\n")[name] == "from-the-file"


def test_every_documented_name_is_one_that_is_read() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    for name in NAMES:
        assert f"`{name}`" in page


@pytest.mark.parametrize("name", OTHERS)
def test_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "from-the-environment")
    assert prepared(folder, f"{name}=from-the-file\n")[name] == "from-the-environment"


@pytest.mark.parametrize(
    ("environment", "file"),
    [
        ("HF_ENDPOINT", "OBSERVATORY_HUB_URL"),
        ("AWS_DEFAULT_REGION", "AWS_REGION"),
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
        ("AWS_PROFILE", "AWS_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"),
    ],
)
def test_the_environment_wins_over_another_name_for_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, environment: str, file: str
) -> None:
    monkeypatch.setenv(environment, "from-the-environment")
    assert file not in prepared(folder, f"{file}=from-the-file\n")


@pytest.mark.parametrize(
    "content",
    [
        "HF_TOKEN=hf_abc\n",
        'HF_TOKEN="hf_abc"\n',
        "HF_TOKEN='hf_abc'  # of the robot\n",
        "export HF_TOKEN=hf_abc\n",
        "# first\r\n\r\nHF_TOKEN=hf_abc\r\nGITHUB_TOKEN=x\r\n",
        b"\xef\xbb\xbfHF_TOKEN=hf_abc",
        "HF_TOKEN = hf_abc \n",
        "HF_TOKEN=\ufeffhf_abc\n",
        "hf_token=hf_abc\n",
    ],
)
def test_a_file_may_be_written_in_any_usual_way(folder: Path, content: str | bytes) -> None:
    assert prepared(folder, content)["HF_TOKEN"] == "hf_abc"


def test_a_token_is_read_as_it_is_written(folder: Path) -> None:
    content = "AWS_SECRET_ACCESS_KEY=a$b${c}d#e\nOBSERVATORY_ARCHIVE=${HOME}/data\n"
    env = prepared(folder, content)
    assert env["AWS_SECRET_ACCESS_KEY"] == "a$b${c}d#e"
    assert env["OBSERVATORY_ARCHIVE"] == f"{env['HOME']}/data"


@pytest.mark.parametrize("name", ["OBSERVATORY_ALERT_URL", "AWS_ENDPOINT_URL_S3", "HTTPS_PROXY"])
def test_secrets_of_any_address_are_hidden(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "https://me:Marked%2FSecret@h.example/x?k=Another%2FSecret")
    prepare_environment()
    text = "Marked/Secret Marked%2FSecret Another/Secret h.example"
    assert redact(text) == "… … … h.example"


@pytest.mark.parametrize("value", ["", " ", "\t\r\n", '""', "' '", "\ufeff"])
def test_an_empty_variable_is_unset(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    names = [n for names in setting_names().values() for n in names] + OTHERS
    for name in names:
        monkeypatch.setenv(name, value)
    prepare_environment()
    assert not set(names) & os.environ.keys()
    assert Settings().model_fields_set == set()
    env = prepared(folder, "\n".join(f"{name}=9" for name in names))
    assert {name: env.get(name) for name in names} == dict.fromkeys(names, "9")


@pytest.mark.parametrize("value", ["", " ", "\t\r\n", "\ufeff"])
def test_an_empty_setting_of_prefect_is_unset(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", value)
    monkeypatch.setenv("PREFECT_API_KEY", "kept as it is ")
    prepare_environment()
    assert "PREFECT_API_URL" not in os.environ
    assert os.environ["PREFECT_API_KEY"] == "kept as it is "


@pytest.mark.parametrize("name", ["OBSERVATORY_PUBLISH_TO", "OBSERVATORY_SOURCES"])
@pytest.mark.parametrize("value", [",", " , ,"])
def test_a_list_of_empty_entries_is_unset(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    prepare_environment()
    assert name not in os.environ


@pytest.mark.parametrize("value", ["hf_\u201cabc\u201d", "hf_a bc", "hf_abc\nX: y", "hf_abc\x07"])
def test_a_token_that_cannot_be_one_is_named_and_not_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", value)
    done = call("status")
    assert done.exit_code == 2
    assert "error: HF_TOKEN contains the character U+" in done.stderr
    assert "abc" not in done.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfeO\x00B\x00", "UTF-8 text file of NAME=value lines"),
        (b"HF_TOKEN=a\x00b\n", "HF_TOKEN contains the character U+0000"),
    ],
)
def test_a_file_that_is_not_text_is_named(folder: Path, content: bytes, message: str) -> None:
    with pytest.raises(EnvironmentFileError, match=message.replace("+", r"\+")):
        prepared(folder, content)


def test_a_folder_instead_of_the_file_is_named(folder: Path) -> None:
    (folder / ".env").mkdir()
    done = call("status")
    assert done.exit_code == 2
    assert ".env is a folder" in done.stderr


@pytest.mark.parametrize(
    ("environment", "file", "message"),
    [
        ("OBSERVATORY_PUBLISH_TOO", "", "did you mean OBSERVATORY_PUBLISH_TO?"),
        ("OBSERVATORY_COLOR", "", "see docs/reference/settings.md"),
        ("", "OBSERVATORY_ARCHVE=x", "did you mean OBSERVATORY_ARCHIVE?"),
        ("", "HF_TOKN=x", "HF_TOKN in .env is not read from there; did you mean HF_TOKEN?"),
        ("", "HF_HUB_OFFLINE=1", "HF_HUB_OFFLINE in .env is not read from there"),
    ],
)
def test_a_name_that_is_not_read_is_named_with_a_suggestion(
    folder: Path, monkeypatch: pytest.MonkeyPatch, environment: str, file: str, message: str
) -> None:
    if environment:
        monkeypatch.setenv(environment, "x")
    (folder / ".env").write_text(file)
    assert message in " ".join(call("status").stderr.split())


def test_names_of_other_programs_are_not_loaded_and_not_mentioned(folder: Path) -> None:
    env = prepared(folder, "POSTGRES_PASSWORD=x\nPREFECT_API_URL=y\nPATH=z\n")
    assert "POSTGRES_PASSWORD" not in env
    assert env["PATH"] != "z"
    assert call("status").stderr == ""


@pytest.mark.slow
def test_the_file_counts_before_libraries_read_their_variables(folder: Path) -> None:
    (folder / ".env").write_text("POLARS_MAX_THREADS=3\nHF_ENDPOINT=http://127.0.0.1:9\n")
    for module in (
        "flows.pipeline",
        "flows.cli.app, flows.environment as e; e.prepare_environment()",
    ):
        code = (
            f"import {module}\nimport polars, huggingface_hub.constants as c\n"
            "print(polars.thread_pool_size(), c.ENDPOINT)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(folder / "prefect")},
        )  # fmt: skip
        assert done.stdout == "3 http://127.0.0.1:9\n"


def test_a_wrong_file_ends_a_process_without_a_command_line(folder: Path) -> None:
    (folder / ".env").write_text("HF_TOKEN=a b\n")
    done = subprocess.run(
        [sys.executable, "-c", "import flows.load_environment"], cwd=folder, capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: HF_TOKEN contains the character U+0020")
    assert "Traceback" not in done.stderr


def test_s3_requests_go_to_the_server_of_the_file(folder: Path) -> None:
    (folder / ".env").write_text("AWS_ENDPOINT_URL_S3=http://127.0.0.1:9\n")
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test"}
    done = run_module(folder, "releases", "list", "--publish-to=s3://bucket", **keys)
    assert done.returncode == 6
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr


@pytest.mark.parametrize(
    "name", ["ARCHIVE", "WAREHOUSE", "DOCS", "HISTORY", "BACKFILLS", "AI_INDEX_FILES"]
)
@pytest.mark.parametrize("value", ["s3://bucket/x", "s3:/bucket", "https://me:hunter2@h/x"])
def test_a_local_path_is_not_an_address(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"OBSERVATORY_{name}", value)
    done = call("status")
    assert done.exit_code == 2
    assert f"{name.lower()}: {value.split('/', maxsplit=1)[0]}/" in done.stderr
    assert "is an address; this must be on a local disk" in " ".join(done.stderr.split())
    assert "hunter2" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PUBLISH_TO", '["a", "b"]', "is not a comma-separated list"),
        ("PUBLISH_TO", "data,s3:/bucket", "is neither a folder nor an address"),
        ("ARCHIVE_COPY", "s3:/bucket", "is neither a folder nor an address"),
        ("ARCHIVE_COPY", "ftp://x", "unsupported kind of storage"),
        ("EPOCH_URL", "https://me:hun/ter2@h", "percent-encode special characters of a password"),
        ("EPOCH_URL", "me:hunter2@h/x", "the value is not an http:// or https:// address"),
        ("AI_INDEX_URL", "h?token=hunter2", "the value is not an http:// or https:// address"),
    ],
)
def test_a_setting_that_would_be_misread_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"OBSERVATORY_{name}", value)
    done = call("status")
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert "ter2" not in done.stderr
    assert list(folder.iterdir()) == []


def test_no_place_to_publish_to_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place given"):
        Settings(publish_to=())
