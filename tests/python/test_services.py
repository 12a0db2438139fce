"""The services are the real thing: they start, answer, restart, and go with us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.conftest import BucketFactory, TopicFactory, s3_client
from tests.services import Kafka, Minio, ServiceError, cache, install
from tests.services.process import Process
from tests.support import KafkaClient, Msg

ROOT = Path(__file__).resolve().parent.parent.parent


def gone(pid: int, timeout: float = 10.0) -> bool:
    """True once no process, or only a zombie, has this pid."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_records_come_back_as_written(client: KafkaClient, topics: TopicFactory) -> None:
    topic = topics(partitions=3)
    written = client.produce(
        topic,
        [
            Msg({"id": 1}, key="k", partition=2, timestamp=1_700_000_000_123),
            Msg(None, key=b"\x00\xff", partition=2, headers=[("h", b"v")]),
            Msg("ş", partition=0),
        ],
    )
    read = client.read_all(topic)
    assert sorted(read, key=repr) == sorted(written, key=repr)
    two = [record for record in read if record.partition == 2]
    assert two[0].value == b'{"id":1}'
    assert (two[0].key, two[0].timestamp) == (b"k", 1_700_000_000_123)
    assert (two[1].key, two[1].value, two[1].headers) == (
        b"\x00\xff",
        None,
        (("h", b"v"),),
    )
    assert client.end_offsets(topic) == {0: 1, 1: 0, 2: 2}


def test_transactions_leave_markers(client: KafkaClient, topics: TopicFactory) -> None:
    topic = topics()
    client.produce(topic, ["a", "b"], transaction=True)
    client.produce(topic, ["never"], abort=True)
    client.produce(topic, ["c"], transaction=True)
    assert [record.value for record in client.read_all(topic)] == [b"a", b"b", b"c"]
    assert [r.offset for r in client.read_all(topic)] == [0, 1, 5]
    assert client.end_offsets(topic) == {0: 7}


def test_offsets_partitions_and_expiry(client: KafkaClient, topics: TopicFactory) -> None:
    topic = topics()
    client.produce(topic, [str(n) for n in range(10)])
    assert client.committed("nobody", topic) == {}
    client.set_committed("somebody", topic, {0: 4})
    assert client.committed("somebody", topic) == {0: (4, "")}
    client.delete_records(topic, {0: 7})
    assert client.watermarks(topic) == {0: (7, 10)}
    client.add_partitions(topic, 2)
    assert client.partitions(topic) == [0, 1]
    client.delete_topic(topic)


@pytest.mark.services
def test_kafka_keeps_its_data_over_a_kill_and_loses_it_by_a_wipe() -> None:
    with Kafka() as broker:
        client = KafkaClient(broker.bootstrap)
        client.produce(client.create_topic("t"), ["kept"])
        address, cluster = broker.bootstrap, broker.cluster_id
        broker.kill()
        broker.start()
        assert broker.bootstrap == address
        assert [r.value for r in KafkaClient(address).read_all("t")] == [b"kept"]
        broker.restart(wipe=True)
        metadata = KafkaClient(address).admin.list_topics(timeout=10)
        assert metadata.cluster_id == cluster
        assert "t" not in metadata.topics
        broker.restart(new_id=True)
        metadata = KafkaClient(address).admin.list_topics(timeout=10)
        assert metadata.cluster_id == broker.cluster_id != cluster


@pytest.mark.services
def test_kafka_in_a_folder_of_ours_is_taken_up_again(tmp_path: Path) -> None:
    with Kafka({"message.max.bytes": "2000"}, directory=tmp_path) as first:
        KafkaClient(first.bootstrap).create_topic("t")
        port, cluster = first.port, first.cluster_id
    with Kafka(port=port, directory=tmp_path) as second:
        assert second.cluster_id == cluster
        assert KafkaClient(second.bootstrap).partitions("t") == [0]
        assert "t" in second.admin("TopicCommand", "--list").split()


def test_kafka_that_cannot_start_says_why() -> None:
    broker = Kafka({"num.io.threads": "many"})
    with pytest.raises(ServiceError, match=r"kafka ended at start: .*num\.io\.threads"):
        broker.start()
    broker.close()


def test_minio_refuses_to_overwrite_on_a_conditional_put(buckets: BucketFactory) -> None:
    bucket = buckets()
    bucket.put("a/b", b"1", {"next": "7"})
    with pytest.raises(ClientError) as caught:
        bucket.client.put_object(
            Bucket=bucket.name, Key="a/b", Body=b"2", IfNoneMatch="*"
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    stored = bucket.get("a/b")
    assert (stored.body, stored.meta) == (b"1", {"next": "7"})
    with pytest.raises(KeyError):
        bucket.get("none")


@pytest.mark.services
def test_minio_keeps_its_objects_over_a_kill() -> None:
    with Minio() as server:
        s3 = s3_client(server)
        s3.create_bucket(Bucket="b-1")
        server.kill()
        with pytest.raises(EndpointConnectionError):
            s3.list_buckets()
        server.start()
        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["b-1"]
        server.restart()
        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["b-1"]


def test_credentials_are_on_no_command_line(minio: Minio) -> None:
    line = Path(f"/proc/{minio.process.pid}/cmdline").read_bytes().decode()
    log = minio.process.log.read_text()
    for secret in (minio.access_key, minio.secret_key):
        assert secret not in line
        assert secret not in log


def test_paused_processes_answer_after_resume(minio: Minio) -> None:
    minio.pause()
    stat = Path(f"/proc/{minio.process.pid}/stat")
    assert stat.read_text().rpartition(")")[2].split()[0] == "T"
    minio.resume()
    assert s3_client(minio).list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_stop_is_bounded_when_term_is_ignored(tmp_path: Path) -> None:
    code = "import signal,time;signal.signal(15,signal.SIG_IGN);print('up',flush=True)"
    argv = [sys.executable, "-c", code + ";time.sleep(60)"]
    process = Process("stubborn", argv, tmp_path / "log")
    process.wait_ready(lambda: process.tail() == "up", 10)
    began = time.monotonic()
    assert process.stop(timeout=0.3) == -signal.SIGKILL
    assert time.monotonic() - began < 5


def test_children_die_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys,time;from pathlib import Path;"
        "from tests.services.process import Process;"
        "p=Process('child',['sleep','60'],Path(sys.argv[1]));print(p.pid,flush=True);"
        "time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    assert gone(child)


@pytest.mark.services
def test_up_prints_the_addresses_and_no_secret_and_stops_all(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.services", "up"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    assert run.stdout is not None
    text = ""
    while "Ctrl-C" not in text:
        line = run.stdout.readline()
        assert line, text
        text += line
    credentials = next(tmp_path.glob("*/credentials.sh"))
    assert str(credentials) in text
    assert credentials.stat().st_mode & 0o777 == 0o600
    lines = credentials.read_text().splitlines()
    exported = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    assert not [v for n, v in exported.items() if n != "AWS_REGION" and v in text.split()]
    assert exported["AWS_SECRET_ACCESS_KEY"] not in text
    for word in (
        "bootstrap.servers=127.0.0.1:",
        "MinIO console",
        "randomuser.url=http://",
    ):
        assert word in text
    task = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    children = [int(pid) for pid in task.read_text().split()]
    assert len(children) == 2
    run.send_signal(signal.SIGINT)
    assert run.wait(30) == 0
    assert all(gone(pid) for pid in children)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_cache_entry_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path))
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "jar").write_text("whole")

    entry = cache.ensure("thing", make)
    assert cache.ensure("thing", make) == entry
    assert len(made) == 1
    (entry / "jar").write_text("cut")
    cache.ensure("thing", make)
    assert (len(made), (entry / "jar").read_text()) == (2, "whole")
    (entry / cache.MARKER).unlink()
    cache.ensure("thing", make)
    assert len(made) == 3
    assert json.loads((entry / cache.MARKER).read_text()) == {"jar": 5}


def test_two_runs_do_not_fetch_at_once(tmp_path: Path) -> None:
    code = (
        "import time;from pathlib import Path;from tests.services import cache\n"
        "def make(folder):\n"
        "    time.sleep(0.5);(folder/'f').write_text('x')\n"
        "    with (cache.root()/'made').open('a') as out: out.write('x')\n"
        "cache.ensure('thing', make)"
    )
    env = {**os.environ, "PENSTOCK_CACHE": str(tmp_path)}
    runs = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env)
        for _ in range(3)
    ]
    assert [run.wait(30) for run in runs] == [0, 0, 0]
    assert (tmp_path / "made").read_text() == "x"


@pytest.mark.parametrize(
    ("ensure", "program"), [(install.kafka_jars, "java"), (install.minio_binary, "go")]
)
def test_a_missing_program_is_one_clear_line(
    ensure: object, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert callable(ensure)
    with pytest.raises(
        ServiceError, match=f"^{program} is not on PATH: apt-get install "
    ):
        ensure()


@pytest.mark.parametrize(
    ("body", "ci", "status"),
    [
        ("def test_x(): pytest.skip('why')", "true", 1),
        ("def test_x(): pytest.skip('why')", "", 0),
        ("pytest.skip('why', allow_module_level=True)", "true", 2),
        ("pytest.skip('why', allow_module_level=True)", "", 5),
        ("@pytest.mark.skip\ndef test_x(): pass", "true", 1),
    ],
)
def test_a_skipped_test_fails_in_ci(
    body: str, ci: str, status: int, tmp_path: Path
) -> None:
    module = tmp_path / "test_x.py"
    module.write_text(f"import pytest\n{body}\n")
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", str(module)]
    env = {**os.environ, "CI": ci}
    run = subprocess.run(
        argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert run.returncode == status, run.stdout
    assert ("a skipped test counts as failed" in run.stdout) == bool(ci)
