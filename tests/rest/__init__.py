"""The REST interface of penstockd."""
