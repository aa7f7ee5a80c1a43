"""`lstm-sweep COMMAND ...`: the commands of this folder, for use from any place; and how all of them end."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Sequence

from ae.errors import UserError
from ae.words import did_you_mean, nearest
from sweeps.config import synonyms
from sweeps.config.parser import UnknownOption
from sweeps.config.streams import safe_output
from sweeps.config.words import one_line
from sweeps.storage.crash import report_bug
from sweeps.storage.home import settle_home

VERBS = ("run", "show", "compare", "replay", "evaluate", "apply", "export", "rebuild")
"""Each is a module of this package, with a function `main`."""
USAGE = """\
usage: lstm-sweep COMMAND ...

  run        search for the best LSTM autoencoder for a task, retrain it, test it once, report it
  show       show a sweep that is running or has ended
  compare    compare sweeps of one task
  replay     replay schedulers over the learning curves of a sweep
  evaluate   evaluate the best model of a sweep again
  apply      apply the best model of a sweep to new sequences
  export     write the best model of a sweep as ONNX, a PyTorch program or safetensors
  rebuild    rewrite the tables, Optuna study and report of a sweep from its events

lstm-sweep COMMAND --help shows the options of a command.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands; returns its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    if not arguments or arguments[0] not in VERBS:
        print(f"error: {one_line(_no_verb(arguments))}", file=sys.stderr)
        return 2
    verb, *rest = arguments
    status: int = importlib.import_module(f"sweeps.{verb}").main(rest)
    return status


def _no_verb(arguments: Sequence[str]) -> str:
    """What is wrong with a command line that does not begin with a command."""
    rule = f"the command must be one of {', '.join(VERBS)}"
    if not arguments:
        return f"{rule}, got none; see lstm-sweep --help"
    typed = arguments[0]
    meant = nearest(typed, VERBS, synonyms.VERBS)
    if typed.startswith("--"):
        verbs = _verbs_with(typed.partition("=")[0])
        meant = verbs[0] if verbs else None
    return f"{rule}, got {typed!r}{did_you_mean(meant and f'lstm-sweep {meant}') or '; see lstm-sweep --help'}"


def _verbs_with(option: str) -> list[str]:
    """The commands that have an option."""
    from sweeps.config.arguments import parser  # with the other commands, slow to import: on this path alone

    others = {verb: importlib.import_module(f"sweeps.{verb}") for verb in VERBS if verb != "run"}
    lines = {"run": parser(), **{verb: module.command_line() for verb, module in others.items()}}
    return [verb for verb, line in lines.items() if option in line.options]


def run_command(work: Callable[[], int | None]) -> int:
    """Do the work of a command; returns the exit status.

    Characters that the terminal lacks, and output that nobody reads, are no errors. A user's mistake costs one line and
    status 2, a Ctrl-C status 130. Any other exception is a bug: one line, the traceback in a file, and status 1.
    """
    _show_what_was_read()
    with safe_output():
        try:
            settle_home()
            return work() or 0
        except UnknownOption as error:
            verbs = [] if error.is_certain else _verbs_with(error.typed)
            other = f"{error.typed} is an option of sweeps/{verbs[0]}.py, not of this command" if verbs else error
            print(f"error: {one_line(other)}", file=sys.stderr)
            return 2
        except UserError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130
        except Exception as error:
            return report_bug(error, None, "the command")


def _show_what_was_read() -> None:
    """Show how the data was understood on stderr, where Python shows warnings."""
    if logging.lastResort:
        logging.lastResort.setLevel(logging.INFO)  # other loggers than this one still show warnings only
    logging.getLogger("ae.data").setLevel(logging.INFO)
