"""The trials of one phase: their state, derived from the events as they happen or as they are read back."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from ae.configuration import Configuration
from ae.task import Objective
from sweeps.records.recovered import recovered

RUNNING, PAUSED, FINISHED, STOPPED, DIVERGED, FAILED, INTERRUPTED = STATUSES = (
    "running",
    "paused",
    "finished",
    "stopped early",
    "diverged",
    "failed",
    "interrupted",
)
ENDED = (FINISHED, STOPPED, DIVERGED, FAILED)
"""Statuses of trials that no session resumes."""
SEARCH, RETRAIN = "search", "retrain"
"""The phases."""


class Report(NamedTuple):
    """One validation of a trial."""

    epoch: int
    train_loss: float
    metrics: dict[str, float]
    """Validation metrics by name."""
    train_s: float
    """Seconds in training and validation since the report before."""
    wall_s: float
    """Seconds that the phase had taken, over all sessions."""
    time: float
    """Seconds since 1970."""
    best: float | None
    """The objective's best value so far; None if every value was NaN."""
    per_seed: tuple[float, ...] = ()
    """The objective of each seed, where a trial has several; one that diverged is the last. `metrics` has the means."""
    skipped: int = 0
    """Steps skipped so far because their gradient was far larger than usual."""
    rolled_back: int = 0
    """Seeds that diverged once and resumed from the validation before, at half the step size."""


class Happening(NamedTuple):
    """Something that happened to a trial besides its reports."""

    kind: str
    """An event's name, or "interrupted" where a session ended while the trial was open."""
    at_s: float
    """Seconds that all sessions had taken."""
    epoch: int
    """The trial's last reported epoch."""
    words: str = ""


@dataclass(kw_only=True)
class TrialRecord:
    """One trial so far."""

    name: str
    config: Configuration
    attrs: dict[str, Any] = field(default_factory=dict)
    """The sampler's attributes of the trial."""
    tried: bool = False
    """Whether the user gave its configuration with --try."""
    status: str = RUNNING
    reason: str = ""
    """Why it ended, in words."""
    reports: list[Report] = field(default_factory=list)
    best: float | None = None
    """Best validation value of the objective; None before the first."""
    best_epoch: int = 0
    best_metrics: dict[str, float] = field(default_factory=dict)
    """Every validation metric at the best epoch."""
    best_per_seed: tuple[float, ...] = ()
    """The objective of each seed at the best epoch, where the trial has several."""
    has_diverged: bool = False
    """Whether the loss or the objective of the last report is NaN or infinite."""
    train_s: float = 0.0
    """Seconds in training and validation, epochs that were trained twice included."""
    history: list[Happening] = field(default_factory=list)
    """What happened besides the reports, in order: when it began, paused, was promoted, ended."""
    warning: str = ""
    """What went wrong without ending it, in words."""
    retried: str = ""
    """Why it was tried again with more resources, in words."""

    @property
    def epoch(self) -> int:
        """The last epoch that was reported; 0 before any."""
        return self.reports[-1].epoch if self.reports else 0

    @property
    def outcome(self) -> str:
        """Why it ended, and what happened to it before, in words."""
        last = self.reports[-1] if self.reports else None
        told = recovered(last.skipped, last.rolled_back, bool(last.per_seed)) if last else []
        return "; ".join(filter(None, [self.reason, *told]))

    @property
    def diverged_seed(self) -> int | None:
        """The seed that diverged, where the trial has several."""
        per_seed = self.reports[-1].per_seed if self.has_diverged else ()
        return self.config.seed + len(per_seed) - 1 if per_seed else None

    @property
    def best_std(self) -> float | None:
        """Standard deviation of the best value over the seeds (n - 1); None if there is no value, or one seed."""
        is_known = len(self.best_per_seed) > 1 and all(map(math.isfinite, self.best_per_seed))
        return statistics.stdev(self.best_per_seed) if is_known else None

    @property
    def is_open(self) -> bool:
        """Whether it may still train."""
        return self.status in (RUNNING, PAUSED)

    def status_when(self, is_over: bool) -> str:
        """Its status; once nothing of the phase runs any more, an open trial was interrupted."""
        return INTERRUPTED if is_over and self.is_open else self.status

    @property
    def is_lost(self) -> bool:
        """Whether it failed or diverged, so that it cannot be selected."""
        return self.status in (FAILED, DIVERGED)

    def note(self, kind: str, at_s: float, words: str = "") -> None:
        """Remember that something happened to it."""
        self.history.append(Happening(kind, at_s, self.epoch, words))

    def add(self, report: Report, objective: Objective) -> None:
        """Take in a report; the one place where the best value so far is decided."""
        value = report.metrics[objective.metric]
        if objective.better(value, self.best):
            self.best, self.best_epoch, self.best_metrics = value, report.epoch, report.metrics
            self.best_per_seed = report.per_seed
        self.has_diverged = not all(math.isfinite(report.metrics[name]) for name in ("loss", objective.metric))
        self.reports.append(report._replace(best=self.best))
        self.train_s += report.train_s


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownTrial:
    """A trial of an older sweep that the sampler knows from the start."""

    config: Configuration
    status: str
    curve: list[tuple[int, float]]
    """Epoch, and the best value of the objective up to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tested:
    """What a retrained model scored on the test split."""

    epoch: int
    validation: dict[str, float]
    test: dict[str, float]


class Fact(NamedTuple):
    """Something that a scheduler must know again after a restart."""

    kind: str
    """"asked", "reported", "promoted" or "ended"."""
    record: TrialRecord
    report: Report | None


class TrialLog:
    """All trials of one phase, "search" or "retrain".

    Args:
        phase: its name.
        objective: what is best.
        requested: trials that the phase will have.
        max_epochs: epochs that a trial can have.
        planned: configurations by name, where they are known beforehand.
        expected: epochs that the trials are expected to train for, the longest first; none means `max_epochs` each.
        why_stopped: why a trial is stopped early, in words.
        seeds_per_trial: seeds that each trial trains.
    """

    def __init__(
        self,
        phase: str,
        objective: Objective,
        requested: int,
        max_epochs: int,
        planned: Mapping[str, Configuration] = MappingProxyType({}),
        expected: Sequence[int] = (),
        why_stopped: str = "not among the best of its rung",
        seeds_per_trial: int = 1,
    ) -> None:
        self.phase, self.objective, self.requested, self.max_epochs = phase, objective, requested, max_epochs
        self.planned, self.expected, self.why_stopped = planned, expected, why_stopped
        self.seeds_per_trial = seeds_per_trial
        self.records: dict[str, TrialRecord] = {}
        """By name, in the order in which they were asked for."""
        self.facts: list[Fact] = []
        self.recorded_s = 0.0
        """Seconds that the phase had taken at its last event."""
        self.closed = ""
        """Why the phase ends before all requested trials have started, in words; empty unless it does."""
        self.closed_within: list[dict[str, Any]] = []
        """The plan's limits each time that the phase was closed."""
        self.began: float | None = None
        """When this session began the phase, less the seconds of earlier sessions; None if it did not."""

    @property
    def elapsed_s(self) -> float:
        """Seconds that the phase has taken, over all sessions."""
        return self.recorded_s if self.began is None else time.monotonic() - self.began

    def start_clock(self) -> None:
        """The phase begins in this session."""
        self.began = time.monotonic() - self.recorded_s

    def stop_clock(self) -> None:
        """The phase is over in this session."""
        self.recorded_s, self.began = self.elapsed_s, None

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials as of now, for readers in other threads, such as a live display."""
        return list(self.records.values())

    def names(self, *statuses: str) -> set[str]:
        """The trials with one of these statuses."""
        return {record.name for record in self.trials if record.status in statuses}

    def count(self, status: str) -> int:
        """How many trials have that status."""
        return sum(record.status == status for record in self.trials)

    def lost(self) -> list[TrialRecord]:
        """The trials that failed or diverged."""
        return [record for record in self.trials if record.is_lost]

    @property
    def ended(self) -> int:
        """Trials that no session resumes."""
        return sum(record.status in ENDED for record in self.trials)

    @property
    def to_come(self) -> int:
        """Trials that have not started yet, and will."""
        return 0 if self.closed else self.requested - len(self.records)

    @property
    def is_complete(self) -> bool:
        """Whether all trials have ended: those requested, or those that had started when the phase was closed."""
        return self.ended >= (len(self.records) if self.closed else self.requested)

    @property
    def epochs(self) -> int:
        """Epochs trained so far, by all the trials with all their seeds."""
        return self.seeds_per_trial * sum(record.epoch for record in self.trials)

    @property
    def most_epochs(self) -> int:
        """Epochs if every trial trained to its last, with all their seeds."""
        return self.seeds_per_trial * self.requested * self.max_epochs

    def check_seeds(self, report: Report) -> None:
        """See that a report has a value for each of several seeds, unless it is of a trial that diverged.

        Raises:
            ValueError: if it has not.
        """
        wanted = self.seeds_per_trial if self.seeds_per_trial > 1 else 0
        found = [value for value in report.per_seed if math.isfinite(value)]
        if math.isfinite(report.metrics[self.objective.metric]) and (len(report.per_seed), len(found)) != (wanted,) * 2:
            raise ValueError(f"per_seed must have {wanted} numbers, one per seed")

    def ranked(self) -> list[TrialRecord]:
        """The trials that can be selected, best first: validated, neither failed nor diverged."""
        usable = [record for record in self.trials if record.best is not None and not record.is_lost]
        sign = -1 if self.objective.mode == "max" else 1
        return sorted(usable, key=lambda record: (sign * (record.best or 0.0), record.name))

    def listed(self) -> list[TrialRecord]:
        """All the trials: those that can be selected, best first, then the others."""
        ranked = self.ranked()
        chosen = {record.name for record in ranked}
        return [*ranked, *(record for record in self.trials if record.name not in chosen)]

    def add_fact(self, kind: str, record: TrialRecord, report: Report | None = None) -> None:
        """Remember what schedulers and progress curves need in the order in which it happened."""
        self.facts.append(Fact(kind, record, report))
