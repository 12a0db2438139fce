"""Penstock's tests; a package so that `python3 -m tests.services` works."""
