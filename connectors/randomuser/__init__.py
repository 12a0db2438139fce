"""RandomUserSource: the made-up people of the randomuser.me API.

The C plugin and its settings table lie beside this file; this is its Python face.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from penstock import _connectors
from penstock._run import run
from penstock._types import Config, Produced, Progress

__all__ = ["RandomUserSource"]


class RandomUserSource(_connectors.RandomUserSource):
    """The people of the API as an iterator of records, or produced to Kafka.

    `config`: settings by name, or the path of a .properties file; `kafka.topic` is
    required. Settings are checked here (ConfigError); nothing is started before the
    first record is asked for, so it may be made anywhere. Records are paced by
    `users.per.second`; failures of the API are retried as the settings say.

        with RandomUserSource({"kafka.topic": "users", "max.users": 10}) as source:
            for record in source:
                print(record.key, record.value)
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if isinstance(config, Mapping | str | os.PathLike):
            config = [config]
        self._layers = list(config)

    def produce(
        self,
        worker_config: Config,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Produced:
        """Produce the users to Kafka and wait until all are acknowledged.

        It is a run of its own: records that were iterated over before come again. With
        `randomuser.seed` it goes on where the last run of this name and seed ended
        (`offset.storage.topic`), and max.users counts over all of them.
        `timeout`: stop after so many seconds. Raises FatalError or RetriableError when
        a record was not delivered, with the count and the first error.

            source.produce({"bootstrap.servers": "localhost:9092"})
        """
        base = {"name": "randomuser", "connector.class": "RandomUserSource"}
        summary = run(
            worker_config, [base, *self._layers], timeout=timeout, progress=progress
        )
        task = summary["tasks"][0]
        return {
            "produced": task["records"],
            "topic": self.config["kafka.topic"],
            "offsets": {
                o["partition"]: [o["first"], o["next"] - 1] for o in task["offsets"]
            },
            "seconds": task["seconds"],
        }
