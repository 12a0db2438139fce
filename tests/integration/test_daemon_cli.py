"""The command line: help, version, checks, the printed configuration, exit statuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.landing import SCHEMA
from tests.support import penstockd, sink_config
from tests.support.daemon import ROOT, write_properties

KEY, SECRET = "AKIDEXAMPLE", "hunter2-hunter2"
SASL = "tops3cret-tops3cret"


def files(
    folder: Path, worker: Mapping[str, object], *sinks: Mapping[str, object]
) -> list[Path]:
    """The .properties files of a worker and its connectors."""
    paths = [write_properties(folder / "worker.properties", worker)]
    for number, sink in enumerate(sinks):
        paths.append(write_properties(folder / f"sink-{number}.properties", sink))
    return paths


def correct(folder: Path) -> list[Path]:
    """Files in which nothing is wrong, with secrets; nothing listens where they point."""
    worker = {
        "bootstrap.servers": "127.0.0.1:1",
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "someone",
        "sasl.password": SASL,
    }
    keys = {"aws__access__key__id": KEY, "aws__secret__access__key": SECRET}
    return files(
        folder, worker, sink_config("t", SCHEMA, "http://127.0.0.1:1", "bucket", **keys)
    )


def test_help_names_every_option_and_exit_status() -> None:
    done = penstockd("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (
        "--check", "--print-config", "--until-end", "--help", "--version",
        "usage: penstockd", "Exit status: 0", "examples:",
    ):  # fmt: skip
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 90


def test_help_of_a_connector_lists_its_settings() -> None:
    done = penstockd("--help", "S3CsvSink")
    assert (done.returncode, done.stderr) == (0, "")
    for name in (
        "topics", "value.schema", "store.url", "s3.bucket.name", "flush.size",
        "rotate.schedule.interval.ms", "csv.sep", "errors.tolerance",
    ):  # fmt: skip
        assert f"\n  {name}" in done.stdout
    assert "default: 10000" in done.stdout or "default: 10 s" in done.stdout
    worker = penstockd("--help", "worker")
    assert "bootstrap.servers" in worker.stdout
    source = penstockd("--help", "RandomUserSource")
    assert "randomuser.url" in source.stdout


def test_help_of_something_unknown_names_what_there_is() -> None:
    done = penstockd("--help", "S3CsvSnk")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    for name in ("S3CsvSnk", "worker", "S3CsvSink", "RandomUserSource"):
        assert name in done.stderr


def test_version_is_the_projects() -> None:
    done = penstockd("--version")
    version = (ROOT / "VERSION").read_text().strip()
    assert (done.returncode, done.stdout) == (0, f"penstockd {version}\n")


def test_an_unknown_option_and_too_few_files_are_told(tmp_path: Path) -> None:
    worker = correct(tmp_path)[0]
    for args, word in (
        (["--until-the-end"], "--until-the-end"),
        ([], "properties"),
        ([worker], "connector"),
    ):
        done = penstockd(*args)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert word in done.stderr
        assert "--help" in done.stderr


def test_check_of_correct_settings_starts_nothing(tmp_path: Path) -> None:
    done = penstockd("--check", *correct(tmp_path), timeout=5)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "settings are correct\n",
        "",
    )


def test_check_of_wrong_settings_says_what_and_where(tmp_path: Path) -> None:
    paths = correct(tmp_path)
    with paths[1].open("a") as sink:
        sink.write("flush.size=many\n")
    done = penstockd("--check", *paths, timeout=5)
    assert (done.returncode, done.stdout) == (2, "")
    line = len(paths[1].read_text().splitlines())
    assert f"{paths[1]}:{line}: flush.size" in done.stderr
    assert "1 error in the settings" in done.stderr


@pytest.mark.parametrize(
    ("lines", "key", "text"),
    [
        ("select=nosuch", "select", "at character 1: no column 'nosuch'"),
        ("select=id, id", "select", "column 'id' is selected twice"),
        ("select=headers", "select", "which no column of an object can hold"),
        ("select=to_date(id, 'qqqq')", "select", "illegal pattern character: q"),
        (
            "json.columnNameOfCorruptRecord=bad\nvalue.schema=id STRING, bad INT",
            "value.schema",
            "column 'bad' holds bad records and must be STRING",
        ),
    ],
)
def test_check_finds_columns_that_do_not_go_together(
    tmp_path: Path, lines: str, key: str, text: str
) -> None:
    paths = correct(tmp_path)
    with paths[1].open("a") as sink:
        sink.write(f"{lines}\n")
    done = penstockd("--check", *paths, timeout=5)
    assert (done.returncode, done.stdout) == (2, "")
    line = len(paths[1].read_text().splitlines())
    assert f"{paths[1]}:{line}: {key}: " in done.stderr
    assert text in done.stderr
    assert "1 error in the settings" in done.stderr


def test_print_config_has_every_setting_and_no_secret(tmp_path: Path) -> None:
    done = penstockd("--print-config", *correct(tmp_path), timeout=5)
    assert (done.returncode, done.stderr) == (0, "")
    settings = dict(
        line.split("=", 1)
        for line in done.stdout.splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert settings["aws.secret.access.key"] == settings["sasl.password"] == "****"
    assert settings["rotate.schedule.interval.ms"] == "1000"
    assert settings["buffer.memory"] == "64m"
    assert settings["topics.dir"] == "topics"
    for secret in (SECRET, SASL):
        assert secret not in done.stdout


def test_what_print_config_prints_is_a_configuration(tmp_path: Path) -> None:
    paths = correct(tmp_path)
    printed = penstockd("--print-config", *paths).stdout
    sections = printed.split("# S3CsvSink\n")
    assert len(sections) == 2
    again = [tmp_path / "again-worker.properties", tmp_path / "again-sink.properties"]
    for path, text in zip(again, sections, strict=True):
        path.write_text(text)
    done = penstockd("--print-config", *again)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == printed


def test_secrets_by_reference_are_resolved_and_masked(tmp_path: Path) -> None:
    paths = correct(tmp_path)
    kept = write_properties(tmp_path / "secrets", {"key": SECRET})
    text = paths[1].read_text()
    text = text.replace(f"aws.access.key.id={KEY}", "aws.access.key.id=${env:S3_ID}")
    text = text.replace(SECRET, f"${{file:{kept}:key}}")
    paths[1].write_text(text)
    done = penstockd("--print-config", *paths, env={"S3_ID": KEY})
    assert done.returncode == 0, done.stderr
    assert "aws.access.key.id=****" in done.stdout
    assert "aws.secret.access.key=****" in done.stdout
    for secret in (KEY, SECRET):
        assert secret not in done.stdout + done.stderr
