"""The man pages: groff finds nothing to say, and nothing of the program is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import ROOT, binary

PAGES = ("penstockd.8", "penstockd.properties.5")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, made by the program of this tree."""
    folder = tmp_path_factory.mktemp("man")
    script = ROOT / "scripts" / "man.py"
    subprocess.run([sys.executable, script, binary(), folder], check=True)
    return folder


def warnings(page: Path) -> str:
    """What groff says of a page, all warnings on."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", page],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr + (f"exit {done.returncode}" * bool(done.returncode))


def shown(page: Path) -> str:
    """A page as a wide terminal shows it, without bold and hyphenation."""
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-rLL=300n", "-rHY=0", page],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_groff_has_nothing_to_say(pages: Path, tmp_path: Path) -> None:
    assert sorted(path.name for path in pages.iterdir()) == sorted(PAGES)
    for name in PAGES:
        assert warnings(pages / name) == ""
    wrong = tmp_path / "wrong.8"
    wrong.write_text((pages / PAGES[0]).read_text() + ".nosuchrequest\n\\*[nosuch]\n")
    assert warnings(wrong) != ""


def test_every_setting_is_there(pages: Path) -> None:
    text = shown(pages / PAGES[1])
    reference = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    names = re.findall(r'^\| <a id="[^"]+"></a>`([^`]+)`', reference, re.M)
    assert len(names) > 100
    assert not [
        name for name in names if not re.search(rf"^ +{re.escape(name)}\b", text, re.M)
    ]


def test_every_option_is_there(pages: Path) -> None:
    text = shown(pages / PAGES[0])
    usage = subprocess.run(
        [binary(), "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"^  (--[a-z-]+)", usage, re.M))
    assert "--until-end" in options
    assert not [option for option in options if option not in text]
    for section in ("SYNOPSIS", "SIGNALS", "EXIT STATUS", "EXAMPLES", "FILES"):
        assert f"\n{section}\n" in text
    examples = re.findall(r"^  (penstockd .*)$", usage, re.M)
    assert examples
    assert not [line for line in examples if line not in text]
