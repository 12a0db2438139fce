"""The real services that the tests talk to, on loopback, without containers.

`Kafka` is a one-node KRaft broker, `Minio` an S3 server, `RandomUserApi` a stand-in
of the public randomuser.me API. Only Python's standard library is used, so
`python3 -m tests.services up` works before any virtual environment exists.
Every process started here is stopped by its pid and dies with its parent.
"""

from tests.services.kafka import Kafka
from tests.services.minio import Minio
from tests.services.process import ServiceError
from tests.services.randomuser_api import RandomUserApi

__all__ = ["Kafka", "Minio", "RandomUserApi", "ServiceError"]
