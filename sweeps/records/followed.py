"""A sweep whose events are read as they are written, and which of them changed which trial."""

from __future__ import annotations

import json
from collections import defaultdict

from ae.errors import UserError
from sweeps.config.plan import Plan
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import TrialRecord
from sweeps.storage.folder import EVENTS


class FollowedLog:
    """The record of a sweep that another process writes; `read_on` takes in what is new.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        self.path = plan.folder / EVENTS
        self.log, self.line, self.size = SweepLog(plan), 0, 0
        """The record, the number of the last line that it has, and the bytes up to there."""
        self.changed: dict[str, int] = {}
        """The last line about each trial and retraining."""
        self.reported: defaultdict[str, list[int]] = defaultdict(list)
        """The lines of its reports, in order."""

    @property
    def is_replaced(self) -> bool:
        """Whether another log, a shorter one, has taken the place of this one."""
        return self.path.exists() and self.path.stat().st_size < self.size

    def read_on(self) -> bool:
        """Take in the events that are new; returns whether there are any. A line that is being written waits.

        Raises:
            UserError: if the log is damaged.
        """
        before = self.line
        try:
            with self.path.open("rb") as file:
                file.seek(self.size)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._take_in(line)
        except FileNotFoundError:  # a sweep that has just begun, or a copy that is being replaced
            pass
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        return self.line > before

    def since(self, line: int) -> list[tuple[TrialRecord, int]]:
        """What changed after a line: each trial and retraining, with the number of its reports up to there."""
        names = [name for name, last in self.changed.items() if last > line]
        records = self.log.search.records | self.log.retrainings
        return [
            (records[name], sum(place <= line for place in self.reported[name])) for name in names if name in records
        ]

    def _take_in(self, line: bytes) -> None:
        number = self.line + 1
        try:
            event = json.loads(line)
            kind, name = event["event"], event.get("trial")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(f"{self.path}, line {number}: not an event of a sweep; the file is damaged") from None
        self.log.take_in(number, event)
        self.line, self.size = number, self.size + len(line)
        if name:
            self.changed[name] = number
            record = self.log.search.records.get(name) or self.log.retrainings.get(name)
            if record and len(record.reports) > len(self.reported[name]):
                self.reported[name].append(number)
        elif kind in ("session_begun", "session_ended"):  # it changes what is open
            names = [*self.log.search.records, *self.log.retrainings]
            self.changed |= dict.fromkeys(names, number)
