"""Helpers of the test suites: independent clients, the daemon, the audit.

Nothing here shares code with Penstock: Kafka is read by confluent-kafka (its own
librdkafka), S3 by boto3, CSV by a parser of our own.
"""

from tests.support.audit import Audit, AuditError, Report, audit
from tests.support.audit_routed import RoutedAudit
from tests.support.csvtext import parse_csv
from tests.support.daemon import Daemon, penstockd, sink_config, source_config
from tests.support.kafka_client import KafkaClient, Msg, Record
from tests.support.stores import Bucket, Folder, StoredObject

__all__ = [
    "Audit",
    "AuditError",
    "Bucket",
    "Daemon",
    "Folder",
    "KafkaClient",
    "Msg",
    "Record",
    "Report",
    "RoutedAudit",
    "StoredObject",
    "audit",
    "parse_csv",
    "penstockd",
    "sink_config",
    "source_config",
]
