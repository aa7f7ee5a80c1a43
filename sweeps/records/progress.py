"""How far a phase is, in words and as a bar: for the live display and for `show.py`."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ae.words import counted
from sweeps.config.choices import SCHEDULERS
from sweeps.config.plan import Plan
from sweeps.config.rungs import rung_epochs
from sweeps.config.words import duration, over_seeds, settings, span
from sweeps.records.eta import TimeLeft, time_left
from sweeps.records.sparkline import knows_blocks
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import PAUSED, RUNNING, SEARCH, STATUSES, TrialLog

BAR, LEAST_BAR = 60, 20
"""Width of a bar, in characters; the clock goes below one that would be narrower."""
CLOCK = 40
"""Width that is kept for the clock, in characters: a bar must not change its width with every word."""
NAMED = 4
"""Trials that are named one by one; of more, the number is told."""
WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
UNBROKEN = "\N{NO-BREAK SPACE}"


def can_refresh(console: Console) -> bool:
    """Whether lines on the console can be written again: not in a file, a pipe or a dumb terminal.

    Some set FORCE_COLOR where logs are kept; the log is no terminal for that.
    """
    return console.is_interactive and console.file.isatty()


def bar(log: TrialLog, words: str, console: Console) -> Text:
    """How far a phase is: a bar over the epochs that it is expected to train for, and these words.

    The rest of the bar is drawn too, in another character: colours alone would not do.

    Args:
        log: of the phase.
        words: the clock.
        console: the terminal, for its width and encoding.
    """
    width = console.width
    beside = min(BAR, width - CLOCK)
    is_beside = LEAST_BAR <= beside <= width - len(words) - 2
    length = beside if is_beside else min(BAR, width)
    total = max(1, log.epochs, log.seeds_per_trial * sum(log.expected) or log.most_epochs)
    done = int(length * log.epochs / total)
    full, rest = "━─" if knows_blocks(console) else "#-"
    return Text.assemble((full * done, "green"), (rest * (length - done), "dim"), "  " if is_beside else "\n", words)


def clock(log: SweepLog) -> str:
    """The time that the phases of a sweep have taken, and what all of it may still take, in words."""
    elapsed_s = log.search.elapsed_s + log.retraining.elapsed_s
    return f"{duration(elapsed_s)} elapsed, {left_in_words(time_left(log))}"


def left_in_words(left: TimeLeft | None) -> str:
    """The time that a sweep may still take: '12 to 18 min left'."""
    return "time left unknown" if left is None else f"{span(left.low_s, left.high_s)} left"


def counts(log: TrialLog, is_over: bool = False) -> list[str]:
    """Trials by status, and epochs, in words; once a phase is over, its open trials were interrupted."""
    found = Counter(record.status_when(is_over) for record in log.trials)
    parts = [f"{found[status]} {status}" for status in STATUSES if found[status]]
    epochs = f"{log.epochs}/{log.most_epochs} epochs"
    return [*parts, *([f"{log.to_come} to come"] if log.to_come else []), epochs]


def early_end(log: TrialLog) -> str:
    """Why a phase ended before all of its trials, in words; empty if it did not."""
    if not log.closed:
        return ""
    if log.phase == SEARCH:
        started = f"{len(log.records)} of {counted(log.requested, 'trial')} had started"
        return f"The search ended early: {log.closed}; {started}."
    epochs = sorted(record.epoch for record in log.trials)
    trained = str(epochs[0]) if epochs[0] == epochs[-1] else f"{epochs[0]} to {epochs[-1]}"
    models = f"{counted(len(epochs), 'model')} trained for {trained} of {log.max_epochs} epochs"
    return f"The retraining ended early: {log.closed}; {models}."


def early_ends(log: SweepLog) -> list[str]:
    """All that a sweep did not do to the end, and why, in words."""
    return [words for words in (early_end(log.search), fewer(log), early_end(log.retraining)) if words]


def fewer(log: SweepLog) -> str:
    """What is retrained of what was selected, in words; empty if it is all."""
    return f"Retrained: {log.fewer}." if log.fewer else ""


def rungs(log: TrialLog, plan: Plan) -> list[str]:
    """How many trials of a search have reached each rung, and are paused there; empty without rungs."""
    if log.phase != SEARCH or not SCHEDULERS[plan.scheduler].halves:
        return []
    parts, trials = [], log.trials
    for rung in rung_epochs(plan.budget):
        reached = sum(record.epoch >= rung for record in trials)
        waiting = [record.name for record in trials if record.status == PAUSED and record.epoch == rung]
        wait = f" ({', '.join(few(waiting))} wait{'s' if len(waiting) == 1 else ''})" if waiting else ""
        parts.append(f"{reached} reached epoch {rung}{wait}")
    return [f"rungs: {parts[0]}", *parts[1:]] if parts else []


def training(log: TrialLog) -> list[str]:
    """The trials that train, with their epochs, in words; empty if there are none."""
    running = [record for record in log.trials if record.status == RUNNING]
    parts = few([f"{record.name} at epoch {record.epoch}" if record.epoch else record.name for record in running])
    return [f"training: {parts[0]}", *parts[1:]] if parts else []


def few(names: Sequence[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = len(names) - NAMED
    return [*names[:NAMED], *([f"{more} more"] if more > 0 else [])]


def best(log: TrialLog, varied: Sequence[str]) -> str:
    """The best trial so far, in words."""
    ranked = log.ranked()
    if not ranked:
        is_validated = any(record.reports for record in log.trials)
        return "every validated trial failed or diverged" if is_validated else "no validation yet"
    first, metric = ranked[0], log.objective.metric
    value = f"{metric} {first.best:.4g}{over_seeds(log.seeds_per_trial)}"
    found = f"best {value}, {first.name} at epoch {first.best_epoch}"
    return f"{found} ({settings(first.config, varied)})"


def wrapped(words: str, console: Console) -> str:
    """Words as a terminal of that width shows them whole; commands stay in one line, as does all of a file."""
    if not can_refresh(console):
        return words
    lines = [
        line if "--resume" in line else textwrap.fill(line, console.width, subsequent_indent="  ", **WHOLE_WORDS)
        for line in words.splitlines()
    ]
    return "\n".join(lines)


def folded(parts: Sequence[str], width: int) -> str:
    """Parts and commas, on as many lines as they need; a line ends after a part, unless the part is wider than that.

    A part that ends in a colon has no comma.
    """
    whole = [part.replace(" ", UNBROKEN) if len(part) < width - 2 else part for part in parts]
    text = ", ".join(whole).replace(":, ", ": ")
    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines).replace(UNBROKEN, " ")
