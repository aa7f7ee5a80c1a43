"""A command line that says in one line what is wrong with it, and what was probably meant."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ae import tasks
from ae.errors import UserError
from ae.words import did_you_mean, nearest, plain
from sweeps.config import synonyms
from sweeps.config.words import one_line, option
from sweeps.storage.folder import PLAN

DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212"
"""What a web page or a word processor makes of a hyphen."""


PLAINER = {
    r"^(\S+) expected (at least )?one argument$": r"\1 needs a value",
    r"^-h ignored explicit argument .*$": r"options begin with two dashes: --help",
    r"^(\S+) ignored explicit argument (.*)$": r"\1 takes no value, got \2",
    r"^the following arguments are required: (.*)$": r"\1 is missing",
}
"""How argparse puts it, and how we do."""


class UnknownOption(UserError):
    """An option that a command does not have."""

    def __init__(self, typed: str, meant: str | None, is_certain: bool) -> None:
        """Name it.

        Args:
            typed: the option, without a value.
            meant: the command's option that was probably meant.
            is_certain: whether only its spelling differs, or it is a known name for the same.
        """
        hint = did_you_mean(meant) or f"; {synonyms.ALWAYS.get(plain(typed), '--help shows all of them')}"
        super().__init__(f"no option is called {typed}{hint}")
        self.typed = typed
        self.meant = meant
        self.is_certain = is_certain


class Parser(argparse.ArgumentParser):
    """A parser of one command, whose errors are one line."""

    def __init__(self, *, own_synonyms: Mapping[str, str] | None = None, **settings: object) -> None:
        """As `argparse.ArgumentParser`; options are not abbreviated, so that a new one changes no script.

        Args:
            own_synonyms: what options are called elsewhere, before those in `sweeps.config.synonyms`.
            settings: of `argparse.ArgumentParser`.
        """
        super().__init__(**settings, allow_abbrev=False)  # type: ignore[arg-type]  # its values are of many types
        self._synonyms = {**synonyms.OPTIONS, **(own_synonyms or {})}

    def error(self, message: str) -> NoReturn:
        """Raise what argparse has found.

        Raises:
            UserError: always.
        """
        message = re.sub(r"^argument (\S+?)(/\S+)?:? ", r"\1 ", one_line(message))
        for pattern, text in PLAINER.items():
            message = re.sub(pattern, text, message)
        help = "" if " must be " in message or "--help" in message else f"; see {self.prog} --help"
        raise UserError(f"{message}{help}")

    def parse(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """The options that were typed.

        Raises:
            UnknownOption: if the command does not have one.
            UserError: if one has no value, or a wrong one.
        """
        options, rest = self.parse_known_args(arguments)
        for name, value in vars(options).items():
            if value == []:  # Python 3.11 reads "--option=--" as an empty list
                self.error(f"{option(name)} needs a value")
        if rest:
            raise self._refused(rest[0], list(sys.argv[1:] if arguments is None else arguments))
        return options

    @property
    def options(self) -> dict[str, argparse.Action]:
        """Its options by their long names."""
        return {name: action for action in self._actions for name in action.option_strings if name.startswith("--")}

    def _refused(self, typed: str, arguments: list[str]) -> UserError:
        """What is wrong with a word that was not understood."""
        if typed[:1] in tuple(DASHES):
            return self.unknown(typed.partition("=")[0])
        meant = self.unknown(typed.partition("=")[0]) if "=" in typed else None
        if meant and meant.is_certain:
            return UserError(f"{typed}: an option begins with --; {meant}")
        before = self.options.get(arguments[max(0, arguments.index(typed) - 1)])
        if before and before.nargs == 0:
            return UserError(f"{before.option_strings[0]} takes no value, got {typed!r}")
        hint = f"see {self.prog} --help"
        if "--task" in self.options and typed in tasks.names():
            hint = f"write --task {typed}"
        elif "--resume" in self.options and os.path.isfile(os.path.join(typed, PLAN)):
            hint = f"write --resume {typed}"
        elif "--config" in self.options and typed.endswith((".yaml", ".yml")):
            hint = f"write --config {typed}, or --space {typed} for a search space"
        return UserError(f"{typed!r} belongs to no option; {hint}")

    def unknown(self, typed: str) -> UnknownOption:
        """The error about an option that the command does not have."""
        known = {spelling: name for spelling, name in self._synonyms.items() if name in self.options}
        name = typed.lstrip(DASHES)
        meant = nearest(name, self.options, known)
        spelled = {plain(one) for one in self.options} | set(known)
        return UnknownOption(typed, meant, plain(name) in spelled)
