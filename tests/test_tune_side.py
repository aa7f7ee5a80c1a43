"""What Tune tells the phase, and what it is told: pauses that are still being saved, lost processes and machines."""

import errno

import pytest
from ray.tune import PlacementGroupFactory
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from small_tune import StubTrial, result_of
from sweep_logs import plan_of

from sweeps.engine.phase import Phase
from sweeps.engine.tune_side import MACHINES, TuneCallback, TuneScheduler, TuneSearcher
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FAILED, FINISHED, PAUSED, RUNNING
from sweeps.scheduling.base import make_scheduler
from sweeps.search.suggestions import suggestions_of

ASHA = ("--scheduler", "asha", "--max-epochs", 4, "--grace-period", 1, "--reduction-factor", 2, "--top-k", 1)


@pytest.fixture
def tune(tmp_path):
    """Both ends of a search of so many trials with ASHA, its rungs at epochs 1 and 2 of 4."""

    class Ends:
        def __init__(self, trials, most):
            plan = plan_of(tmp_path, "--search", "optuna", "--sampler", "random", "--trials", trials, *ASHA)
            log = SweepLog(plan)
            scheduler = make_scheduler("asha", plan.budget, plan.task.objective, most)
            self.phase = Phase("search", log, scheduler, suggestions_of(plan, log), []).__enter__()
            self.records = log.search.records
            self.scheduler, self.searcher = TuneScheduler(self.phase), TuneSearcher(self.phase)
            self.callback = TuneCallback(self.phase)

        def start(self):
            """Tune asks for a trial and starts it."""
            trial = StubTrial(self.searcher.suggest("any"))
            self.scheduler.on_trial_add(None, trial)
            trial.set_status(Trial.RUNNING)
            self.callback.on_trial_start(0, [], trial)
            return trial

        def report(self, trial, epoch, value):
            return self.scheduler.on_trial_result(None, trial, result_of(epoch, value))

    return Ends


def test_a_trial_that_still_saves_its_state_is_promoted_once_it_is_paused(tune):
    ends = tune(trials=3, most=2)
    first, second = ends.start(), ends.start()
    assert ends.report(first, 1, 0.2) == "PAUSE"
    assert ends.report(second, 1, 0.1) == "PAUSE"  # now the first is to be promoted
    assert ends.searcher.suggest("any") is None, "before any new trial"
    assert ends.scheduler.choose_trial_to_run(None) is None
    second.set_status(Trial.PAUSED)
    assert ends.scheduler.choose_trial_to_run(None) is None
    first.set_status(Trial.PAUSED)
    assert ends.scheduler.choose_trial_to_run(None) is first
    assert [record.status for record in ends.records.values()] == [RUNNING, PAUSED]


def test_a_process_that_is_lost_as_it_pauses_trains_again_at_once(tune):
    ends = tune(trials=2, most=2)
    trial, other = ends.start(), ends.start()
    ends.report(trial, 1, 0.2)
    ends.report(other, 1, 0.1)
    trial.set_status(Trial.ERROR)
    ends.scheduler.on_trial_error(None, trial)
    assert ends.scheduler.choose_trial_to_run(None) is None
    ends.scheduler.on_trial_add(None, trial)
    assert ends.records["0000"].status == RUNNING
    assert trial.config["run"]["known"] == 1
    assert ends.report(trial, 1, 0.2) == "CONTINUE", "it was promoted"


def test_nobody_waits_for_a_trial_that_failed_as_it_was_to_pause(tune):
    ends = tune(trials=2, most=2)
    trial, other = ends.start(), ends.start()
    ends.report(trial, 1, 0.2)
    ends.report(other, 1, 0.1)
    other.set_status(Trial.PAUSED)
    ends.scheduler.on_trial_error(None, trial)  # still RUNNING: Tune has no try left for it
    ends.callback.on_trial_error(0, [], trial)
    assert ends.records["0000"].status == FAILED
    assert ends.scheduler.choose_trial_to_run(None) is other, "the last chance"


def test_a_machine_that_is_lost_does_not_count_as_a_failure_until_many_are(tune, tmp_path):
    def lose(error):
        trial.run_metadata.num_failures += 1  # as Tune does before it asks the scheduler
        with (tmp_path / "error.txt").open("a") as file:
            file.write(f"Failure # {trial.run_metadata.num_failures} (occurred at noon)\n{error}\n")
        ends.scheduler.on_trial_error(None, trial)

    died = "The actor died because its node has died. Node Id: 12"
    ends = tune(trials=1, most=1)
    trial = ends.start()
    trial.error_file = str(tmp_path / "error.txt")
    trial.set_status(Trial.ERROR)
    for _ in range(MACHINES - 1):
        lose("The actor died unexpectedly.\n" + died)
    assert trial.run_metadata.num_failures == 0
    lose("ValueError: its own")
    assert trial.run_metadata.num_failures == 1
    trial.set_status(Trial.RUNNING)  # as Tune has no try left for it
    lose(died)
    ends.callback.on_trial_error(0, [], trial)
    assert ends.records["0000"].status == PAUSED
    trial = ends.start()
    assert trial.config["run"]["trial"] == "0000", "it comes again as another of Tune's trials"
    trial.error_file = str(tmp_path / "error.txt")
    lose(died)
    ends.callback.on_trial_error(0, [], trial)
    assert ends.records["0000"].status == FAILED, "one machine too many"
    assert ends.searcher.suggest("any") == Searcher.FINISHED


def test_a_trial_that_runs_out_of_gpu_memory_gets_twice_the_share_once(tune, tmp_path):
    ends = tune(trials=1, most=1)
    trial = ends.start()
    trial.set_status(Trial.ERROR)
    trial.update_resources(PlacementGroupFactory([{"CPU": 1.0, "GPU": 0.25}]))
    trial.error_file = str(tmp_path / "error.txt")
    (tmp_path / "error.txt").write_text("Failure # 1 (occurred at noon)\ntorch.OutOfMemoryError: CUDA out of memory\n")
    ends.scheduler.on_trial_error(None, trial)
    assert trial.placement_group_factory.required_resources == {"CPU": 1.0, "GPU": 0.5}
    assert "was tried again with 0.5 of a GPU" in ends.records["0000"].retried


def test_the_last_report_of_a_trial_is_recorded_once(tune):
    ends = tune(trials=1, most=1)
    trial = ends.start()
    ends.report(trial, 1, 0.5)
    ends.callback.on_trial_result(0, [], trial, result_of(1, 0.5))
    ends.callback.on_trial_result(0, [], trial, result_of(4, 0.6, ends=True))
    ends.scheduler.on_trial_complete(None, trial, {})
    ends.callback.on_trial_complete(0, [], trial)
    record = ends.records["0000"]
    assert [report.epoch for report in record.reports] == [1, 4]
    assert (record.status, record.reason) == (FINISHED, "reached its last epoch, 4")
    assert ends.searcher.suggest("any") == Searcher.FINISHED


def test_an_end_that_cannot_be_written_is_an_error_though_tune_swallows_it(tune):
    class Controller:
        def stop_trial(self, trial):
            """Tune catches what its callbacks raise here, and the trial stays as it is."""

    ends = tune(trials=2, most=1)
    trial = ends.start()
    ends.report(trial, 1, 0.2)
    trial.set_status(Trial.PAUSED)
    other = ends.start()
    ends.report(other, 1, 0.3)
    for epoch, value in ((2, 0.3), (4, 0.3)):
        ends.callback.on_trial_result(0, [], other, result_of(epoch, value, ends=epoch == 4))
    ends.scheduler.on_trial_complete(None, other, {})
    ends.callback.on_trial_complete(0, [], other)
    with pytest.raises(OSError, match="the end of trial 0000 could not be written") as error:
        ends.scheduler.choose_trial_to_run(Controller())
    assert error.value.errno == errno.EIO
