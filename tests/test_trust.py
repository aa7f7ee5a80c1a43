"""Nothing that is read from a results folder runs code, and nothing that is damaged is trusted."""

import io
import json

import pytest
import torch
from sweep_logs import ask, begin_session, end, plan_of, report

from ae import load
from ae.configuration import Configuration
from ae.saved import save
from ae.tasks import find
from sweeps import rebuild, run, show
from sweeps.config import plan_file
from sweeps.records.sweep_log import SweepLog
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
    save(tmp_path / "best", task.name, configuration, {"input_size": 1, "output_size": 1}, {})
    (tmp_path / "best" / "weights.pt").write_bytes(content)
    with pytest.raises(ValueError, match="weights cannot be loaded") as error:
        load(tmp_path / "best")
    assert "\n" not in str(error.value)
    assert not ran.exists()


def test_a_checkpoint_with_right_checksums_runs_no_code(hostile, saved):
    content, ran = hostile
    checkpoints, path = saved
    path.write_bytes(content)
    found = checkpoints.load("0000")
    assert (found.state["epoch"], ran.exists()) == (1, False)
    assert "its checkpoint of epoch 2 is damaged" in found.warning
    assert "\n" not in found.warning


@pytest.fixture
def saved(tmp_path):
    """Two checkpoints of a trial, of epochs 1 and 2; and the file of the second."""
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"))
    for epoch in (1, 2):
        weights = {"linear.weight": torch.linspace(0, 1, 60), "linear.bias": torch.full((3,), float(epoch))}
        checkpoints.save("0000", epoch, {"epoch": epoch, "weights": weights, "reports": [{"val_loss": 0.5}]})
    return checkpoints, tmp_path / "checkpoints" / "0000" / "epoch-000002.pt"


def test_a_checkpoint_opens_with_torch_alone(saved):
    checkpoints, path = saved
    state, found = torch.load(path, weights_only=True), checkpoints.load("0000")
    assert found.warning == ""
    assert state["epoch"] == found.state["epoch"] == 2
    assert state["reports"] == found.state["reports"] == [{"val_loss": 0.5}]
    assert all(torch.equal(state["weights"][name], weight) for name, weight in found.state["weights"].items())


def test_a_flipped_bit_of_a_tensor_is_found_by_the_checksum_that_torch_wrote(saved):
    """torch itself reads the changed numbers without a word."""
    checkpoints, path = saved
    whole = path.read_bytes()
    weights = torch.linspace(0, 1, 60).numpy().tobytes()
    for place in range(0, len(weights), 16):
        content = bytearray(whole)
        content[whole.index(weights) + place] ^= 1 << place // 16 % 8
        path.write_bytes(content)
        torch.load(path, weights_only=True)
        found = checkpoints.load("0000")
        assert found.state["epoch"] == 1
        assert "Bad CRC-32" in found.warning
        assert found.warning.endswith("; the trial resumes from epoch 1")


def test_a_flipped_bit_anywhere_gives_the_same_state_or_the_one_before(saved):
    checkpoints, path = saved
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        state = checkpoints.load("0000").state
        assert torch.equal(state["weights"]["linear.weight"], torch.linspace(0, 1, 60))
        assert state["weights"]["linear.bias"].tolist() == [float(state["epoch"])] * 3


@pytest.mark.parametrize("name", ["../../../../../precious", "{}/precious", "..", ".", "", "0000/../../0000", "0000\0"])
@pytest.mark.parametrize("command", [rebuild, show])
def test_a_name_of_a_trial_leads_to_no_folder_elsewhere(shown, tmp_path, name, command):
    """A run of TensorBoard's is written anew: what is in its place is removed first."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    plan = plan_of(tmp_path / "results")
    plan_file.write(plan)
    log = SweepLog(plan)
    log.open()
    begin_session(log)
    ask(log, "0000")
    report(log, "0000", 1, 0.5)
    end(log, "0000")
    log.flush()
    events = (plan.folder / "events.jsonl").read_text()
    (plan.folder / "events.jsonl").write_text(
        events.replace('"trial":"0000"', f'"trial":{json.dumps(name.format(tmp_path))}')
    )
    status, output, error = shown(command.main, plan.folder)
    assert (status, output) == (2, "")
    assert error.startswith(f"error: {plan.folder / 'events.jsonl'}, line 2: ")
    assert error.count("\n") == 1
    assert (tmp_path / "precious" / "file").exists()


@pytest.mark.parametrize("name", ["..", "../../precious", "/precious", "a/b", "", "."])
def test_a_name_of_a_sweep_leads_to_no_folder_elsewhere(shown, tmp_path, name):
    """Its copy in a storage is STORAGE/TASK/NAME."""
    plan = plan_of(tmp_path / "results", "--storage", tmp_path / "storage")
    plan_file.write(plan)
    content = json.loads((plan.folder / "plan.json").read_text())
    (plan.folder / "plan.json").write_text(json.dumps(content | {"name": name}))
    status, output, error = shown(run.main, "--resume", plan.folder, "--dry-run")
    assert (status, output) == (2, "")
    assert "plan.json: cannot be read: name must be one folder name, " in error
    assert error.count("\n") == 1
