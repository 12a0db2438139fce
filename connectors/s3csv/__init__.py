"""S3CsvSink: records become CSV objects in S3, MinIO or a directory, exactly once.

The C plugin and its settings table lie beside this file; this is its Python face.
"""

from penstock._connectors import S3CsvSink

__all__ = ["S3CsvSink"]
