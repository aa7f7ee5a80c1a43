"""Write a trained model as one file that runs without this program: ONNX, a PyTorch program, or its weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sweeps.cli import run_command
from sweeps.config.choices import EXPORTS, check_choice
from sweeps.config.parser import Parser
from sweeps.config.synonyms import EXPORT_OPTIONS
from sweeps.config.values import path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""

    def work() -> None:
        options = command_line().parse(arguments)
        check_choice("to", options.to, EXPORTS)
        from rich.console import Console

        from sweeps.pipeline.export import export  # with torch, which --help does without

        export(options.folder, options.to, options.output, Console())

    return run_command(work)


def command_line() -> Parser:
    """The options."""
    parser = Parser(prog="python sweeps/export.py", description=__doc__, own_synonyms=EXPORT_OPTIONS)
    parser.add_argument(
        "folder", type=path, metavar="RESULTS_DIR", help="a results folder, or its best/ copied to any place"
    )
    parser.add_argument("--to", default="onnx", metavar="FORM", help=f"{', '.join(EXPORTS)} (default: onnx)")
    parser.add_argument(
        "--output",
        type=path,
        metavar="FILE",
        help="the file to write; only a file that is named here is replaced (default: the folder's name)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
