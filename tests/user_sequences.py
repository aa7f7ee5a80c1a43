"""What the tests of users' sequences share."""

import pytest

from ae.data.sequences.load import load
from ae.data.sequences.options import Options
from ae.errors import UserError


def refused(path, **options):
    """The one line with which a file is refused."""
    with pytest.raises(UserError) as caught:
        load(path, Options(**options))
    text = str(caught.value)
    assert "\n" not in text
    return text
