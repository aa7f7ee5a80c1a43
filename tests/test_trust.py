"""Nothing that is read from a results folder runs code."""

import hashlib
import io

import pytest
import torch

from ae import load
from ae.configuration import Configuration
from ae.saved import save
from ae.tasks import find
from sweeps.storage.checkpoints import Checkpoints


class Hostile:
    """A pickle that makes a file as it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def hostile(tmp_path):
    """A file of torch's with that pickle in it, and the path that must not appear."""
    content = io.BytesIO()
    torch.save({"encoder.weight_hh_l0": Hostile(tmp_path / "ran")}, content)
    return content.getvalue(), tmp_path / "ran"


def test_the_pickle_would_run_where_it_is_trusted(hostile):
    content, ran = hostile
    torch.load(io.BytesIO(content), weights_only=False)["encoder.weight_hh_l0"].close()
    assert ran.exists()


def test_a_saved_model_runs_no_code(hostile, tmp_path):
    content, ran = hostile
    task, configuration = find("synthetic"), Configuration(hidden_size=4)
    save(tmp_path / "best", task.name, configuration, task.build(configuration).state_dict())
    (tmp_path / "best" / "weights.pt").write_bytes(content)
    with pytest.raises(ValueError, match="weights cannot be loaded") as error:
        load(tmp_path / "best")
    assert "\n" not in str(error.value)
    assert not ran.exists()


def test_a_checkpoint_with_a_right_checksum_runs_no_code(hostile, tmp_path):
    content, ran = hostile
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"))
    for epoch in (1, 2):
        checkpoints.save("0000", epoch, {"epoch": epoch})
    path = tmp_path / "checkpoints" / "0000" / "epoch-000002.pt"
    path.write_bytes(hashlib.sha256(content).digest() + content)
    found = checkpoints.load("0000")
    assert (found.state, ran.exists()) == ({"epoch": 1}, False)
    assert "its checkpoint of epoch 2 is damaged" in found.warning
    assert "\n" not in found.warning
