"""Finding and removing files that nothing refers to, while the server runs.

First everything is looked at, without holding anybody up. Then each small group is looked at again
inside a transaction, and removed there: a record may have been given the file meanwhile, and an
upload moves its bytes into their place inside its own transaction, so that none can be half-way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from bakend.clock import Clock, to_text
from bakend.collections.catalog import Catalog
from bakend.database.connection import Database
from bakend.events.event import OPERATOR
from bakend.records.references import named_files
from bakend.storage.blobs import Blobs
from bakend.storage.file import StoredFile
from bakend.storage.files import FileStore
from bakend.structs import Struct

GROUP: Final = 100
"""How many are removed in one transaction: other writers wait for it."""

T = TypeVar("T")


class Orphans(Struct, kw_only=True):
    """What nothing refers to, or what is not whole."""

    unused: Sequence[StoredFile]
    """Named by no record."""
    rowless: Sequence[str]
    """Ids of bytes on the disk that no row knows."""
    kept_public: Sequence[StoredFile]
    """Named by no record either, but anybody may be using their address."""
    without_bytes: Sequence[StoredFile]
    """Rows whose bytes are gone; they are not touched, as somebody should know of it."""

    @property
    def ids(self) -> list[str]:
        """Ids of all that is, or would be, removed."""
        return [*(file.id for file in self.unused), *self.rowless]


class Pruning:
    """Looks at rows, bytes and records together. Thread: any."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        files: FileStore,
        blobs: Blobs,
        *,
        clock: Clock,
        grace_s: float,
    ) -> None:
        """Take the parts; `grace_s` is the setting `storage.graceTime`."""
        self._grace_s = grace_s
        self._database = database
        self._catalog = catalog
        self._files = files
        self._blobs = blobs
        self._clock = clock

    def find(self, *, older_than_s: float | None, includes_public: bool) -> Orphans:
        """Return what could be removed; nothing is done.

        Args:
            older_than_s: Younger files stay: their record may be about to be written. 0 for all;
                None for what the setting says.
            includes_public: Whether a public file that no record names counts.

        Raises:
            UnavailableError: A collection is broken, so that nobody knows what its records name.
        """
        older_than_s = self._grace_s if older_than_s is None else older_than_s
        latest = to_text(self._clock.now() - timedelta(seconds=older_than_s))
        with self._database.read() as snapshot:
            rows = self._files.everything(snapshot)
            named = named_files(self._catalog, snapshot)
        unused = [
            row
            for row in rows
            if row.id not in named and (not older_than_s or row.created_at <= latest)
        ]
        public = [] if includes_public else [row for row in unused if row.is_public]
        removed = unused if includes_public else [row for row in unused if not row.is_public]
        known = {row.id for row in rows}
        rowless = [each for each in self._blobs.ids(older_than_s=older_than_s) if each not in known]
        without = [row for row in rows if not self._blobs.has(row.id)]
        with self._database.read() as snapshot:  # what changed while the folders were read
            gone = {row.id for row in removed}
            return Orphans(
                unused=removed,
                rowless=sorted(each for each in rowless if not self._files.find(snapshot, each)),
                kept_public=public,
                without_bytes=[
                    row
                    for row in without
                    if row.id not in gone and self._files.find(snapshot, row.id)
                ],
            )

    def remove(self, found: Orphans) -> Orphans:
        """Remove what was found, as far as it is still so; return what was removed."""
        unused: list[StoredFile] = []
        for files in _groups(found.unused):
            unused += self._remove_unused(files)
        rowless: list[str] = []
        for ids in _groups(found.rowless):
            rowless += self._remove_rowless(ids)
        self._files.clean()
        return Orphans(
            unused=unused,
            rowless=rowless,
            kept_public=found.kept_public,
            without_bytes=found.without_bytes,
        )

    def _remove_unused(self, files: Sequence[StoredFile]) -> list[StoredFile]:
        with self._database.write(actor=OPERATOR) as tx:
            named = named_files(self._catalog, tx, [file.id for file in files])
            still = [
                file for file in files if file.id not in named and self._files.find(tx, file.id)
            ]
            for file in still:
                self._files.forget(tx, file)
        self._files.discard([file.id for file in still])
        return still

    def _remove_rowless(self, ids: Sequence[str]) -> list[str]:
        with self._database.write(actor=OPERATOR) as tx:
            still = [each for each in ids if self._files.find(tx, each) is None]
            self._files.discard(still)
        return still


def _groups(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), GROUP):
        yield items[start : start + GROUP]
