"""The private parts of Ray and Optuna that docs/ARCHITECTURE.md lists: what must hold when a new version comes."""

import inspect
import math
from pathlib import Path

import optuna
import pytest
import torch
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.trial import TrialState
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

from sweeps.engine import failure
from sweeps.search.journal import BufferedJournal


def source_order(function, *wanted):
    """Whether these words come in this order in a function's source."""
    source, place = inspect.getsource(function), 0
    for words in wanted:
        place = source.find(words, place)
        assert place >= 0, f"{function.__qualname__} no longer has {words!r} there"


def test_tune_tells_the_scheduler_of_a_report_before_the_callbacks():
    source_order(
        TuneController._process_trial_result,
        "trial.should_stop",
        "_scheduler_alg.on_trial_result",
        "_callbacks.on_trial_result",
    )


def test_tune_tells_the_scheduler_of_an_end_before_the_callbacks():
    source_order(TuneController.stop_trial, "on_trial_remove", "on_trial_complete", "_callbacks.on_trial_complete")


def test_tune_gives_a_trial_up_as_running_or_pending_and_retries_it_as_error():
    source_order(
        TuneController._process_trial_failure,
        "trial.should_recover",
        "_try_recover",
        "_scheduler_alg.on_trial_error",
        "_callbacks.on_trial_error",
    )
    source_order(TuneController._requeue_trial, "_scheduler_alg.on_trial_error", "_scheduler_alg.on_trial_add")


def test_a_stand_in_is_a_trial_with_a_status_that_schedulers_can_read():
    trial = Trial("stand-in", trial_id="0000", stub=True)
    for status, finished in ((Trial.RUNNING, False), (Trial.PAUSED, False), (Trial.TERMINATED, True)):
        trial.set_status(status)
        assert trial.is_finished() is finished
    trial.update_last_result({"epoch": 1})
    assert trial.last_result["epoch"] == 1
    assert trial.trial_id == "0000"
    assert trial.run_metadata.num_failures == 0
    assert isinstance(inspect.getattr_static(Trial, "error_file"), property)
    assert callable(trial.update_resources)


def test_ray_says_in_these_words_that_a_process_or_a_machine_has_died():
    import ray._raylet

    process = Path(ray._raylet.__file__)
    machine = process.parent / "core" / "src" / "ray" / "gcs" / "gcs_server"
    for path, words in ((process, failure.PROCESS_DIED), (machine, failure.MACHINE_DIED)):
        assert words.encode() in path.read_bytes(), f"{path.name} no longer says {words!r}"
    assert "Failure # " in inspect.getsource(Trial.handle_error)


def test_tune_leaves_its_own_ctrl_c_handler_unless_it_heard_one():
    import ray.tune.tune as tune_module

    source = inspect.getsource(tune_module)
    assert "TUNE_DISABLE_SIGINT_HANDLER" in source
    assert "signal.signal(signal.SIGINT, original_handler)" in source


@pytest.fixture
def study():
    return optuna.create_study(storage=InMemoryStorage())


def test_a_study_hands_its_trials_to_samplers_through_one_method(study):
    names = list(inspect.signature(optuna.Study._get_trials).parameters)
    assert names == ["self", "deepcopy", "states", "use_cache"]
    trial = study.ask({"x": FloatDistribution(0, 1)})
    assert trial._trial_id == study.trials[0]._trial_id == 0


def test_a_trial_can_be_made_as_it_stands_and_keeps_its_number(study):
    storage = study._storage
    study_id = storage.get_study_id_from_name(study.study_name)
    made = optuna.trial.create_trial(
        state=TrialState.RUNNING, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)}
    )
    made.number = made._trial_id = 7
    assert (made.number, made._trial_id) == (7, 7)
    assert storage.create_new_trial(study_id, template_trial=made) == 0
    assert study.trials[0].state == TrialState.RUNNING
    assert FloatDistribution(0, 1)._contains(0.5)
    assert not FloatDistribution(0, 1)._contains(1.5)


def test_a_journal_reads_each_operation_once():
    backend = BufferedJournal()
    storage = JournalStorage(backend)
    study = optuna.create_study(storage=storage)
    study_id = storage.get_study_id_from_name(study.study_name)
    for epoch in range(5):
        made = optuna.trial.create_trial(state=TrialState.RUNNING)
        trial = storage.create_new_trial(study_id, template_trial=made)
        storage.set_trial_intermediate_value(trial, epoch, 0.5)
        storage.set_trial_user_attr(trial, "why", "a test")
        storage.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
    assert [trial.value for trial in study.trials] == [0.5] * 5
    assert len(backend.logs) <= 1, "what was read is not kept"
    assert backend.take().count("\n") > 20


def test_a_fused_adam_skips_a_step_whose_found_inf_is_1():
    weights = torch.nn.Parameter(torch.ones(5))
    adam = torch.optim.Adam([weights], fused=True)
    for found_inf, changes in ((1.0, False), (0.0, True), (1.0, False)):
        before = weights.detach().clone()
        weights.grad = torch.full((5,), math.nan if found_inf else 1.0)
        adam.found_inf = torch.tensor(found_inf)
        adam.step()
        assert torch.equal(weights, before) != changes
    assert adam.state_dict()["state"][0]["step"] == 1
