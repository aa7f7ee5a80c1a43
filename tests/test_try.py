"""--try: configurations that the user knows to be good run first."""

import html
import math

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sweep_logs import begin_session, end, plan_of, report

from ae.configuration import Configuration
from ae.errors import UserError
from sweeps import show
from sweeps.config import plan_file
from sweeps.config.choices import SAMPLERS
from sweeps.config.points import read_try
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED
from sweeps.run import main
from sweeps.search.importance import importances
from sweeps.search.suggestions import suggestions_of

TASK = "synthetic-smooth"
SMALL = ("--subset", 60, "--max-epochs", 4, "--eval-every", 1, "--grace-period", 1, "--reduction-factor", 2)
LAST = ("--top-k", 1, "--seeds", 1, "--retrain-epochs", 1, "--max-concurrent", 1)
GRID = "lr: [0.001, 0.01]\nhidden_size: [8, 16]\nclip: none\n"


@pytest.fixture
def space(tmp_path):
    """The options of a grid of four configurations, of which none is clipped."""
    (tmp_path / "space.yaml").write_text(GRID)
    return "--space", tmp_path / "space.yaml"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lr=0.003 hidden_size=96 clip=0.5", {"lr": 0.003, "hidden_size": 96, "clip": 0.5}),
        ("lr=3e-3,hidden_size=96", {"lr": 0.003, "hidden_size": 96}),
        (" lr=1e-4 ,  clip=none,", {"lr": 1e-4, "clip": None}),
        ("clip=null", {"clip": None}),
        ("init=chrono schedule=one-cycle", {"init": "chrono", "schedule": "one-cycle"}),
    ],
)
def test_hyperparameters_are_separated_by_spaces_or_commas(text, values):
    assert read_try(text, Configuration()) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", "--try lr: must be name=value, separated by spaces or commas, got 'lr'"),
        ("lr = 0.1", "must be name=value, separated by spaces or commas, got 'lr'"),
        ("lr=", "must be name=value, separated by spaces or commas, got 'lr='"),
        ("", "--try '': must name hyperparameters, such as 'lr=0.003 hidden_size=96'"),
        ("lr=0.1 lr=0.2", "lr is there twice; leave one"),
        ("hiden_size=8", "hiden_size: not a hyperparameter; did you mean hidden_size? They are "),
        ("learning_rate=0.1", "learning_rate: not a hyperparameter; did you mean lr? They are "),
        ("epochs=9", "epochs: not a hyperparameter; --max-epochs says how many"),
        ("lr=-1", "lr: lr must be a number > 0, got -1"),
        ("hidden_size=8.5", "hidden_size: hidden_size must be a whole number >= 1, got 8.5"),
        ("lr={low: 1}", "must be name=value"),
        ("lr=[0.1]x", "lr: lr must be a number > 0, got '[0.1]x'"),
    ],
)
def test_what_is_wrong_with_one_costs_one_line(run, text, message):
    status, output, error, folder = run("--try", text, "--dry-run")
    assert (status, output, error.count("\n"), folder.exists()) == (2, "", 1, False)
    assert message in error


def test_they_come_first_in_a_grid_and_a_point_of_the_grid_runs_once(planned, space):
    plan = planned(*space, "--try", "lr=0.01 hidden_size=8", "--try", "lr=0.1", "--try", "lr=0.01,hidden_size=8")
    found = [(point.lr, point.hidden_size, point.clip) for point in plan.points]
    small, other = (0.01, 8, None), (0.1, 60, None)  # clip is fixed to none, the width is that of the task
    assert found == [small, other, (0.001, 16, None), (0.01, 16, None), (0.001, 8, None)]
    assert (plan.trials, plan.began["trials"], len(plan.tries)) == (5, 5, 2)
    assert plan.whole_space["lr"] == [0.001, 0.01, 0.1]
    assert plan.varied == ["lr", "hidden_size"]


def test_a_hyperparameter_that_only_they_vary_is_told_everywhere(planned, space):
    assert planned(*space, "--try", "lr=0.01 init=chrono").varied == ["lr", "hidden_size", "init"]
    assert planned(*space, "--try", "lr=0.01 init=orthogonal", name="same").varied == ["lr", "hidden_size"]
    optuna = planned("--search", "optuna", "--space", space[1], "--try", "init=chrono", name="optuna")
    assert optuna.varied == ["lr", "hidden_size", "init"]


def test_they_are_among_the_trials_of_an_optuna_search(planned):
    plan = planned("--search", "optuna", "--trials", 2, "--top-k", 1, "--try", "lr=0.1", "--try", "lr=0.2")
    assert plan.trials == 2
    with pytest.raises(UserError, match=r"--trials must be >= the number of --try \(2\), got 1"):
        planned("--search", "optuna", "--trials", 1, "--top-k", 1, "--try", "lr=0.1", "--try", "lr=0.2", name="few")


def test_a_plan_keeps_them_and_a_file_of_options_has_them(planned, space, shown, tmp_path):
    plan = planned(*space, "--try", "lr=0.01 clip=none init=chrono")
    assert plan_file.parse(plan_file.text(plan).encode(), plan.folder, "plan.json") == plan
    options = ("--task", "mnist-cls", *space, "--try", "lr=0.01 clip=none", "--results", tmp_path, "--name", "sweep")
    printed = shown(main, *options, "--print-config")[1]
    (tmp_path / "sweep.yaml").write_text(printed)
    told = [shown(main, *which, "--dry-run")[1] for which in (options, ("--config", tmp_path / "sweep.yaml"))]
    assert told[0] == told[1]
    assert "tried first lr 0.01, hidden_size 60, clip none\n" in told[0]


class Search:
    """A search without Ray."""

    def __init__(self, plan):
        self.plan, self.log = plan, SweepLog.read(plan)
        self.log.open()
        begin_session(self.log)
        self.source = suggestions_of(plan, self.log)

    def train(self, count, value=lambda config: 0.9 - config.lr):
        """Trials that are asked for, trained and ended; gives their configurations."""
        configs = []
        for _ in range(count):
            name, config, facts = self.source.ask()
            self.log.add("asked", phase="search", trial=name, config={**_plain(config)}, **facts)
            report(self.log, name, self.plan.budget.max_epochs, value(config))
            end(self.log, name, FINISHED)
            configs.append(config)
        self.log.flush()
        return configs


def _plain(config):
    return {name: getattr(config, name) for name in Configuration.__dataclass_fields__}


OPTUNA = ("--search", "optuna", "--trials", 20, "--max-epochs", 4)
INSIDE, OUTSIDE = "lr=0.003 hidden_size=96 clip=none", "lr=0.003 hidden_size=96 clip=0.5"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_goes_on_whatever_was_tried_and_a_resumed_search_draws_the_same(tmp_path, sampler):
    tries = ("--sampler", sampler, "--try", OUTSIDE, "--try", INSIDE, "--try", "lr=5 hidden_size=4")
    whole = Search(plan_of(tmp_path, *OPTUNA, *tries, name="whole")).train(16)
    assert [config.lr for config in whole[:3]] == [0.003, 0.003, 5]
    assert all(32 <= config.hidden_size <= 192 for config in whole[3:])
    plan = plan_of(tmp_path, *OPTUNA, *tries, name="cut")
    for count, so_far in ((2, 2), (9, 11), (5, 16)):
        assert Search(plan).train(count) == whole[so_far - count : so_far]
    tried = {record.name for record in SweepLog.read(plan).search.trials if record.tried}
    assert tried == {"0000", "0001", "0002"}


def test_a_sampler_is_told_of_what_it_could_have_drawn_and_of_nothing_else(tmp_path):
    search = Search(plan_of(tmp_path, *OPTUNA, "--try", OUTSIDE, "--try", INSIDE))
    search.train(3)
    seen = search.source.view.trials()
    assert [trial.state for trial in seen] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert seen[1].params["hidden_size"] == 96
    assert search.plan.can_draw(Configuration(**_plain(search.plan.base) | {"hidden_size": 64, "init": "chrono"}))
    assert not search.plan.can_draw(search.plan.base), "60 is between two widths of the space"


def test_a_later_session_tries_more_before_it_draws_on(tmp_path, resumed):
    plan = plan_of(tmp_path, *OPTUNA, "--try", INSIDE)
    plan_file.write(plan)
    Search(plan).train(3)
    more = resumed(plan.folder, "--try", "lr=0.1", "--try", INSIDE, "--trials", "+2")
    assert (more.trials, len(more.tries), len(more.commands)) == (20 + 1 + 2, 2, 2)
    assert Search(more).train(2)[0].lr == 0.1
    assert resumed(plan.folder, "--try", INSIDE).commands == plan.commands, "it was tried already"


def test_the_importances_are_those_of_the_search_space(tmp_path, space):
    grid = Search(plan_of(tmp_path, *space, "--try", "lr=0.5 batch_size=64", "--max-epochs", 4))
    configs = grid.train(5, lambda config: 0.9 - config.lr)
    assert configs[0].batch_size == 64
    shares, _ = importances(grid.plan, grid.log.search)
    assert shares == {"lr": pytest.approx(1), "hidden_size": pytest.approx(0)}
    optuna = Search(plan_of(tmp_path, *OPTUNA, "--try", OUTSIDE, "--try", INSIDE, name="optuna"))
    optuna.train(12)
    assert set(importances(optuna.plan, optuna.log.search)[0]) == set(optuna.plan.space)


def table(folder):
    rows = pd.read_csv(folder / "trials.csv", dtype={"trial": str, "tried": str}, keep_default_na=False)
    return rows[rows["phase"] == "search"].set_index("trial")


@pytest.mark.usefixtures("one_ray")
def test_a_grid_with_tries_is_the_same_resumed_and_takes_more(run, space, ctrl_c, summary_of, capsys):
    options = (*SMALL, *LAST, *space, "--try", "lr=0.02 hidden_size=12 batch_size=64", "--try", "lr=0.01,hidden_size=8")
    status, _, _, whole = run(*options, name="whole", task=TASK)
    assert status == 0
    rows = table(whole)
    assert list(rows["tried"]) == ["yes", "yes", "", "", ""]
    assert list(rows["hidden_size"].astype(int)) == [12, 8, 16, 16, 8]
    with ctrl_c("0001", epoch=1):
        assert run(*options, name="cut", task=TASK)[0] == 130
    cut = whole.with_name("cut")
    assert main(["--resume", str(cut)]) == 0
    columns = ["lr", "status", "epochs", "best_loss", "reason", "tried"]
    pd.testing.assert_frame_equal(table(cut)[columns], rows[columns])
    with ctrl_c("0005"):
        assert main(["--resume", str(cut), "--try", "lr=0.05 hidden_size=4", "--try", "lr=0.03 hidden_size=4"]) == 130
    assert main(["--resume", str(cut)]) == 0
    after = table(cut)
    pd.testing.assert_frame_equal(after[columns][:5], rows[columns])
    assert list(after["lr"][5:].astype(float)) == [0.05, 0.03]
    assert summary_of(cut)["search"]["requested"] == 7
    page = html.unescape((cut / "report.html").read_text())
    assert "<td>0005 (tried)</td>" in page
    assert "<td>0004</td>" in page
    assert f"--resume {cut} --try 'lr=0.05 hidden_size=4' --try" in page
    capsys.readouterr()
    assert show.main([str(cut)]) == 0
    assert "0005 tried" in capsys.readouterr().out
    assert show.main([str(cut), "--trial", "0005"]) == 0
    assert "configuration, given with --try: hidden_size 4, lr 0.05, " in capsys.readouterr().out
    storage = JournalStorage(JournalFileBackend(str(cut / "study.log")))
    study = optuna.load_study(study_name=f"{TASK}/cut", storage=storage)
    assert study.trials[0].params == {"lr": 0.02, "hidden_size": 12, "clip": None, "batch_size": 64}
    assert [trial.user_attrs.get("tried", False) for trial in study.trials] == [True, True, *[False] * 3, True, True]
    assert not math.isnan(study.trials[6].user_attrs["train_s"])
