"""The command line of the main job."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_args, get_type_hints

from ae import tasks
from ae.task import Task
from sweeps.config.plan import DEVICES, TRACKERS
from sweeps.config.schedulers import SCHEDULERS
from sweeps.search.samplers import SAMPLERS

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
    """The task that the command line names, so that the parser can know its own options."""
    only = Parser(add_help=False, allow_abbrev=False)
    only.add_argument("--task", default="")
    name = only.parse_known_args(arguments)[0].task
    return tasks.find(name) if name in tasks.names() else None


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line and exit status 2, without the usage above it."""
        self.exit(2, f"error: {one_line(message)}; see {self.prog} --help\n")

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """As `parse_args`, but refuses "--option=--", which argparse of Python 3.11 reads as an empty list."""
        options = self.parse_args(arguments)
        for name, value in vars(options).items():
            if value == []:
                self.error(f"argument --{name.replace('_', '-')}: expected one argument")
        return options


def exit_status(work: Callable[[], None]) -> int:
    """Do the work of a command: 0 when it is done, 2 and one line on bad input, 130 on a Ctrl-C."""
    try:
        work()
    except (OSError, ValueError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def one_line(message: object) -> str:
    """A message without line breaks, which an argument, a file's name or a column's may hold."""
    return " ".join(str(message).split())


def parser(task: Task | None = None) -> Parser:
    """The command line, with the task's own options if it is known; what is left out comes from the task."""
    parser = Parser(
        prog="python sweeps/run.py",
        description="Search for the best LSTM autoencoder for a task, retrain it, test it once, report it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
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
    what.add_argument("--list", action="store_true", help="name the tasks, a line each, and end")
    what.add_argument(
        "--dry-run", action="store_true", help="print the plan and start nothing; data and storage are not looked at"
    )
    what.add_argument("--smoke", action="store_true", help="the whole path on a subset, in about a minute")
    what.add_argument("--data", type=Path, metavar="PATH", help="your own data (default: what comes with the task)")
    what.add_argument("--subset", type=int, metavar="N", help="train on N sequences; the other splits shrink too")
    what.add_argument("--name", help="name of the results folder (default: the time)")
    what.add_argument("--resume", metavar="DIR", help="go on with a sweep: a results folder, or STORAGE/TASK/NAME")
    what.add_argument("--or-resume", action="store_true", help="if the sweep of that --name is there, go on with it")
    what.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="for results folders (default: results)",
    )
    what.add_argument(
        "--storage", metavar="URI", help="s3://, gs:// or a shared folder, for checkpoints and a copy of the results"
    )


def _add_search(parser: Parser) -> None:
    search = parser.add_argument_group("search")
    search.add_argument("--search", default="grid", metavar="KIND", help="grid (default) or optuna")
    search.add_argument(
        "--trials", type=count, metavar="N", help="trials of --search optuna (default: the task's; +N with --resume)"
    )
    search.add_argument("--sampler", metavar="NAME", help=f"of --search optuna: {', '.join(SAMPLERS)} (default: tpe)")
    search.add_argument("--space", type=Path, metavar="FILE.yaml", help="your own search space (see the README)")
    search.add_argument(
        "--warm-start", type=Path, metavar="DIR", help="an older sweep that --search optuna learns from"
    )
    search.add_argument("--seed", type=int, default=0, help="seed of the sampler and the trials (default: 0)")


def _add_budget(parser: Parser) -> None:
    budget = parser.add_argument_group("budget and early stopping, in epochs (defaults: the task's)")
    budget.add_argument("--max-epochs", type=int, metavar="N", help="epochs of a trial")
    budget.add_argument("--eval-every", type=int, metavar="N", help="epochs between two validations")
    budget.add_argument("--scheduler", default="asha", metavar="NAME", help=f"{', '.join(SCHEDULERS)} (default: asha)")
    budget.add_argument("--grace-period", type=int, metavar="N", help="epochs before a trial may be stopped")
    budget.add_argument("--reduction-factor", type=int, metavar="N", help="one trial of N goes on past each rung")


def _add_retraining(parser: Parser) -> None:
    final = parser.add_argument_group("retraining")
    final.add_argument(
        "--top-k",
        type=count,
        metavar="K",
        help="configurations to retrain (default: the task's, mostly 3; +K with --resume)",
    )
    final.add_argument("--retrain-epochs", type=int, metavar="N", help="epochs of each (default: the task's)")
    final.add_argument("--seeds", type=count, metavar="N", help="retrainings of each (default: 3; +N with --resume)")


def _add_resources(parser: Parser) -> None:
    where = parser.add_argument_group(
        "resources, which a resumed sweep may change",
        "The value none resets --gpus-per-trial, --max-concurrent, --time-limit, --address, --track or --autoscale.",
    )
    where.add_argument("--cpus-per-trial", type=int, default=1, metavar="N", help="CPUs, and threads, of a trial")
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
        metavar="S",
        help="fail a trial that is silent for S seconds, after one retry (default: no limit)",
    )
    where.add_argument("--device", default="auto", help=f"{', '.join(DEVICES)} (default: auto)")
    where.add_argument(
        "--core",
        default="auto",
        help="LSTM code on the CPU: fast (compiled C++), stock (nn.LSTM), or auto (fast if it compiles; default)",
    )
    where.add_argument(
        "--address", type=or_none(str), help="a running Ray cluster to join, 'auto' on one of its machines"
    )
    flag = argparse.BooleanOptionalAction
    where.add_argument("--dashboard", action=flag, help="start Ray's dashboard, on this machine alone")
    where.add_argument(
        "--track", type=or_none(str), metavar="NAME", help=f"log every trial there as well: {', '.join(TRACKERS)}"
    )
    where.add_argument(
        "--autoscale",
        type=or_none(int),
        metavar="N",
        help="on a cluster that starts machines by itself: ask for room for N trials at once",
    )
    where.add_argument("--verbose", action=flag, help="show Ray's own output")
    parser.set_defaults(dashboard=False, verbose=False)


def _add_own_options(parser: argparse.ArgumentParser, task: Task) -> None:
    group = parser.add_argument_group(f"data of {task.name}")
    types = get_type_hints(task.options)
    for one in fields(task.options):
        kind = next(kind for kind in get_args(types[one.name]) or (types[one.name],) if kind is not type(None))
        group.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=one.default, help=one.metadata["help"])


class More(int):
    """Trials, configurations or seeds that are added to those a sweep has."""


def count(text: str) -> int:
    """A number; "+20" is 20 more."""
    return More(text) if text.startswith("+") else int(text)


def or_none(kind: type) -> Callable[[str], Any]:
    """A value of that type; "none" is None."""

    def value(text: str) -> Any:
        return None if text == "none" else kind(text)

    value.__name__ = kind.__name__  # as argparse calls what it cannot read
    return value
