"""The options of the main job."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import get_args, get_type_hints

from ae import tasks
from ae.task import Task
from sweeps.config.choices import DEVICES, SAMPLERS, SCHEDULERS, TRACKERS
from sweeps.config.parser import Parser
from sweeps.config.values import absolute_text, count, duration_s, number, or_none, path, place, share, whole
from sweeps.config.words import option

PROG = "python sweeps/run.py"
EPILOG = """\
examples:
  python sweeps/run.py --task mnist-cls                      the grid, with early stopping
  python sweeps/run.py --task mnist-cls --smoke              the whole path in about a minute
  python sweeps/run.py --task mnist-cls --dry-run            what would run, and how long it may take
  python sweeps/run.py --task mnist-cls --trials 40          40 configurations that Optuna chooses
  python sweeps/run.py --task mnist-cls --space my_space.yaml
  python sweeps/run.py --config my_sweep.yaml                options from a file
  python sweeps/run.py --task mnist-cls --try 'lr=0.003 hidden_size=96' --patience 5
  python sweeps/run.py --task mnist-cls --data ~/fashion-mnist --name fashion
  python sweeps/run.py --task mnist-cls --address auto --storage s3://bucket/sweeps --name a --or-resume

A task may have options of its own: --task sp500-rec --help shows them.

Results are in results/TASK/NAME/; open report.html first. Ctrl-C once stops cleanly and reports what was finished.
Exit status: 0 done, 1 no model could be trained or results could not be written, 2 bad input (nothing was started),
130 interrupted.
"""


GROWING = ("trials", "top_k", "seeds")
"""Options to which a later session may add."""
TYPES = {int: whole, float: number}
"""How a task's own options are read."""


def parser(task: Task | None = None) -> Parser:
    """The command line, with the task's own options if it is known; options that are left out have no value at all."""
    parser = Parser(
        prog=PROG,
        description="Search for the best LSTM autoencoder for a task, retrain it, test it once, report it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    _add_what(parser)
    _add_config(parser)
    _add_search(parser)
    _add_budget(parser)
    _add_retraining(parser)
    _add_resources(parser)
    if task and fields(task.options):
        _add_own_options(parser, task)
    return parser


def _add_what(parser: Parser) -> None:
    what = parser.add_argument_group("what to do")
    what.add_argument(
        "--task", metavar="NAME", help=f"one of {', '.join(tasks.names())}; or a file of your own, ./my_task.py"
    )
    what.add_argument("--list", action="store_true", help="list the tasks, one per line, and exit")
    what.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan and how long it may take: the data is read and a few steps are timed; nothing is started",
    )
    what.add_argument("--open", action="store_true", help="serve the live page to this machine, and open it")
    flag = argparse.BooleanOptionalAction
    what.add_argument("--smoke", action=flag, help="the whole path on a subset, in about a minute")
    what.add_argument("--data", type=path, metavar="PATH", help="your own data (default: what comes with the task)")
    what.add_argument("--subset", type=whole, metavar="N", help="train on N sequences; the other splits shrink too")
    what.add_argument("--name", metavar="NAME", help="name of the results folder (default: the time)")
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


def _add_config(parser: Parser) -> None:
    config = parser.add_argument_group(
        "options in a file", "The command line wins. Paths mean the same as on the command line."
    )
    config.add_argument(
        "--config", type=path, metavar="FILE.yaml", help="a file with options as keys, such as 'max_epochs: 20'"
    )
    config.add_argument(
        "--print-config", action="store_true", help="print all options as such a file, and start nothing"
    )


def _add_search(parser: Parser) -> None:
    search = parser.add_argument_group("search")
    search.add_argument(
        "--search",
        metavar="KIND",
        help="grid: every configuration of it (default); optuna: a sampler chooses --trials of them",
    )
    search.add_argument(
        "--trials",
        type=count,
        metavar="N",
        help="configurations to try, by --search optuna (default: the task's; +N adds some with --resume)",
    )
    search.add_argument("--sampler", metavar="NAME", help=f"who chooses them: {', '.join(SAMPLERS)} (default: tpe)")
    search.add_argument(
        "--space",
        type=path,
        metavar="FILE.yaml",
        help="your own search space, with lines such as 'lr: [0.001, 0.01]' (see the README); --resume adds to a grid",
    )
    search.add_argument(
        "--try", action="append", metavar="'NAME=VALUE ...'", help="a configuration to run first; may be repeated"
    )
    search.add_argument(
        "--warm-start", type=path, metavar="DIR", help="an older sweep that --search optuna learns from"
    )
    search.add_argument(
        "--seeds-per-trial",
        type=whole,
        metavar="N",
        help="judge a configuration by the mean of N seeds; a trial trains N models, one after the other (default: 1)",
    )
    search.add_argument(
        "--target", type=or_none(number), metavar="VALUE", help="end the search when a validation is as good as VALUE"
    )
    search.add_argument("--seed", type=whole, metavar="N", help="seed of the sampler and the trials (default: 0)")


def _add_budget(parser: Parser) -> None:
    budget = parser.add_argument_group("budget and early stopping (defaults: the task's)")
    budget.add_argument("--max-epochs", type=whole, metavar="N", help="epochs of a trial that is not stopped")
    budget.add_argument("--eval-every", type=whole, metavar="N", help="epochs between two validations")
    budget.add_argument("--scheduler", metavar="NAME", help=f"{', '.join(SCHEDULERS)} (default: asha)")
    budget.add_argument("--grace-period", type=whole, metavar="N", help="epochs before a trial may be stopped")
    budget.add_argument(
        "--reduction-factor", type=whole, metavar="N", help="of N trials that are compared, one trains on"
    )
    budget.add_argument(
        "--patience",
        type=whole,
        metavar="N",
        help="end a trial after N reports without an improvement by more than 0.1 %% of its best (default: never)",
    )


def _add_retraining(parser: Parser) -> None:
    final = parser.add_argument_group(
        "retraining", "The best configurations train once more, from scratch; then each is tested once."
    )
    final.add_argument(
        "--top-k",
        type=count,
        metavar="K",
        help="configurations to retrain (default: the task's, mostly 3; +K adds some with --resume)",
    )
    final.add_argument(
        "--retrain-epochs", type=whole, metavar="N", help="epochs of each retraining (default: the task's)"
    )
    final.add_argument(
        "--seeds",
        type=count,
        metavar="N",
        help="retrainings of each configuration (default: 3; +N adds some with --resume)",
    )


def _add_resources(parser: Parser) -> None:
    where = parser.add_argument_group(
        "resources, which --resume may change",
        "The value none resets --gpus-per-trial, --max-concurrent, --time-limit, --time-budget, --address, --track or "
        "--autoscale.",
    )
    where.add_argument("--cpus-per-trial", type=whole, metavar="N", help="CPUs, and threads, of a trial (default: 1)")
    where.add_argument(
        "--gpus-per-trial",
        type=or_none(share),
        metavar="X",
        help="share of a GPU, 0 to 1 (default: 1/4, more where there are many GPUs, 0 where there are none)",
    )
    where.add_argument(
        "--max-concurrent", type=or_none(whole), metavar="N", help="trials at once (default: all there is room for)"
    )
    where.add_argument(
        "--time-limit",
        type=or_none(duration_s),
        dest="time_limit_s",
        metavar="TIME",
        help="fail a trial that reports nothing for so long (10m, 1h30, seconds), after one retry (default: no limit)",
    )
    where.add_argument(
        "--time-budget",
        type=or_none(duration_s),
        dest="time_budget_s",
        metavar="TIME",
        help="the whole sweep, over all sessions, takes no longer, such as 2h (default: no limit): the search "
        "ends in time to retrain, test and report, and fewer configurations and seeds are retrained if need be",
    )
    _add_place(where)


def _add_place(where: argparse._ArgumentGroup) -> None:
    """Where trials run, and who is told."""
    where.add_argument("--device", metavar="NAME", help=f"{', '.join(DEVICES)} (default: auto)")
    where.add_argument(
        "--core",
        metavar="NAME",
        help="LSTM code on the CPU: fast (compiled C++), stock (nn.LSTM), or auto (fast if it compiles; default)",
    )
    where.add_argument(
        "--address",
        type=or_none(str),
        metavar="HOST:PORT",
        help="join a running Ray cluster; auto on a machine of the cluster (default: this machine alone)",
    )
    flag = argparse.BooleanOptionalAction
    where.add_argument("--dashboard", action=flag, help="start Ray's dashboard, reachable from this machine only")
    where.add_argument(
        "--track", type=or_none(str), metavar="NAME", help=f"also log every trial to one of {', '.join(TRACKERS)}"
    )
    where.add_argument(
        "--autoscale",
        type=or_none(whole),
        metavar="N",
        help="on an autoscaling cluster: request room for N trials at once",
    )
    where.add_argument("--verbose", action=flag, help="show Ray's own output")


def _add_own_options(parser: argparse.ArgumentParser, task: Task) -> None:
    group = parser.add_argument_group(f"data of {task.name}")
    types = get_type_hints(task.options)
    for one in fields(task.options):
        kind = next(kind for kind in get_args(types[one.name]) or (types[one.name],) if kind is not type(None))
        if kind is bool:
            group.add_argument(option(one.name), action=argparse.BooleanOptionalAction, help=one.metadata["help"])
        else:
            read = absolute_text if one.metadata.get("path") else TYPES.get(kind, kind)
            group.add_argument(option(one.name), type=read, help=one.metadata["help"])
