"""The page as a person has it: states, media, widths, axe-core's findings."""

from __future__ import annotations

import json
from typing import Any

from tests.airflow.bringup.browser import Browser
from tests.services.install import axe_core

PHONE = 375
DESK = 1200
STATE = """
    (name => [...document.querySelectorAll('.card')]
        .filter(c => c.querySelector('h2').textContent === name)
        .map(c => [c.querySelector('.top .pill').textContent,
                   ...[...c.querySelectorAll('tbody .pill')].map(p => p.textContent)])[0])
"""


def width(browser: Browser, pixels: int, height: int = 900) -> None:
    """A window so wide; a phone when it is narrow."""
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=pixels, height=height, deviceScaleFactor=1, mobile=pixels < 600,
    )  # fmt: skip


def colours(browser: Browser, scheme: str) -> None:
    """`light` or `dark`, as the system says it."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.call("Emulation.setEmulatedMedia", features=[feature])


def states(browser: Browser, name: str) -> list[str]:
    """What the page says: the connector's state, then its tasks'."""
    found = browser.run(f"{STATE}({json.dumps(name)})")
    return [str(word) for word in found or []]


def wait_states(browser: Browser, name: str, *wanted: str) -> None:
    """Until the page says just these."""
    script = f"JSON.stringify({STATE}({json.dumps(name)}))"
    browser.wait(f"{script} === JSON.stringify({json.dumps(list(wanted))})")


def overflow(browser: Browser) -> int:
    """By how many pixels the page is wider than its window."""
    return int(
        browser.run("document.documentElement.scrollWidth - document.body.clientWidth")
    )


def serious(browser: Browser) -> list[str]:
    """What axe-core finds serious or critical: rule, help and the first places."""
    browser.run(axe_core().read_text(encoding="utf-8") + "; true")
    found: dict[str, Any] = browser.run(
        "axe.run(document, {resultTypes: ['violations', 'passes']})"
        ".then(r => ({passes: r.passes.length, violations: r.violations.map(v => "
        "({id: v.id, impact: v.impact, help: v.help, "
        "at: v.nodes.slice(0, 3).map(n => n.html)}))}))"
    )
    assert found["passes"] >= 10, found  # it has looked at something
    return [
        f"{v['id']} ({v['impact']}): {v['help']} {v['at']}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
    ]
