"""A call that nothing can end: its object can be closed and dropped all the same.

The call is an fsync() of a folder store (stuck.c). What its thread uses must stay when
the object is gone: freed memory is overwritten here, so that a use of it crashes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.services import Kafka
from tests.support.script import run_script

HERE = Path(__file__).resolve().parent

BEGIN = """
    import gc, os, signal, sys, time
    import penstock
    from penstock._worker import Store, Worker
    config = {"name": "s", "connector.class": "S3CsvSink", "topics": "t",
              "value.schema": "id STRING", "store.url": sys.argv[1]}
    record = ("t", 0, 0, b"k", b'{"id": "a"}', 0)

    def interrupt(number, frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, interrupt)

    def timed(call):
        began = time.monotonic()
        call()
        return time.monotonic() - began

    def interrupted(call):
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            call()
        except KeyboardInterrupt:
            return True

    def code(call):
        try:
            call()
        except penstock.PenstockError as error:
            return error.code
"""
END = """
    gc.collect()
    junk = [bytearray(b"\\xdd" * size) for size in range(16, 20000, 16)]
    os.remove(os.environ["STUCK_WHILE"])
    time.sleep(1)
    print("alive")
"""
USES = {
    "starting sink": """
    sink = penstock.S3CsvSink(config)
    took = timed(lambda: print(interrupted(lambda: sink.put([record]))))
    print(code(lambda: sink.put([record])), code(sink.flush))
    print(timed(lambda: sink.close(flush=False)) < took / 4)
    del sink
    """,
    "working sink": """
    os.remove(os.environ["STUCK_WHILE"])
    sink = penstock.S3CsvSink(config)
    sink.put([record])
    open(os.environ["STUCK_WHILE"], "w").close()
    other = ("t", 1, 0, b"k", b'{"id": "a"}', 0)
    print(interrupted(lambda: sink.put([other])))
    print(code(lambda: sink.put([record])), code(sink.flush))
    sink.close(flush=False)
    print(sink.closed)
    del sink
    """,
    "dropped sink": """
    os.remove(os.environ["STUCK_WHILE"])
    sink = penstock.S3CsvSink(config)
    sink.put([record])
    open(os.environ["STUCK_WHILE"], "w").close()
    print(interrupted(sink.flush))
    print(code(lambda: penstock.S3CsvSink(config | {"name": ""})), sink.stats["objects"])
    del sink
    print(True)
    """,
    "store": """
    store = Store(config)
    took = timed(lambda: print(interrupted(lambda: store.create("a", bytes(100)))))
    print(code(lambda: store.create("b", b"y")), code(lambda: store.get("a")))
    print(timed(store.close) < took / 4)
    del store
    """,
}


@pytest.fixture
def stuck(tmp_path: Path) -> dict[str, str]:
    """Variables of a process whose fsync() does not return."""
    library, while_there = tmp_path / "stuck.so", tmp_path / "stuck"
    source = HERE / "stuck.c"
    argv = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
    subprocess.run(argv, check=True, timeout=60)
    while_there.touch()
    return {
        "LD_PRELOAD": str(library),
        "STUCK_WHILE": str(while_there),
        "PYTHONMALLOC": "debug",
    }


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("starting sink", ["stopped", "stopped"]),
        ("working sink", ["stopped", "stopped"]),
        ("dropped sink", ["config", "0"]),
        ("store", ["busy", "busy"]),
    ],
)
def test_a_stuck_object(
    kind: str, codes: list[str], tmp_path: Path, stuck: dict[str, str]
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    out = run_script(BEGIN + USES[kind] + END, folder.as_uri(), env=stuck)
    assert out.split() == ["True", *codes, "True", "alive"]


def test_a_stuck_worker(tmp_path: Path, stuck: dict[str, str], kafka: Kafka) -> None:
    """After an abort it is not waited for as after a stop; with a time-out less still."""
    folder = tmp_path / "store"
    folder.mkdir()
    use = """
    worker = {"bootstrap.servers": sys.argv[2]}
    def started():
        made = Worker(worker, config)
        made.start()
        made.wait(2)
        return made
    first = started()
    patience = first.shutdown_timeout
    first.abort()
    print(first.wait(0.2), timed(first.close) < patience / 3)
    second = started()
    second.stop()
    print(timed(lambda: second.close(timeout=0.2)) < patience / 10)
    third = started()
    third.abort()
    print(timed(lambda: third.close(0)) < patience / 10)
    del first, second, third
    """
    out = run_script(BEGIN + use + END, folder.as_uri(), kafka.bootstrap, env=stuck)
    assert out.split() == ["False", "True", "True", "True", "alive"]
