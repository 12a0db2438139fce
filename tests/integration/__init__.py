"""Whole runs: penstockd against the real broker and the real MinIO."""
