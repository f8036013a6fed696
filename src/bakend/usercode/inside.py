"""What a function before a write is given: as other handlers, but all inside the write's transaction."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from bakend.database.joined import Joined
from bakend.errors import UserCodeError
from bakend.usercode.context import Context, Db, Services, Statements
from bakend.usercode.logger import Logger
from bakend.usercode.stored import Storage
from bakend.usercode.workers import Call

Record = dict[str, Any]


class InsideContext(Context):
    """The context of a function before a write.

    `record` is what will be written, and may be changed; `old` is what there is, if anything.

    Thread: the one that runs the function, and threads that it starts.
    """

    def __init__(
        self,
        services: Services,
        call: Call,
        logger: Logger,
        tx: Joined,
        *,
        record: Record,
        old: Record | None,
        depth: int,
    ) -> None:
        """Make it.

        Args:
            services: The parts, as for other handlers.
            call: What it belongs to.
            logger: Where lines go.
            tx: The transaction, as the function takes part in it.
            record: What will be written.
            old: What there is.
            depth: How many handlers deep the function's own changes are.
        """
        inside = services.replaced(database=tx, records=services.records.inside(tx))
        super().__init__(inside, call, logger, actor=tx.actor, depth=depth)
        self.record = copy.deepcopy(record)
        self.old = copy.deepcopy(old)
        self.db = _Db(call, inside, call.limit_s, actor=tx.actor, depth=depth)
        self.enqueue = self.db.enqueue
        self.storage = _Storage(call, inside.files, tx.actor, depth)


class _Db(Db):
    """Plain SQL, inside the transaction."""

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Run several statements that happen together or not at all, and only if the write does."""
        part = self._database.write()
        with self._call.shielded():
            part.__enter__()
        try:
            yield _Part(self)
        except BaseException as error:
            with self._call.shielded():
                part.__exit__(type(error), error, error.__traceback__)
            raise
        with self._call.shielded():
            part.__exit__(None, None, None)


class _Part(Statements):
    """Statements that happen together."""

    def __init__(self, db: _Db) -> None:
        self._db = db
        self.enqueue = db.enqueue

    def query(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[dict[str, Any]]:
        """Return the rows of a query, by the names of the columns."""
        return self._db.query(sql, parameters)

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> int:
        """Run one statement, and return how many rows it changed."""
        return self._db.execute(sql, parameters)


class _Storage(Storage):
    """Uploaded files, to read."""

    def put(self, name: str, *_data: object, **_options: object) -> NoReturn:
        """Refuse: the write may still be refused, and the file would stay."""
        raise UserCodeError(
            f"File {name} cannot be kept before a write, which may still be refused",
            hint="do it after the write, in a function with @on_create, @on_update or @on_delete",
        )

    def delete(self, file_id: str) -> NoReturn:
        """Refuse: bytes do not come back when the transaction is rolled back."""
        raise UserCodeError(
            f"File {file_id} cannot be deleted before a write, which may still be refused",
            hint="do it after the write, in a function with @on_create, @on_update or @on_delete",
        )
