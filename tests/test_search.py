"""What a search tries next, and what its sampler knows of the trials so far."""

import math
from dataclasses import asdict

import pytest
from optuna.trial import TrialState
from sweep_logs import begin_session, end, plan_of, report

from ae.errors import UserError
from sweeps.config.choices import SAMPLERS
from sweeps.config.plan_file import load, write
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED, FINISHED, STOPPED
from sweeps.search.suggestions import suggestions_of
from sweeps.search.warm_start import warm_start

SEVERAL_RUNGS = ("--max-epochs", 10, "--grace-period", 2, "--reduction-factor", 2)  # at epochs 2, 4 and 8
SPACE = """
lr: {low: 0.0005, high: 0.02, log: true}
clip: [none, 0.25, 1.0, 4.0]
hidden_size: {low: 32, high: 192, step: 16}
batch_size: [32, 64, 128]
init: [uniform, orthogonal, chrono]
schedule: [constant, one-cycle]
"""
JOINT = [name for name, choice in SAMPLERS.items() if choice.joint]


class Search:
    """A session of a search that trains nothing."""

    def __init__(self, plan):
        self.plan, self.log = plan, SweepLog.read(plan)
        self.log.open()
        begin_session(self.log)
        self.source = suggestions_of(plan, self.log)

    def ask(self):
        name, config, facts = self.source.ask()
        self.log.add("asked", phase="search", trial=name, config=asdict(config), **facts)
        return name, config

    def report(self, name, *values, epochs=None):
        """Values of the objective, at epochs 1, 2, ... or at these."""
        for epoch, value in zip(epochs or range(1, 1 + len(values)), values, strict=True):
            report(self.log, name, epoch, value)

    def train(self, value, status=FINISHED):
        """Ask for a trial and end it with what `value` makes of its configuration; gives what it was."""
        name, config = self.ask()
        self.report(name, value(config), epochs=[self.plan.budget.max_epochs])
        end(self.log, name, status)
        return name, config

    def trials(self):
        """What the sampler is shown."""
        return self.source.view.trials()


@pytest.fixture
def new_search(tmp_path):
    """A search of one results folder; the second call resumes the first one's."""

    def new(sampler="random", *options, trials=20, name="sweep"):
        folder = tmp_path / "mnist-cls" / name
        if not folder.exists():
            (tmp_path / "wide.yaml").write_text(SPACE)
            space = ("--space", tmp_path / "wide.yaml")
            kind = ("--search", "optuna", "--sampler", sampler, "--trials", trials, *space, *SEVERAL_RUNGS)
            write(plan_of(tmp_path, *kind, *options, name=name))
        return Search(load(folder))

    return new


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_is_a_line_in_the_choices_and_draws_within_the_space(new_search, sampler):
    search = new_search(sampler, trials=14)
    configs = [search.train(lambda config: 0.9 - config.lr)[1] for _ in range(14)]
    assert not search.source.has_more
    space = search.plan.space
    assert all(space["lr"]["low"] <= config.lr <= space["lr"]["high"] for config in configs)
    assert all(config.hidden_size % 16 == 0 and config.clip in space["clip"] for config in configs)
    assert {config.epochs for config in configs} == {10}
    assert len({config.lr for config in configs}) == 14


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_sampler_is_poisoned_by_diverged_trials(new_search, sampler):
    search = new_search(sampler)
    for _ in range(16):
        name, config = search.ask()
        diverged = config.lr > 5e-3
        search.report(name, math.nan if diverged else 0.9 - config.lr, epochs=[10])
        end(search.log, name, DIVERGED if diverged else FINISHED)
    states = {trial.state for trial in search.trials()}
    assert TrialState.RUNNING not in states
    assert TrialState.COMPLETE in states


def test_a_sampler_that_reads_complete_trials_does_not_stay_where_they_diverge(new_search):
    search, diverged = new_search("gp", trials=16), []
    for _ in range(16):
        name, config = search.ask()
        diverged.append(config.lr > 5e-3)
        search.report(name, math.nan if diverged[-1] else 0.9 + config.lr, epochs=[10])  # the larger the better
        end(search.log, name, DIVERGED if diverged[-1] else FINISHED)
    assert any(diverged[:10])
    assert sum(diverged[10:]) <= 2


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])
def test_a_sampler_learns_from_trials_that_wait_at_a_rung(new_search, sampler):
    drawn = []
    for sign in (1, -1):
        search = new_search(sampler, name=f"sign{sign}")
        for _ in range(15):
            name, config = search.ask()
            search.report(name, 0.4, 0.5 + sign * config.lr)
            search.log.add("paused", phase="search", trial=name)
        drawn.append(search.ask()[1].lr)
        assert TrialState.RUNNING not in {trial.state for trial in search.trials()[:15]}
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name not in JOINT])
def test_a_sampler_sees_the_best_value_so_far(new_search, sampler):
    search = new_search(sampler)
    worse, waiting = search.ask()[0], search.ask()[0]
    search.report(worse, 0.5, 0.75, 0.25, math.nan, epochs=[1, 2, 3, 10])
    search.report(waiting, 0.5, 0.25)
    end(search.log, worse)
    search.log.add("paused", phase="search", trial=waiting)
    finished, paused = search.trials()
    assert finished.intermediate_values == {1: 0.5, 2: 0.75, 3: 0.75, 10: 0.75}
    assert (finished.state, finished.value) == (TrialState.COMPLETE, 0.75)
    assert paused.intermediate_values == {1: 0.5, 2: 0.5}
    assert paused.state == TrialState.PRUNED, "to a sampler it would be RUNNING until the search is over"


def test_what_a_sampler_sees_changes_with_every_report(new_search):
    search = new_search("tpe")
    name, _ = search.ask()
    assert search.trials()[0].state == TrialState.RUNNING
    for epoch, best in ((1, 0.5), (2, 0.5), (3, 0.75)):
        report(search.log, name, epoch, {1: 0.5, 2: 0.25, 3: 0.75}[epoch])
        assert search.trials()[0].intermediate_values[epoch] == best
    end(search.log, name, DIVERGED)
    assert search.trials()[0].state == TrialState.PRUNED
    other, _ = search.ask()
    end(search.log, other, FAILED)
    assert search.trials()[1].state == TrialState.FAIL


@pytest.mark.parametrize("sampler", JOINT)
def test_a_joint_sampler_compares_trials_within_the_highest_rung_that_they_reached(new_search, sampler):
    search = new_search(sampler)
    curves = {
        "on a plateau, to the last epoch": [0.5] * 10,
        "better at the first rung, and no further": [0.6, 0.8],
        "worse at the first rung, better since then": [0.1, 0.3, 0.9],
        "the best at the second rung": [0.2, 0.4, 0.5, 0.7],
        "not judged yet": [0.99],
    }
    names = {}
    for what, values in curves.items():
        names[what] = search.ask()[0]
        search.report(names[what], *values)
    diverged, failed = search.ask()[0], search.ask()[0]
    search.report(diverged, 0.95, 0.95, math.nan)
    end(search.log, diverged, DIVERGED)
    search.report(failed, 0.95, 0.95)
    end(search.log, failed, FAILED)
    plateau, first, crossing, second, unjudged, lost, broken = search.trials()
    assert [trial.value for trial in (plateau, second, first, crossing, lost)] == [0, -1, -2, -3, -4]
    assert unjudged.state == TrialState.RUNNING
    assert broken.state == TrialState.FAIL
    raw = sorted((what for what in curves if what != "not judged yet"), key=lambda what: -curves[what][-1])
    assert raw[0] == "worse at the first rung, better since then"
    assert raw[-1] == "on a plateau, to the last epoch"


def test_a_joint_sampler_draws_by_ranks_whatever_the_values(new_search):
    drawn = []
    for name, scale in (("small", 1e-3), ("large", 0.9)):
        search = new_search("gp", name=name)
        for _ in range(12):
            search.train(lambda config, scale=scale: scale * (1 - math.sqrt(config.lr)))
        drawn.append(search.ask()[1])
    assert drawn[0] == drawn[1]


def test_without_rungs_a_joint_sampler_learns_from_whole_trials_alone(new_search):
    search = new_search("gp", "--scheduler", "none")
    whole, half = search.ask()[0], search.ask()[0]
    search.report(whole, 0.5, epochs=[10])
    search.report(half, 0.9, epochs=[8])
    assert [trial.state for trial in search.trials()] == [TrialState.COMPLETE, TrialState.RUNNING]


def test_a_grid_is_suggested_whole_the_longest_first_and_ends(tmp_path):
    search = Search(plan_of(tmp_path))
    found = [search.ask() for _ in range(12)]
    assert [name for name, _ in found] == [f"{number:04d}" for number in range(12)]
    assert len({config for _, config in found}) == 12
    assert [config.hidden_size for _, config in found] == [120] * 4 + [60] * 4 + [30] * 4
    assert not search.source.has_more


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resumed_search_draws_what_it_would_have_drawn(new_search, sampler):
    def session(search, most):
        """Two trials at once: one waits at a rung, its report the last event; gives what was drawn."""
        found = []
        for _ in range(most):
            found.append(search.train(lambda config: 0.9 - config.lr))
            name, config = search.ask()
            search.report(name, 0.5 - config.lr, epochs=[2])
            found.append((name, config))
        search.log.flush()
        return found

    wanted = session(new_search(sampler, name="whole"), 7)
    found = []
    for most in (3, 2, 2):
        found += session(new_search(sampler, name="resumed"), most)
    assert found == wanted


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_draw_that_was_not_written_down_is_drawn_the_same(new_search, sampler):
    first = new_search(sampler)
    for _ in range(12):
        first.train(lambda config: 0.9 - config.lr)
    first.log.flush()
    lost = first.ask()
    assert new_search(sampler).ask() == lost


def test_another_seed_draws_other_trials(new_search):
    one, two = (new_search("random", "--seed", seed, name=f"seed{seed}").ask()[1] for seed in (0, 1))
    assert one.lr != two.lr
    assert (one.seed, two.seed) == (0, 1)


@pytest.fixture
def older(new_search):
    """The folder of an older sweep with a whole, a stopped, a failed and an unreported trial, and their step sizes."""
    search = new_search(name="older", trials=4)
    lrs = [search.train(lambda config: 0.5)[1].lr]
    name, config = search.ask()
    search.report(name, 0.9, 0.4)
    end(search.log, name, STOPPED)
    lrs.append(config.lr)
    name, _ = search.ask()
    search.report(name, 0.7)
    end(search.log, name, FAILED)
    search.ask()
    search.log.flush()
    return search.plan.folder, lrs


def test_a_warm_start_tells_what_fits_the_new_space_to_the_end(new_search, older, tmp_path):
    folder, lrs = older
    space = tmp_path / "space.yaml"
    space.write_text("lr: {low: 0.0001, high: 0.1, log: true}\nclip: [none, 0.25, 1.0, 4.0]\nhidden_size: [31, 33]\n")
    newer = new_search("tpe", "--space", space, "--warm-start", folder)
    words = warm_start(newer.plan, newer.log)
    assert words.startswith(f"warm start: the sampler knows 2 of the 4 trials of {folder}; none of them is within the ")
    assert words.endswith("range of hidden_size")
    newer.log.flush()
    resumed = new_search("tpe")
    for search in (newer, resumed):
        whole, stopped = search.trials()
        assert (whole.state, whole.value) == (TrialState.COMPLETE, 0.5)
        assert stopped.intermediate_values == {1: 0.9, 2: 0.9}, "the best so far"
        assert [trial.params["lr"] for trial in search.trials()] == lrs
        assert not any("hidden_size" in trial.params for trial in search.trials())
    assert resumed.ask() == newer.ask()
    assert [trial.number for trial in resumed.trials()] == [0, 1, 2]
    assert list(resumed.log.search.records) == ["0000"], "known trials are none of this search's"


@pytest.mark.parametrize(("sampler", "taken"), [("tpe", 2), ("gp", 1), ("cmaes", 1)])
def test_a_joint_sampler_takes_only_older_trials_that_have_every_hyperparameter(
    new_search, older, tmp_path, sampler, taken
):
    folder, lrs = older
    low, high = sorted(lrs)
    space = tmp_path / "space.yaml"
    space.write_text(f"lr: {{low: {(low + high) / 2}, high: 0.1}}\nhidden_size: {{low: 16, high: 256}}\n")
    newer = new_search(sampler, "--space", space, "--warm-start", folder)
    words = warm_start(newer.plan, newer.log)
    assert words.startswith(f"warm start: the sampler knows {taken} of the 4 trials of ")
    assert (f"; {sampler} takes those that have every hyperparameter" in words) == (sampler != "tpe")
    assert len(newer.trials()) == taken
    assert not any(trial.system_attrs for trial in newer.trials()), "a sampler's own state is not taken over"
    newer.train(lambda config: 0.5)
    assert len(newer.trials()) == taken + 1


def test_a_warm_start_is_from_a_sweep_of_the_same_task(new_search, tmp_path):
    write(plan_of(tmp_path, task="synthetic", name="other"))
    newer = new_search("tpe", "--warm-start", tmp_path / "synthetic" / "other")
    with pytest.raises(UserError, match="must be a sweep of the same task, got synthetic"):
        warm_start(newer.plan, newer.log)
    gone = new_search("tpe", "--warm-start", tmp_path / "none", name="gone")
    with pytest.raises(UserError, match=r"--warm-start .*none: not the results folder of a sweep"):
        warm_start(gone.plan, gone.log)
