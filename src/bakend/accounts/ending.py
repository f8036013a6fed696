"""The end of an account, beyond the tables of users and sessions: records, files, traces in logs.

`keep`: records stay, and so do the files that they name, without an owner; the user's other files go.
`delete`: all records and files of the user go, each with its event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bakend.collections.catalog import Catalog
from bakend.database.transaction import Transaction
from bakend.records.references import named_files
from bakend.records.store import RecordStore
from bakend.storage.files import FileStore

POLICIES: Final = ("keep", "delete")

FILES_AT_ONCE: Final = 500
"""Ids in one question to the database, which takes 32,766 parameters at the most."""

Blank = Callable[[Transaction, str], None]
"""Takes what is personal of a user out of one log, in a transaction."""


class Ending:
    """What becomes of a deleted user's data. Thread: any, inside the caller's transaction."""

    def __init__(
        self,
        catalog: Catalog,
        records: RecordStore,
        files: FileStore,
        *,
        policy: str,
        logs: Sequence[Blank],
    ) -> None:
        """Take the parts.

        Args:
            catalog: What the collections are.
            records: Their records.
            files: The files.
            policy: The setting `auth.deletedUserData`.
            logs: What blanks each log that remembers users.
        """
        self._catalog = catalog
        self._records = records
        self._files = files
        self._policy = policy
        self._logs = logs

    def leave(self, tx: Transaction, user_id: str, policy: str | None) -> list[str]:
        """Do what the policy says, before the user's row goes.

        Returns:
            Ids of the files that are gone, whose bytes `finish` takes away after the commit.

        Raises:
            UnavailableError: A collection is broken, so that nobody knows which files its records name.
        """
        deletes = (policy or self._policy) == "delete"
        if deletes:
            self._records.delete_owned(tx, user_id)
        files = self._files.of_user(tx, user_id)
        gone: list[str] = []
        for start in range(0, len(files), FILES_AT_ONCE):
            group = files[start : start + FILES_AT_ONCE]
            ids = [file.id for file in group]
            kept = set() if deletes else named_files(self._catalog, tx, ids)
            for file in group:
                if file.id not in kept:
                    self._files.forget(tx, file)
                    gone.append(file.id)
        for blank in self._logs:
            blank(tx, user_id)
        return gone

    def finish(self, file_ids: Sequence[str]) -> None:
        """Take the bytes of deleted files away; the transaction has committed."""
        self._files.discard(file_ids)
