"""When a job is due: five fields of cron, or a word such as `@daily` (pure).

Day and weekday follow cron: where both are given, either is enough. Names (`MON`, `JAN`), `7` for
Sunday, `5/10`, `L` are understood. Where clocks are changed, a time that is skipped comes with the
change, and one that happens twice comes once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Final

WORDS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


class Schedule:
    """The times of one job."""

    def __init__(self, text: str, timezone: str | None = None) -> None:
        """Read an expression.

        Args:
            text: What was written.
            timezone: Such as `Europe/Berlin`; the server's own, if none is given.

        Raises:
            ValueError: It makes no sense, or never comes.
        """
        self.text = text.strip()
        self.timezone = timezone
        self._fields = WORDS.get(self.text, self.text)
        self._zone = None if timezone is None else _zone(timezone)
        count = len(self._fields.split())
        if self.text.startswith("@") and self.text not in WORDS:
            raise ValueError(f'"{self.text}" is not one of {", ".join(WORDS)}')
        if count != 5:
            raise ValueError(
                f'a schedule has 5 fields or is one of {", ".join(WORDS)}: "{self.text}"'
            )
        self.after(datetime(2000, 1, 1, tzinfo=UTC))

    def after(self, moment: datetime) -> datetime:
        """Return the next time, in UTC.

        Raises:
            ValueError: There is none.
        """
        for found in self._times(moment):
            at = found.astimezone(UTC)
            if at > moment:
                return at
        raise ValueError(f'the schedule "{self.text}" never comes')

    def _times(self, moment: datetime) -> Iterator[datetime]:
        from cronsim import CronSim, CronSimError  # only projects with jobs

        # The server's zone has no name that we could ask for; a time without zone is in it.
        begin = moment.astimezone(self._zone)
        if self._zone is None:
            begin = begin.replace(tzinfo=None)
        try:
            yield from CronSim(self._fields, begin)
        except CronSimError as error:
            raise ValueError(f'the schedule "{self.text}": {error}') from error


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only jobs that name one

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'there is no timezone "{name}"') from error
