"""What a sink wrote, seen from outside: a bucket through boto3, or a folder.

Both give `StoredObject`s: key, raw body and the `penstock-…` metadata without its
prefix. `content` is the body with `.gz` or `.zst` undone.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

META_PREFIX = "penstock-"


@dataclass(frozen=True)
class StoredObject:
    """One object: `meta` maps `next`, `last`, `records` … to their text."""

    key: str
    body: bytes
    meta: dict[str, str] = field(default_factory=dict)

    @cached_property
    def content(self) -> bytes:
        """The body, decompressed by the key's extension."""
        if self.key.endswith(".gz"):
            return gzip.decompress(self.body)
        if self.key.endswith(".zst"):
            import zstandard

            return zstandard.ZstdDecompressor().decompressobj().decompress(self.body)
        return self.body


class Store(Protocol):
    """What the audit reads."""

    def keys(self, prefix: str = "") -> list[str]:
        """All keys below a prefix, sorted."""
        ...

    def get(self, key: str) -> StoredObject:
        """One object with its metadata. Raises KeyError when there is none."""
        ...

    def objects(self, prefix: str = "") -> list[StoredObject]:
        """All objects below a prefix, sorted by key."""
        ...


def _strip(metadata: dict[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(META_PREFIX): value
        for name, value in metadata.items()
        if name.startswith(META_PREFIX)
    }


class Bucket:
    """A bucket of an S3 server."""

    def __init__(self, client: S3Client, name: str) -> None:
        """A view; the bucket must exist before it is read."""
        self.client = client
        self.name = name

    def create(self) -> Bucket:
        """Create the bucket."""
        self.client.create_bucket(Bucket=self.name)
        return self

    def remove(self) -> None:
        """Delete the bucket with all it holds."""
        keys = self.keys()
        for at in range(0, len(keys), 1000):
            some: list[ObjectIdentifierTypeDef] = [
                {"Key": key} for key in keys[at : at + 1000]
            ]
            self.client.delete_objects(Bucket=self.name, Delete={"Objects": some})
        self.client.delete_bucket(Bucket=self.name)

    def keys(self, prefix: str = "") -> list[str]:
        """All keys below a prefix, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def get(self, key: str) -> StoredObject:
        """One object with its metadata. Raises KeyError when there is none."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key)
        except self.client.exceptions.NoSuchKey:
            raise KeyError(key) from None
        return StoredObject(key, answer["Body"].read(), _strip(answer["Metadata"]))

    def objects(self, prefix: str = "") -> list[StoredObject]:
        """All objects below a prefix, sorted by key, with bodies and metadata."""
        return [self.get(key) for key in self.keys(prefix)]

    def put(self, key: str, body: bytes, meta: dict[str, str] | None = None) -> None:
        """Write an object; `meta` names without the `penstock-` prefix."""
        metadata = {META_PREFIX + name: value for name, value in (meta or {}).items()}
        self.client.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.client.delete_object(Bucket=self.name, Key=key)


def read_link(text: str) -> dict[str, str]:
    """The metadata in a link file: its lines `meta NAME VALUE`, %XX undone.

    Raises ValueError when it is no whole link file.
    """
    lines = text.splitlines()
    if not lines or lines[0] != "penstock-link 1" or lines[-1] != "end":
        raise ValueError(f"not a link file: {text[:60]!r}")
    found = (line.split(" ", 2)[1:] for line in lines if line.startswith("meta "))
    return _strip({name: unquote(value) for name, value in found})


def link_key(text: str) -> str:
    """The key of the object that a link file stands for."""
    (key,) = (line[4:] for line in text.splitlines() if line.startswith("key "))
    return unquote(key)


Links = dict[tuple[str, int, int], list[Path]]


class Folder:
    """A directory store. An object's metadata is in its link file below `_penstock/`."""

    def __init__(self, path: Path) -> None:
        """A view of the directory that `store.url=file://…` names."""
        self.path = path

    def keys(self, prefix: str = "") -> list[str]:
        """All keys below a prefix, sorted."""
        return sorted(key for key in self._walk() if key.startswith(prefix))

    def _walk(self) -> Iterator[str]:
        for path in self.path.rglob("*"):
            if path.is_file():
                yield path.relative_to(self.path).as_posix()

    def _links(self) -> Links:
        """The link files by topic, partition and start; of each layout one."""
        found: Links = {}
        for below in ("*/*/*", "*/*/*/*"):
            for link in self.path.rglob(f"_penstock/{below}"):
                if link.is_file() and link.name.isdigit():
                    folder = link.parent if below == "*/*/*" else link.parent.parent
                    place = (folder.parent.name, int(folder.name), int(link.name))
                    found.setdefault(place, []).append(link)
        return found

    def _load(self, key: str, links: Links) -> StoredObject:
        path = self.path / key
        if not path.is_file():
            raise KeyError(key)
        match = re.fullmatch(r"(?:.*/)?([^/]+)\+(\d+)\+(\d{20})\.[^/]+", key)
        place = (match[1], int(match[2]), int(match[3])) if match else None
        texts = [link.read_text() for link in links.get(place, ())] if place else []
        if len(texts) > 1:  # a seal, and the object after it in another layout
            texts = [text for text in texts if link_key(text) == key]
        return StoredObject(key, path.read_bytes(), read_link(texts[0]) if texts else {})

    def get(self, key: str) -> StoredObject:
        """One object with its metadata. Raises KeyError when there is none."""
        return self._load(key, self._links())

    def objects(self, prefix: str = "") -> list[StoredObject]:
        """All objects below a prefix, sorted by key, with bodies and metadata."""
        links = self._links()
        return [self._load(key, links) for key in self.keys(prefix)]


class Shelf:
    """A store in memory that tests can damage."""

    def __init__(self) -> None:
        """Nothing is in it."""
        self.held: dict[str, StoredObject] = {}

    def put(self, key: str, body: bytes, meta: dict[str, str] | None = None) -> None:
        """Write an object; `meta` names without the `penstock-` prefix."""
        self.held[key] = StoredObject(key, body, meta or {})

    def keys(self, prefix: str = "") -> list[str]:
        """All keys below a prefix, sorted."""
        return sorted(key for key in self.held if key.startswith(prefix))

    def get(self, key: str) -> StoredObject:
        """One object. Raises KeyError when there is none."""
        return self.held[key]

    def objects(self, prefix: str = "") -> list[StoredObject]:
        """All objects below a prefix, sorted by key."""
        return [self.held[key] for key in self.keys(prefix)]
