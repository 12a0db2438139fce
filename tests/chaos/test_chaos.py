"""Chaos for CI: minutes of fixed seeds, the zombie, and what must stop a daemon."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from tests.chaos import mutant, scenarios, zombie
from tests.chaos.campaign import GAP_BOUND, Order, Verdict, run
from tests.chaos.layouts import Layout
from tests.chaos.schedule import kills, kinds_of, plan
from tests.chaos.stack import program
from tests.services import install
from tests.support import AuditError

pytestmark = [pytest.mark.slow, pytest.mark.services]


@pytest.fixture(scope="module", autouse=True)
def _services() -> None:
    """Fetched before a test's clock runs."""
    install.everything()


def passed(verdict: Verdict) -> Verdict:
    """A campaign that was right, and really had faults."""
    assert verdict.passed, "\n".join([verdict.line, *verdict.problems])
    assert verdict.records > 0
    assert verdict.faults > 0
    return verdict


def test_the_same_seed_gives_the_same_schedule() -> None:
    s3, directory = kinds_of("s3"), kinds_of("directory")
    assert plan(7, 600, s3, 4) == plan(7, 600, s3, 4)
    assert plan(7, 600, s3, 4) != plan(8, 600, s3, 4)
    assert kills(7, 200, 4) == kills(7, 200, 4)
    assert len(kills(7, 200, 4)) == 200
    aimed = [event.kind for event in kills(7, 30, 4, routed=True)]
    assert aimed.count("between") == 20
    # A long campaign meets every kind, and many faults of each.
    twenty_minutes = plan(7, 1200, s3, 4)
    assert {event.kind for event in twenty_minutes} == {kind.name for kind in s3}
    assert len(twenty_minutes) >= 200
    assert {event.kind for event in plan(7, 600, directory, 4)} == {
        kind.name for kind in directory
    }


@pytest.mark.timeout(600)
def test_two_minutes_of_faults_on_s3() -> None:
    assert passed(run(Order(minutes=2, seed=20, daemons=4))).kinds >= 12


@pytest.mark.timeout(480)
def test_a_minute_of_faults_on_a_directory() -> None:
    assert passed(run(Order(minutes=1, seed=21, store="directory", daemons=3))).kinds >= 6


@pytest.mark.timeout(480)
def test_kills_alone_leave_short_gaps() -> None:
    """`make chaos CHAOS="--kills N"` judges by the bound itself, on a quiet machine.

    Here the machine may be busy: twice the bound still tells the session's time-out
    of these daemons (3 s) from a partition that waits for the next rebalance.
    """
    order = Order(seed=22, daemons=3, kills=10, gap_bound=2 * GAP_BOUND)
    assert passed(run(order)).faults == 10


@pytest.mark.timeout(480)
@pytest.mark.parametrize(
    "layout",
    [
        Layout("field"),
        Layout("hourly", compression="gzip"),
        Layout("wallclock", compression="zstd", format="jsonl"),
    ],
    ids=lambda layout: layout.partitioner,
)
def test_kills_between_manifests_and_their_objects(layout: Layout) -> None:
    """Two of three strike there. By a wall clock, no path is found a second time."""
    order = Order(seed=23, daemons=3, kills=7, gap_bound=3 * GAP_BOUND, layout=layout)
    verdict = passed(run(order))
    assert verdict.faults >= 5
    assert verdict.completed >= 1


@pytest.mark.timeout(240)
def test_a_manifest_that_nobody_completes_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # it leaves evidence
    wrong = mutant.build(tmp_path / "mutant", mutant.NOT_COMPLETED)
    with program(wrong):
        verdict = run(Order(seed=23, daemons=3, kills=3, layout=Layout("field")))
    assert not verdict.passed
    assert re.search(r", [1-9]\d* lost, 0 doubled", verdict.line), verdict.line


@pytest.mark.timeout(240)
def test_a_zombie_changes_nothing(tmp_path: Path) -> None:
    assert zombie.run(tmp_path).records == 1000


@pytest.mark.timeout(240)
def test_a_zombie_without_conditional_puts_is_caught(tmp_path: Path) -> None:
    program = mutant.build(tmp_path / "mutant")
    with pytest.raises(AuditError) as caught:
        zombie.run(tmp_path / "run", program)
    assert caught.value.lost, caught.value


@pytest.mark.timeout(240)
def test_a_rewind_stops_the_task(tmp_path: Path) -> None:
    scenarios.rewind(tmp_path)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("count", [300, 3000], ids=["shorter", "longer"])
def test_a_topic_made_anew_stops_the_task(
    count: int, running: bool, tmp_path: Path
) -> None:
    scenarios.recreated(tmp_path, count, running=running)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("hours", [-2, 2], ids=["slow", "fast"])
def test_a_daemon_starts_with_a_wrong_clock(hours: int, tmp_path: Path) -> None:
    scenarios.wrong_clock(tmp_path, hours)
