"""How cost grows with partitions and tasks."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.bench import Bench
from tests.bench.corpus import Corpus
from tests.bench.drains import HEAD, row


def bench_growth(bench: Bench, corpus: Corpus, records: int) -> None:
    """1, 4, 16 and 64 partitions with one task, then two tasks."""
    print(f"\ngrowth: {records:,} records of the flat corpus\n{HEAD}")
    for partitions in (1, 4, 16, 64):
        name = f"{corpus.name}-p{partitions}"
        topic = replace(corpus, name=name, partitions=partitions)
        bench.fill(topic, records)
        for tasks in (1, 2):
            if tasks > partitions:
                continue
            runs = [bench.drain(topic, "64m", tasks__max=tasks)]
            title = f"{partitions} partitions, {tasks} task{'s' * (tasks > 1)}"
            print(row(title, runs, records))
            bench.note(f"{title}: peak RSS", runs[0].rss, 96, "MiB")
