"""`--check`: everything about REST and the stored connectors, and nothing is touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.support.daemon import penstockd, write_properties


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", key, "-out", pem],
        check=True, capture_output=True,
    )  # fmt: skip
    key.chmod(0o600)
    return pem, key


def worker(folder: Path, **settings: object) -> Path:
    """A worker's file; two underscores stand for a dot."""
    named = {name.replace("__", "."): value for name, value in settings.items()}
    settings = {"bootstrap.servers": "127.0.0.1:1", **named}
    return write_properties(folder / "worker.properties", settings)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    first, _ = certificate(tmp_path, "first")
    _, other = certificate(tmp_path, "other")
    users, stored = tmp_path / "users", tmp_path / "stored"
    users.write_text("nobody\n")
    users.chmod(0o600)
    stored.mkdir()
    config = {"name": "x", "connector.class": "S3CsvSnk"}
    (stored / "x.json").write_text(json.dumps({"name": "x", "config": config}))
    path = worker(
        tmp_path,
        listeners="https://0.0.0.0:0,http://no-such-host.invalid:1",
        rest__auth="basic",
        rest__auth__file=users,
        rest__ssl__certificate=first,
        rest__ssl__key=other,
        config__storage__dir=stored,
        buffer__memry="3m",
    )
    for arguments in (["--check"], []):  # a start says the same, and starts nothing
        done = penstockd(*arguments, path)
        assert done.returncode == 2
        for said in (
            f'{path}:8: unknown setting "buffer.memry"',
            f"{path}:2: listeners: the address of no-such-host.invalid is not known",
            f"{path}:4: rest.auth.file: {users}:1: ",
            f"{path}:6: rest.ssl.key: {other}: it is not the key of",
            f'{stored / "x.json"}: connector.class: unknown class "S3CsvSnk"',
            "5 errors",
        ):
            assert said in done.stderr, done.stderr


def test_what_is_open_to_others_needs_a_password(tmp_path: Path) -> None:
    path = worker(
        tmp_path, listeners="http://0.0.0.0:0", config__storage__dir=tmp_path / "new"
    )
    done = penstockd("--check", path)
    assert done.returncode == 2
    assert "rest.allow.insecure=true" in done.stderr
    assert not (tmp_path / "new").exists()


def test_files_that_are_no_pem(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, "good")
    junk = tmp_path / "junk"
    junk.write_text("junk")
    listeners, stored = "https://127.0.0.1:0", tmp_path / "new"
    settings = {"listeners": listeners, "config__storage__dir": stored}
    for certificate_file, key_file, said in (
        (junk, key, "there is no PEM certificate in it"),
        (pem, junk, "there is no PEM private key in it"),
        (tmp_path / "none", key, "cannot be opened"),
    ):
        path = worker(
            tmp_path,
            **settings,
            rest__ssl__certificate=certificate_file,
            rest__ssl__key=key_file,
        )
        done = penstockd("--check", path)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    good = worker(tmp_path, **settings, rest__ssl__certificate=pem, rest__ssl__key=key)
    done = penstockd("--check", good)
    assert (done.returncode, done.stdout) == (0, "settings are correct\n"), done.stderr
    assert not stored.exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    path = worker(tmp_path, listeners="", config__storage__dir="/proc/none/stored")
    done = penstockd("--check", path)
    assert done.returncode == 2
    assert f"{path}:3: config.storage.dir: /proc/none/stored: " in done.stderr


def test_what_the_start_would_refuse(tmp_path: Path) -> None:
    five = ",".join(["http://127.0.0.1:0"] * 5)
    stored = tmp_path / "new"
    path = worker(tmp_path, listeners=five, config__storage__dir=stored)
    done = penstockd("--check", path)
    assert done.returncode == 2
    assert f"{path}:2: listeners: more than 4" in done.stderr
    _, key = certificate(tmp_path, "one")
    key.write_text("junk")  # alone, and on plain HTTP
    path = worker(
        tmp_path,
        listeners="http://127.0.0.1:0",
        config__storage__dir=stored,
        rest__ssl__key=key,
    )
    done = penstockd("--check", path)
    assert done.returncode == 2
    assert "there is no PEM private key in it" in done.stderr


def test_a_taken_name_is_told_with_the_rest(tmp_path: Path) -> None:
    stored = tmp_path / "stored"
    stored.mkdir()
    config = {
        "name": "taken",
        "connector.class": "RandomUserSource",
        "kafka.topic": "users",
    }
    text = json.dumps({"name": "taken", "config": config})
    (stored / "taken.json").write_text(text)
    source = write_properties(tmp_path / "source.properties", config)
    path = worker(tmp_path, listeners="http://0.0.0.0:0", config__storage__dir=stored)
    done = penstockd("--check", path, source)
    assert done.returncode == 2
    assert "rest.allow.insecure=true" in done.stderr
    assert "or remove this one" in done.stderr, done.stderr


def test_print_config_needs_no_files_of_rest(tmp_path: Path) -> None:
    path = worker(
        tmp_path,
        listeners="http://127.0.0.1:0",
        config__storage__dir=tmp_path / "new",
        rest__auth="basic",
        rest__auth__file=tmp_path / "none",
    )
    assert penstockd("--print-config", path).returncode == 0
    assert penstockd("--check", path).returncode == 2
