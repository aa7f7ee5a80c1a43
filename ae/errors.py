"""The exception for mistakes that the user can fix."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the user typed or brought is wrong: an option, a configuration, a data file, a saved model.

    The message is one line that says what is wrong, where, the rule, and the fix. A command prints it and exits with
    status 2. Every other exception is a bug of this program and keeps its traceback.
    """
