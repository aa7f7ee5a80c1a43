"""The command line of the main job."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from ae import tasks
from ae.errors import UserError
from ae.task import Task
from sweeps.config.choices import DEVICES, SAMPLERS, SCHEDULERS, TRACKERS
from sweeps.config.plan_file import load
from sweeps.config.words import one_line, option

EPILOG = """\
examples:
  python sweeps/run.py --task mnist-cls                      the grid, with early stopping
  python sweeps/run.py --task mnist-cls --smoke              the whole path in about a minute
  python sweeps/run.py --task mnist-cls --dry-run            what would run, and nothing else
  python sweeps/run.py --task mnist-cls --search optuna --trials 40 --sampler tpe
  python sweeps/run.py --task mnist-cls --space my_space.yaml --search optuna
  python sweeps/run.py --task mnist-cls --data ~/fashion-mnist --name fashion
  python sweeps/run.py --task mnist-cls --address auto --storage s3://bucket/sweeps --name a --or-resume

A task may have options of its own: --task sp500-rec --help shows them.

Results are in results/TASK/NAME/; open report.html first. Ctrl-C once stops cleanly and reports what was finished.
Exit status: 0 done, 1 no model could be trained or results could not be written, 2 bad input (nothing was started),
130 interrupted.
"""


def named_task(arguments: Sequence[str]) -> Task | None:
    """The task that a command line names, by --task or by the folder it resumes; the parser adds its options."""
    only = Parser(add_help=False, allow_abbrev=False)
    only.add_argument("--task", default="")
    only.add_argument("--resume", default="", type=place)
    found = only.parse_known_args(arguments)[0]
    if found.task in tasks.names():
        return tasks.find(found.task)
    try:
        return load(Path(found.resume)).task if found.resume else None
    except UserError:  # what is wrong with the folder is said when it is resumed
        return None


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line and exit status 2, without the usage above it."""
        self.exit(2, f"error: {one_line(message)}; see {self.prog} --help\n")

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """As `parse_args`, but refuses "--option=--", which argparse of Python 3.11 reads as an empty list."""
        options = self.parse_args(arguments)
        for name, value in vars(options).items():
            if value == []:
                self.error(f"argument {option(name)}: expected one argument")
        return options


def parser(task: Task | None = None) -> Parser:
    """The command line, with the task's own options if it is known; options that are left out have no value at all."""
    parser = Parser(
        prog="python sweeps/run.py",
        description="Search for the best LSTM autoencoder for a task, retrain it, test it once, report it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    _add_what(parser)
    _add_search(parser)
    _add_budget(parser)
    _add_retraining(parser)
    _add_resources(parser)
    if task and fields(task.options):
        _add_own_options(parser, task)
    return parser


def _add_what(parser: Parser) -> None:
    what = parser.add_argument_group("what to do")
    what.add_argument("--task", metavar="NAME", help=f"one of {', '.join(tasks.names())}")
    what.add_argument("--list", action="store_true", help="list the tasks, one per line, and exit")
    what.add_argument(
        "--dry-run", action="store_true", help="print the plan and start nothing; data and storage are not read"
    )
    what.add_argument("--smoke", action="store_true", help="the whole path on a subset, in about a minute")
    what.add_argument("--data", type=path, metavar="PATH", help="your own data (default: what comes with the task)")
    what.add_argument("--subset", type=int, metavar="N", help="train on N sequences; the other splits shrink too")
    what.add_argument("--name", help="name of the results folder (default: the time)")
    what.add_argument(
        "--resume", type=place, metavar="DIR", help="resume a sweep: a results folder, or STORAGE/TASK/NAME"
    )
    what.add_argument("--or-resume", action="store_true", help="resume the sweep of that --name if there is one")
    what.add_argument("--results", type=path, metavar="DIR", help="where results folders are made (default: results)")
    what.add_argument(
        "--storage",
        type=place,
        metavar="URI",
        help="s3://, gs:// or a shared folder, for checkpoints and a copy of the results",
    )


def _add_search(parser: Parser) -> None:
    search = parser.add_argument_group("search")
    search.add_argument("--search", metavar="KIND", help="grid (default) or optuna")
    search.add_argument(
        "--trials", type=count, metavar="N", help="trials of --search optuna (default: the task's; +N adds some)"
    )
    search.add_argument("--sampler", metavar="NAME", help=f"for --search optuna: {', '.join(SAMPLERS)} (default: tpe)")
    search.add_argument("--space", type=path, metavar="FILE.yaml", help="your own search space (see the README)")
    search.add_argument(
        "--warm-start", type=path, metavar="DIR", help="an older sweep that --search optuna learns from"
    )
    search.add_argument(
        "--seeds-per-trial",
        type=int,
        metavar="N",
        help="judge a configuration by the mean of N seeds; a trial trains N models, one after the other (default: 1)",
    )
    search.add_argument(
        "--target", type=or_none(float), metavar="VALUE", help="end the search when a validation is as good as VALUE"
    )
    search.add_argument("--seed", type=int, help="seed of the sampler and the trials (default: 0)")


def _add_budget(parser: Parser) -> None:
    budget = parser.add_argument_group("budget and early stopping, in epochs (defaults: the task's)")
    budget.add_argument("--max-epochs", type=int, metavar="N", help="epochs of a trial")
    budget.add_argument("--eval-every", type=int, metavar="N", help="epochs between two validations")
    budget.add_argument("--scheduler", metavar="NAME", help=f"{', '.join(SCHEDULERS)} (default: asha)")
    budget.add_argument("--grace-period", type=int, metavar="N", help="epochs before a trial may be stopped")
    budget.add_argument("--reduction-factor", type=int, metavar="N", help="one of N trials trains past each rung")
    budget.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="end a trial after N reports without an improvement by more than 0.1 %% of its best (default: never)",
    )


def _add_retraining(parser: Parser) -> None:
    final = parser.add_argument_group("retraining")
    final.add_argument(
        "--top-k",
        type=count,
        metavar="K",
        help="configurations to retrain (default: the task's, mostly 3; +K adds some)",
    )
    final.add_argument("--retrain-epochs", type=int, metavar="N", help="epochs of each (default: the task's)")
    final.add_argument("--seeds", type=count, metavar="N", help="seeds that retrain each (default: 3; +N adds some)")


def _add_resources(parser: Parser) -> None:
    where = parser.add_argument_group(
        "resources, which --resume may change",
        "The value none resets --gpus-per-trial, --max-concurrent, --time-limit, --address, --track or --autoscale.",
    )
    where.add_argument("--cpus-per-trial", type=int, metavar="N", help="CPUs, and threads, of a trial (default: 1)")
    where.add_argument(
        "--gpus-per-trial",
        type=or_none(float),
        metavar="X",
        help="share of a GPU, 0 to 1 (default: 1/4, more where there are many GPUs, 0 where there are none)",
    )
    where.add_argument(
        "--max-concurrent", type=or_none(int), metavar="N", help="trials at once (default: all there is room for)"
    )
    where.add_argument(
        "--time-limit",
        type=or_none(float),
        dest="time_limit_s",
        metavar="S",
        help="fail a trial that reports nothing for S seconds, after one retry (default: no limit)",
    )
    where.add_argument("--device", help=f"{', '.join(DEVICES)} (default: auto)")
    where.add_argument(
        "--core",
        help="LSTM code on the CPU: fast (compiled C++), stock (nn.LSTM), or auto (fast if it compiles; default)",
    )
    where.add_argument(
        "--address", type=or_none(str), help="address of a running Ray cluster; auto on a machine of the cluster"
    )
    flag = argparse.BooleanOptionalAction
    where.add_argument("--dashboard", action=flag, help="start Ray's dashboard, reachable from this machine only")
    where.add_argument(
        "--track", type=or_none(str), metavar="NAME", help=f"also log every trial to one of {', '.join(TRACKERS)}"
    )
    where.add_argument(
        "--autoscale",
        type=or_none(int),
        metavar="N",
        help="on an autoscaling cluster: request room for N trials at once",
    )
    where.add_argument("--verbose", action=flag, help="show Ray's own output")


def _add_own_options(parser: argparse.ArgumentParser, task: Task) -> None:
    group = parser.add_argument_group(f"data of {task.name}")
    types = get_type_hints(task.options)
    for one in fields(task.options):
        kind = next(kind for kind in get_args(types[one.name]) or (types[one.name],) if kind is not type(None))
        group.add_argument(option(one.name), type=kind, help=one.metadata["help"])


def path(text: str) -> Path:
    """A path in which ~ is the user's home: a shell does not expand it after an equals sign."""
    return Path(os.path.expanduser(text))  # a user that does not exist stays as typed


def place(text: str) -> str:
    """A URI as it is, or a path in which ~ is the user's home."""
    return text if "://" in text or not text else str(path(text))


GROWING = ("trials", "top_k", "seeds")
"""Options to which a later session may add."""


class More(int):
    """A number of trials, configurations or seeds to add to a sweep."""


def count(text: str) -> int:
    """A number, or with a plus sign a number to add."""
    return More(text) if text.startswith("+") else int(text)


def or_none(kind: type) -> Callable[[str], Any]:
    """A value of that type; "none" is None."""

    def value(text: str) -> Any:
        return None if text == "none" else kind(text)

    value.__name__ = kind.__name__  # as argparse calls what it cannot read
    return value
