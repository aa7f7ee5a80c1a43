"""The main job: find the best LSTM autoencoder for a task, retrain it, test it once, report it."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

import torch
from rich.console import Console

from ae import tasks
from ae.task import Splits
from ae.words import counted
from sweeps.config.arguments import named_task, one_line, parser
from sweeps.config.plan import Plan
from sweeps.config.planning import make_plan, resumed_plan
from sweeps.records import history
from sweeps.search.warm_start import older_study
from sweeps.storage import data_hash
from sweeps.storage import filesystem as storage
from sweeps.storage.fetch import refuse_other, to_resume

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = parser(named_task(arguments)).parse(arguments)
        if options.list:
            for name in tasks.names():
                print(f"{name:<16} {tasks.find(name).description}")
            return 0
        plan = _plan(options, arguments)
        if plan.record.finished:
            more = "; --trials +N searches on" if plan.search == "optuna" else ""
            print(f"{plan.folder} is finished: see sweeps/show.py; --seeds +N or --top-k +K retrains more of it{more}")
            return 0
        if options.dry_run:
            print(plan.describe())
            return 0
        if plan.storage:
            storage.check(plan.storage)
        if plan.storage and not plan.resume:
            refuse_other(plan.place)
        splits = load(plan, typed=options.subset)
        plan = data_hash.checked(plan)
    except ValueError as error:
        return _refuse(error)
    except KeyboardInterrupt:
        return 130
    return start(plan, splits)


def _plan(options: argparse.Namespace, arguments: list[str]) -> Plan:
    """Of a new sweep, or of the one to go on with."""
    options.resume = to_resume(options)
    if options.resume:
        plan = resumed_plan(options, arguments)
        again = history.failed(plan.folder, "retrain")  # these are tried once more
        return replace(plan, record=replace(plan.record, finished=plan.record.finished and not again))
    plan = make_plan(options, arguments)
    if plan.warm_start:
        older_study(plan)
    return plan


def start(plan: Plan, splits: Splits) -> int:
    """Run the sweep; returns the exit status."""
    try:
        from sweeps.engine import session as engine  # ray, which --help, --list and --dry-run do without
        from sweeps.pipeline import sweep
    except KeyboardInterrupt:
        return 130
    engine.heed_sigterm()
    torch.set_num_threads(1)  # of the test and the figures: two that wait for one another crawl on a busy machine
    try:
        return sweep.run(plan, splits, Console())
    except KeyboardInterrupt:  # while Ray starts, or another one while an interrupted sweep writes its report
        return 130
    except ValueError as error:  # CannotStart, Unusable
        return _refuse(error)


def _refuse(error: ValueError) -> int:
    print(f"error: {one_line(error)}", file=sys.stderr)
    return 2


def load(plan: Plan, typed: int | None = None) -> Splits:
    """The plan's data; a line of the log if it has fewer training sequences than the user typed.

    Raises:
        ValueError: if it cannot be read, naming the file.
    """
    if plan.resume and plan.data and not os.path.exists(plan.data):  # False for a name too long
        raise ValueError(f"--data {plan.data}: there is no such file or folder; --data PATH says where it lies now")
    splits = plan.task.load(plan.data, plan.options)
    if typed is not None and typed > len(splits.train):
        log.warning("--subset %s takes all there is: %s", f"{typed:,}", counted(len(splits.train), "training sequence"))
    return splits if plan.subset is None else splits.subset(plan.subset)


if __name__ == "__main__":
    sys.exit(main())
