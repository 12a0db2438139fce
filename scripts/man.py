"""Man pages from what `penstockd --help` says: penstockd(8), penstockd.properties(5).

    python scripts/man.py build/penstockd build/man

Text comes from the program alone, so a page cannot tell something else than it does.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# How the line begins that tells what values a setting takes.
KINDS = ("text", "true or false", "whole number", "number", "list,", "bytes (",
         "milliseconds (", "one of ", "POSIX extended")  # fmt: skip
TOPICS = ("worker", "S3CsvSink", "RandomUserSource")
FILES = """\
.SH FILES
.TP
.I /etc/penstock/worker.properties
The worker's settings, where the systemd unit looks for them.
.TP
.I /etc/penstock/connectors/*.properties
The connectors', a file each.
"""
SYNTAX = """\
.SH DESCRIPTION
The files that
.BR penstockd (8)
reads: one for the worker, one for each connector, in the format of Java's properties.
.PP
A line is a name and a value with = between them; # and ! begin comments, a \\e at the
end goes on in the next line, and in a value \\et, \\en, \\e\\e and \\eu00e9 are what
they are in Java.
${env:NAME} and ${file:/path:key} in a value stand for a variable of the environment and
for a value of another properties file: secrets belong there, and what comes from there
is shown nowhere.
.PP
An unknown name is an error that tells the nearest known one.
.B penstockd --check
tells all errors of all files at once, by file and line.
"""


def escape(text: str) -> str:
    """Text as roff has to have it: no line begins a request, hyphens stay hyphens."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = text.replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("…", "...")
    return "\\&" + text if text.startswith((".", "'")) else text


def asked(program: str, *topic: str) -> list[str]:
    """The lines of `penstockd --help [topic]`."""
    done = subprocess.run(
        [program, "--help", *topic], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def header(name: str, section: int, version: str, about: str) -> str:
    """A page's head and its NAME."""
    title = f'.TH {name.upper()} {section} "" "penstock {version}"'
    return f"{title}\n.SH NAME\n{name} \\- {about}\n"


def options(lines: list[str]) -> str:
    """`  --name  text` and its further lines."""
    out = []
    for line in lines:
        found = re.match(r"  (--\S+(?: \S+)?) {2,}(.*)", line)
        if found:
            out += [".TP", f".B {escape(found[1])}", escape(found[2])]
        else:
            out.append(escape(line.strip()))
    return "\n".join(out) + "\n"


def daemon_page(program: str, version: str) -> str:
    """penstockd(8)."""
    text = "\n".join(asked(program))
    blocks = [block.splitlines() for block in text.split("\n\n")]
    usage, about, files, listed, examples, ends = blocks
    signals = "\n".join(ends)
    cut = signals.index("Exit status:")
    out = header("penstockd", 8, version, "lands Kafka topics as CSV objects in S3")
    out += ".SH SYNOPSIS\n.B " + escape(usage[0].removeprefix("usage: ")) + "\n"
    out += ".SH DESCRIPTION\n" + "\n".join(map(escape, about)) + "\n.PP\n"
    out += "\n".join(map(escape, files)) + "\n.SH OPTIONS\n" + options(listed)
    out += ".SH SIGNALS\n" + escape(signals[len("Signals: ") : cut].strip()) + "\n"
    out += ".SH EXIT STATUS\n" + escape(signals[cut + len("Exit status: ") :]) + "\n"
    out += ".SH EXAMPLES\n.EX\n"
    out += "\n".join(escape(line.strip()) for line in examples[1:]) + "\n.EE\n"
    return out + FILES + ".SH SEE ALSO\n.BR penstockd.properties (5)\n"


def settings(topic: str, lines: list[str]) -> str:
    """All settings of a topic: titles at the margin, names by 2, text by 6 columns."""
    out = [f".SH {topic.upper()}"]
    for line in lines[1:]:
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if depth == 0:
            out.append(f".SS {escape(line)}")
        elif depth == 2 and ".SS" in "".join(out[1:]):
            out += [".TP", f".B {escape(line.strip())}"]
        else:
            out += [".br"] if line.strip().startswith(KINDS) else []
            out.append(escape(line.strip()))
    return "\n".join(out) + "\n"


def settings_page(program: str, version: str) -> str:
    """penstockd.properties(5)."""
    about = "settings of penstockd and its connectors"
    out = header("penstockd.properties", 5, version, about) + SYNTAX
    out += "".join(settings(topic, asked(program, topic)) for topic in TOPICS)
    return out + ".SH SEE ALSO\n.BR penstockd (8)\n"


def main() -> None:
    """Writes both pages."""
    program, folder = sys.argv[1], Path(sys.argv[2])
    done = subprocess.run(
        [program, "--version"], capture_output=True, check=True, text=True
    )
    version = done.stdout.split()[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "penstockd.8").write_text(daemon_page(program, version))
    (folder / "penstockd.properties.5").write_text(settings_page(program, version))


if __name__ == "__main__":
    main()
