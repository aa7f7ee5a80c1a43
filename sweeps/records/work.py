"""What the trials of a phase have trained and still have before them, as running sums.

An estimate of the time left reads the sums: with thousands of trials, it must not look at each of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.records.trials import INTERRUPTED, PAUSED, RUNNING, TrialRecord


class Shape(NamedTuple):
    """What decides how long an epoch takes."""

    hidden_size: int
    batch_size: int
    patch: int = 1
    layers: int = 1


LEADERS = 50
"""Most of the best trials that an estimate looks at."""
RECENT = 0.05
"""Weight of a report in the mean of the recent ones."""


def shape_of(config: Configuration) -> Shape:
    """The shape of a configuration."""
    return Shape(config.hidden_size, config.batch_size, config.patch, config.layers)


@dataclass(kw_only=True, slots=True)
class Stretch:
    """The epochs between two rungs, or up to the first, or from the last."""

    begin: int
    end: int
    reached: int = 0
    """Trials that trained to its end."""
    training: int = 0
    """Trials within it."""
    ahead: Counter[Shape] = field(default_factory=Counter)
    """Epochs that these trials still have in it."""
    waiting: int = 0
    """Trials that wait at its beginning for their promotion."""


@dataclass(slots=True)
class Mean:
    """The mean of what was added, 0 at first."""

    total: float = 0.0
    count: float = 0.0

    def add(self, total: float, count: int = 1) -> None:
        """Take in a value, or the sum of some."""
        self.total += total
        self.count += count

    @property
    def value(self) -> float:
        """The mean."""
        return self.total / self.count if self.count else 0.0


@dataclass(slots=True)
class Pace:
    """Seconds per epoch of a shape, validation included."""

    full: Mean = field(default_factory=Mean)
    """While as many trials trained as there is room for: alone, one may take the idle cores too."""
    any: Mean = field(default_factory=Mean)

    @property
    def epoch_s(self) -> float:
        """The mean that tells most of the trials to come."""
        return (self.full if self.full.count else self.any).value


class Work:
    """The running sums of one phase; whoever changes a record takes it out before, and puts it in after.

    Args:
        rungs: epochs at which trials are judged, ascending, and last the epochs of a whole trial.
        planned: configurations of the trials, where they are known beforehand.
        objective: what is best.
    """

    def __init__(self, rungs: Sequence[int], planned: Mapping[str, Configuration], objective: Objective) -> None:
        self.rungs, self.planned = rungs, planned
        self.sign = -1 if objective.mode == "max" else 1
        self.most_at_once = 0
        """Trials that trained at once in the last session in which any did."""
        self.begin_s = 0.0
        """Seconds that the first trials waited for their processes."""
        self.start_s, self.report_s = Mean(), Mean()
        """Seconds beside training and validation, from a later trial's start, or from a report, to the next report."""
        self.pace: dict[Shape, Pace] = {}
        """How long epochs of each shape take."""
        self.drift = 1.0
        """How much longer epochs take lately than they did on average, as a factor."""
        self.rebuild(())

    def rebuild(self, records: Iterable[TrialRecord]) -> None:
        """Begin anew with these trials, of which none trains."""
        begins = (0, *self.rungs)
        self.stretches = [Stretch(begin=begin, end=end) for begin, end in zip(begins, self.rungs, strict=False)]
        self.asked: Counter[Shape] = Counter()
        self.to_come: Counter[Shape] = Counter(map(shape_of, self.planned.values()))
        """Planned trials that were not asked for."""
        self.running: dict[str, float] = {}
        """When each trial that trains started or last reported, in seconds since 1970."""
        self.fresh: set[str] = set()
        """Those of them that have not reported since they started."""
        self.session_most, self.firsts = 0, 0
        """Trials that trained at once, and first reports of the trials that began so, in this session."""
        self.ranking: list[tuple[float, str, TrialRecord]] = []
        """The trials that can be selected, best first, by signed value and name."""
        for record in records:
            self.ask(record)
            self.put_in(record)

    def snapshot(self) -> Work:
        """The sums as they are now, for readers in other threads; of the ranking, the best `LEADERS`."""
        found = copy(self)
        found.running, found.pace, found.ranking = dict(self.running), dict(self.pace), self.ranking[:LEADERS]
        found.asked, found.to_come = Counter(self.asked), Counter(self.to_come)
        found.stretches = [replace(stretch, ahead=Counter(stretch.ahead)) for stretch in self.stretches]
        return found

    def ask(self, record: TrialRecord) -> None:
        """A trial has come."""
        shape = shape_of(record.config)
        self.asked[shape] += 1
        if self.to_come[shape]:  # not by name: what a later session adds may come before what was planned
            self.to_come[shape] -= 1

    def put_in(self, record: TrialRecord, time: float = 0.0) -> None:
        """Count a record as it is now."""
        self._count(record, 1)
        if key := self._key(record):
            insort(self.ranking, (*key, record), key=lambda entry: entry[:2])
        if record.status != RUNNING:
            self.running.pop(record.name, None)
            self.fresh.discard(record.name)
        elif record.name not in self.running:
            self.running[record.name] = time
            self.fresh.add(record.name)
            self.session_most = max(self.session_most, len(self.running))
            self.most_at_once = self.session_most

    def take_out(self, record: TrialRecord) -> None:
        """Forget a record that is about to change."""
        self._count(record, -1)
        if key := self._key(record):
            self.ranking.pop(bisect_left(self.ranking, key, key=lambda entry: entry[:2]))

    def report(self, name: str, shape: Shape, epochs: int, train_s: float, time: float) -> None:
        """A trial has trained for so many epochs since its last report."""
        wait_s = max(0.0, time - self.running.get(name, time) - train_s)
        if name not in self.fresh:
            self.report_s.add(min(wait_s, max(train_s, 1.0)))
        elif self.firsts < self.most_at_once:
            self.firsts += 1
            self.begin_s = max(self.begin_s, wait_s)
        else:
            self.start_s.add(wait_s)
        self.fresh.discard(name)
        self.running[name] = time
        pace = self.pace.setdefault(shape, Pace())
        if len(self.running) == self.most_at_once:
            if pace.full.count:
                self.drift += RECENT * (train_s / epochs / pace.full.value - self.drift)
            pace.full.add(train_s, epochs)
        pace.any.add(train_s, epochs)

    def _key(self, record: TrialRecord) -> tuple[float, str] | None:
        can_be_selected = record.best is not None and not record.is_lost
        return (self.sign * (record.best or 0.0), record.name) if can_be_selected else None

    def _count(self, record: TrialRecord, by: int) -> None:
        shape, epoch = shape_of(record.config), record.epoch
        place = bisect_right(self.rungs, epoch)
        for stretch in self.stretches[:place]:
            stretch.reached += by
        if place == len(self.stretches) or not (record.is_open or record.status == INTERRUPTED):
            return
        stretch = self.stretches[place]
        if place and epoch == stretch.begin and record.status in (PAUSED, INTERRUPTED):
            stretch.waiting += by
        else:
            stretch.training += by
            stretch.ahead[shape] += by * (stretch.end - epoch)
