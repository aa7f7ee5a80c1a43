"""The data of a plan: read once, announced, and compared with what the sweep began with."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from ae.errors import UserError
from ae.splits import Splits
from ae.task import Task
from ae.words import counted
from sweeps.config.plan import Plan
from sweeps.config.words import option
from sweeps.storage import data_hash
from sweeps.tracking.display import say
from sweeps.tracking.steps import Step

log = logging.getLogger(__name__)


class DataReader:
    """Reads data once: the plan of a new sweep may depend on it before the sweep needs it.

    Args:
        console: is told what is read, and what was understood.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last: tuple[tuple[str, Path | None, Any], Splits] | None = None

    def read(self, task: Task, data: Path | None, options: Any) -> Splits:
        """The data of a task at a path, as the task's options say.

        Raises:
            UserError: if it cannot be read.
        """
        asked = (task.name, data, options)
        if self.last is None or self.last[0] != asked:
            with Step(self.console, f"{task.name}: reading {data or 'the data'}"):
                self.last = asked, task.load(data, options)
            say(self.console, self.last[1].source)
        return self.last[1]

    def splits(self, plan: Plan, resumed: bool, typed_subset: int | None = None) -> Splits:
        """The plan's data; a warning if it has fewer training sequences than the user typed.

        Raises:
            UserError: if it cannot be read, naming the file.
        """
        if resumed and plan.data and not os.path.exists(plan.data):  # False for a name that is too long
            raise UserError(f"--data {plan.data}: there is no such file or folder; --data PATH says where it is now")
        splits = self.read(plan.task, plan.data, plan.options)
        if typed_subset is not None and typed_subset > len(splits.train):
            there = counted(len(splits.train), "training sequence")
            log.warning("%s %s is more than there is, all are used: %s", option("subset"), f"{typed_subset:,}", there)
        for mix in plan.values_of("mix"):
            plan.task.check(replace(plan.base, mix=mix), splits.train)
        return splits if plan.subset is None else splits.subset(plan.subset)


def with_hash(plan: Plan, resumed: bool) -> Plan:
    """The plan of a new sweep with the hash of its data; data of a resumed one must be the same."""
    if not plan.data_paths:
        return plan
    if resumed:
        data_hash.check(plan.data_paths, plan.data_sha256)
        return plan
    return replace(plan, data_sha256=data_hash.sha256(plan.data_paths))
