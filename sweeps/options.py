"""The command line of the main job, and the plan that it means."""

from __future__ import annotations

import argparse
import shlex
import time
import uuid
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import NoReturn

from ae import tasks
from ae.task import Budget, Task
from sweeps import folder
from sweeps import space as spaces
from sweeps.folder import Record
from sweeps.plan import DEVICES, SAMPLERS, SCHEDULERS, SEARCHES, TRACKERS, Plan
from sweeps.storage import absolute, join

EPILOG = """\
examples:
  python sweeps/run.py --task mnist-cls                      the grid, with early stopping
  python sweeps/run.py --task mnist-cls --smoke              the whole path in about a minute
  python sweeps/run.py --task mnist-cls --dry-run            what would run, and nothing else
  python sweeps/run.py --task mnist-cls --search optuna --trials 40 --sampler tpe
  python sweeps/run.py --task mnist-cls --space my_space.yaml --search optuna
  python sweeps/run.py --task mnist-cls --data ~/fashion-mnist --name fashion
  python sweeps/run.py --task mnist-cls --address auto --storage s3://bucket/sweeps --name a --or-resume

Results are in results/TASK/NAME/; open report.html first. Ctrl-C once stops cleanly and reports what was finished.
Exit status: 0 done, 1 no model could be trained, 2 bad input (nothing was started), 130 interrupted.
"""

SMOKE = {"trials": 8, "top_k": 2, "seeds": 2}
SMOKE_BUDGET = Budget(max_epochs=3, eval_every=1, grace_period=1, reduction_factor=2)
"""What --smoke takes where the user says nothing."""


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


def one_line(message: object) -> str:
    """A message without line breaks, which an argument, a file's name or a column's may hold."""
    return " ".join(str(message).split())


def parser(task: Task | None = None) -> Parser:
    """The command line, with the task's own options if it is known; what is left out comes from the task."""
    parser = Parser(
        prog="python sweeps/run.py",
        description="Find the best LSTM autoencoder for a task, retrain it, test it once, report it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to do")
    what.add_argument("--task", metavar="NAME", help=f"one of {', '.join(tasks.names())}")
    what.add_argument("--list", action="store_true", help="name the tasks, a line each, and end")
    what.add_argument("--dry-run", action="store_true", help="print the plan and start nothing")
    what.add_argument("--smoke", action="store_true", help="the whole path on a subset, in about a minute")
    what.add_argument("--data", type=Path, metavar="PATH", help="your own data instead of the embedded")
    what.add_argument("--subset", type=int, metavar="N", help="use N training sequences, and of the rest in proportion")
    what.add_argument("--name", help="name of the results folder (default: the time)")
    what.add_argument("--resume", metavar="DIR", help="go on with a sweep: a results folder, or STORAGE/TASK/NAME")
    what.add_argument("--or-resume", action="store_true", help="if the sweep of that --name is there, go on with it")
    what.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    what.add_argument(
        "--storage", metavar="URI", help="s3://, gs:// or a shared folder, for checkpoints and a copy of the results"
    )

    search = parser.add_argument_group("search")
    search.add_argument("--search", default="grid", metavar="KIND", help="grid (default) or optuna")
    search.add_argument(
        "--trials", type=count, metavar="N", help="trials of --search optuna (default: the task's); +N adds to --resume"
    )
    search.add_argument("--sampler", metavar="NAME", help=f"of --search optuna: {', '.join(SAMPLERS)} (default: tpe)")
    search.add_argument("--space", type=Path, metavar="FILE.yaml", help="your own search space (see the README)")
    search.add_argument(
        "--warm-start", type=Path, metavar="DIR", help="an older sweep that --search optuna learns from"
    )
    search.add_argument("--seed", type=int, default=0, help="seed of the sampler and the trials (default: 0)")

    budget = parser.add_argument_group("budget and early stopping, in epochs (defaults: the task's)")
    budget.add_argument("--max-epochs", type=int, metavar="N", help="epochs of a trial")
    budget.add_argument("--eval-every", type=int, metavar="N", help="epochs between two validations")
    budget.add_argument("--scheduler", default="asha", metavar="NAME", help=f"{', '.join(SCHEDULERS)} (default: asha)")
    budget.add_argument("--grace-period", type=int, metavar="N", help="epochs before a trial may be stopped")
    budget.add_argument("--reduction-factor", type=int, metavar="N", help="one trial of N goes on past each rung")

    final = parser.add_argument_group("retraining")
    final.add_argument("--top-k", type=int, metavar="K", help="configurations to retrain (default: 3)")
    final.add_argument("--retrain-epochs", type=int, metavar="N", help="epochs of each (default: the task's)")
    final.add_argument("--seeds", type=int, metavar="N", help="retrainings of each (default: 3)")

    _add_resources(parser)
    if task and fields(task.options):
        _add_own_options(parser, task)
    return parser


def _add_resources(parser: Parser) -> None:
    where = parser.add_argument_group("resources")
    where.add_argument("--cpus-per-trial", type=int, default=1, metavar="N", help="CPUs, and threads, of a trial")
    where.add_argument("--gpus-per-trial", type=float, metavar="X", help="default: a quarter where there are GPUs")
    where.add_argument(
        "--max-concurrent", type=int, metavar="N", help="trials at once (default: all there is room for)"
    )
    where.add_argument("--time-limit", type=float, metavar="S", help="seconds from one report of a trial to the next")
    where.add_argument("--device", default="auto", help=f"{', '.join(DEVICES)} (default: auto)")
    where.add_argument(
        "--core", default="auto", help="of the LSTMs on the CPU: auto (default), fast or stock (nn.LSTM)"
    )
    where.add_argument("--address", help="a running Ray cluster to join, 'auto' on one of its machines")
    where.add_argument("--dashboard", action="store_true", help="start Ray's dashboard, on this machine alone")
    where.add_argument("--track", metavar="NAME", help=f"a tracker to tell of every trial: {', '.join(TRACKERS)}")
    where.add_argument(
        "--autoscale", type=int, metavar="N", help="ask a cluster that starts machines by itself for N trials at once"
    )
    where.add_argument("--verbose", action="store_true", help="show Ray's own output")


def _add_own_options(parser: argparse.ArgumentParser, task: Task) -> None:
    group = parser.add_argument_group(f"data of {task.name}")
    for one in fields(task.options):
        kind = int if "int" in str(one.type) else str
        group.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=one.default, help=one.metadata["help"])


class More(int):
    """Trials that are added to those a sweep has."""


def count(text: str) -> int:
    """A number of trials; "+20" is 20 more."""
    return More(text) if text.startswith("+") else int(text)


def make_plan(options: argparse.Namespace, arguments: Sequence[str], resumed: Path | None = None) -> Plan:
    """The plan that the options mean.

    Args:
        options: what the parser made of the arguments.
        arguments: as typed.
        resumed: the results folder to go on with; None for a new one.

    Raises:
        ValueError: one line on what is wrong with them.
    """
    if options.task is None:
        raise ValueError(f"--task is missing; the tasks are {', '.join(tasks.names())}")
    task = tasks.find(options.task)
    dimensions = _space(options, task)
    smoke = SMOKE if options.smoke else {}
    trials = options.trials if options.trials is not None else smoke.get("trials", task.trials)
    if options.search == "grid":
        trials = len(spaces.points(dimensions))
    name = _name(options)
    fixed = [*arguments, "--name", name, "--results", str(options.results.absolute())]
    if options.data:
        options.data = options.data.absolute()
        fixed += ["--data", str(options.data)]
    if options.storage:
        options.storage = absolute(options.storage)
        fixed += ["--storage", options.storage]
    usual_subset = task.smoke_subset if options.smoke else task.subset
    return Plan(
        task=task,
        search=options.search,
        sampler=options.sampler or "tpe",
        space=dimensions,
        trials=trials,
        scheduler=options.scheduler,
        budget=_budget(options, SMOKE_BUDGET if options.smoke else task.budget),
        top_k=options.top_k if options.top_k is not None else min(trials, smoke.get("top_k", 3)),
        seeds=options.seeds if options.seeds is not None else smoke.get("seeds", 3),
        seed=options.seed,
        data=options.data,
        options=task.options(**{one.name: getattr(options, one.name) for one in fields(task.options)}),
        subset=usual_subset if options.subset is None else options.subset,
        folder=resumed or options.results / task.name / name,
        storage=options.storage,
        resume=resumed is not None,
        warm_start=options.warm_start,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=options.gpus_per_trial,
        max_concurrent=options.max_concurrent,
        time_limit_s=options.time_limit,
        device=options.device,
        core=options.core,
        address=options.address,
        dashboard=options.dashboard,
        track=options.track,
        autoscale=options.autoscale,
        verbose=options.verbose,
        command=shlex.join(["python", "sweeps/run.py", *arguments]),
        record=_record(options, fixed, trials, f"{task.name}/{name}"),
        space_file=options.space,
    )


def _record(options: argparse.Namespace, arguments: list[str], trials: int, name: str) -> Record:
    if not options.storage:
        return Record(arguments=arguments, trials=trials)
    return Record(arguments=arguments, trials=trials, place=join(options.storage, name), session=uuid.uuid4().hex)


def _space(options: argparse.Namespace, task: Task) -> spaces.Space:
    """What the search varies, once the options that say so agree."""
    if options.search not in SEARCHES:
        raise ValueError(f"--search must be one of {', '.join(SEARCHES)}, got {options.search!r}")
    if isinstance(options.trials, More):
        raise ValueError(f"--trials +{options.trials} goes with --resume; leave the + out")
    if options.search == "grid" and (options.trials is not None or options.sampler is not None):
        raise ValueError("--trials and --sampler go with --search optuna; a grid runs all of its configurations")
    if options.space:
        return spaces.read(options.space, task.base)
    return spaces.grid(task.grid) if options.search == "grid" else task.space


def _name(options: argparse.Namespace) -> str:
    name = str(options.name or time.strftime("%Y-%m-%d-%H%M%S"))
    if Path(name).name != name or name.startswith(".") or len(name) > 100:
        raise ValueError(
            f"--name must be one folder name of at most 100 characters, not starting with '.', got {name!r}"
        )
    return name


def _budget(options: argparse.Namespace, budget: Budget) -> Budget:
    """The task's budget with what the user set; what was left out is cut down to --max-epochs, where that was set."""
    names = ("max_epochs", "eval_every", "grace_period", "reduction_factor", "retrain_epochs")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    most = given.get("max_epochs", budget.max_epochs)
    if "max_epochs" in given:
        given.setdefault("retrain_epochs", None)
    if most >= 1:
        given = {name: min(most, getattr(budget, name)) for name in ("eval_every", "grace_period")} | given
    try:
        return replace(budget, **given)
    except ValueError as error:
        raise ValueError(f"budget: {error}") from None


FREE = (
    *("cpus_per_trial", "gpus_per_trial", "max_concurrent", "time_limit_s", "device", "core"),
    *("address", "autoscale", "dashboard", "track", "verbose"),
)
"""Fields of a plan that a later session may change: where the trials run, not what they are."""


def resumed_plan(options: argparse.Namespace, arguments: Sequence[str]) -> Plan:
    """The plan of the sweep that --resume names, with the trials that --trials +N adds.

    Args:
        options: what the parser made of the arguments; `resume` is a results folder.
        arguments: as typed; those of --or-resume are the ones that began the sweep.

    Raises:
        ValueError: if there is no such sweep, or the options would make another one of it.
    """
    place = Path(options.resume)
    record = folder.read(place)
    if record.place:
        record = replace(record, session=uuid.uuid4().hex)
    begun = list(record.arguments)
    if (place / folder.SPACE).exists():
        begun += ["--space", str(place / folder.SPACE)]
    own = Parser(add_help=False, allow_abbrev=False)
    own.add_argument("--resume")
    if not options.or_resume:
        own.add_argument("--trials")
    rest = own.parse_known_args(arguments)[1]
    if options.trials is not None and not isinstance(options.trials, More) and not options.or_resume:
        raise ValueError(f"--trials {options.trials}: a resumed sweep keeps its trials; +{options.trials} adds some")
    whole = parser(named_task(begun))
    before = make_plan(whole.parse(begun), begun, place)
    plan = make_plan(whole.parse([*begun, *rest]), begun, place)
    for field in fields(Plan):
        if field.name not in (*FREE, "record", "space_file") and getattr(plan, field.name) != getattr(
            before, field.name
        ):
            raise ValueError(
                f"--{field.name.replace('_', '-')} cannot change in a sweep that is resumed; begin a new one"
            )
    if not isinstance(options.trials, More):
        return replace(plan, trials=record.trials, record=record)
    if plan.search == "grid":
        raise ValueError(f"--trials +{options.trials} goes with --search optuna; this sweep is a grid")
    trials = record.trials + options.trials
    return replace(plan, trials=trials, record=replace(record, trials=trials, finished=False))
