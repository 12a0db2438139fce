"""Recorded data that is shipped with the package.

`users.json` holds the first 100 users of `tests/data/randomuser/page1-500.json`: an
answer of the public randomuser.me API, version 1.4, to `results=500&seed=penstock-500`.
The people in it do not exist; the API makes them up. `penstock demo` reads it.
"""
