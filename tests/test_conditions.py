"""Hyperparameters that only some configurations have: in files, grids, every sampler, and what is told of them."""

import math
from functools import partial

import pytest
import yaml
from sweep_logs import end, plan_of, space_of
from test_search import Search

from ae import Configuration
from ae.errors import UserError
from sweeps.config import points, space
from sweeps.config.choices import SAMPLERS
from sweeps.config.description import describe
from sweeps.config.plan_file import load, write
from sweeps.pipeline.rebuild import rebuild
from sweeps.records.trials import FINISHED
from sweeps.run import main
from sweeps.search.importance import importances
from sweeps.search.warm_start import warm_start

CONTENT = "layers: [1, 2]\ndropout: {low: 0.1, high: 0.5, when: {layers: 2}}\nlr: {low: 0.001, high: 0.01, log: true}\n"
LISTS = "layers: [1, 2, 3]\ndropout: {values: [0.1, 0.2], when: {layers: [2, 3]}}\n"


@pytest.fixture
def read_space(tmp_path):
    return partial(space_of, tmp_path)


@pytest.fixture
def new_search(tmp_path):
    def new(sampler, *options, name="sweep"):
        (tmp_path / "space.yaml").write_text(CONTENT)
        folder = tmp_path / "mnist-cls" / name
        if not folder.exists():
            kind = ("--search", "optuna", "--sampler", sampler, "--trials", 16, "--max-epochs", 10, "--grace-period", 2)
            write(plan_of(tmp_path, *kind, "--space", tmp_path / "space.yaml", *options, name=name))
        return Search(load(folder))

    return new


def test_a_file_says_when_a_hyperparameter_is_there(read_space):
    found = read_space(CONTENT)
    assert found["dropout"] == {"low": 0.1, "high": 0.5, "when": {"layers": [2]}}
    assert space.in_words(found["dropout"]) == "0.1 to 0.5 if layers is 2"
    lists = read_space(LISTS)
    assert space.in_words(lists["dropout"]) == "0.1 | 0.2 if layers is 2 | 3"
    for one in (found, lists):
        assert space.parse(one, Configuration(), "plan.json") == one, "as plan.json has it"
        assert not space.is_single(one["dropout"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dropout: {low: 0, high: 1, when: 2}", "dropout: when must map other hyperparameters to values, as in"),
        ("dropout: {low: 0, high: 0.5, when: {depth: 2}}", "when must map other hyperparameters to values.*got depth"),
        ("dropout: {low: 0, high: 0.5, when: {dropout: 0.1}}", "when must map other hyperparameters.*got dropout"),
        ("dropout: {low: 0, high: 0.5, when: {layers: {low: 2, high: 3}}}", "when must map .*got a range"),
        ("dropout: {low: 0, high: 0.5, when: {layers: 9}}", "layers must be a whole number from 1 to 3, got 9"),
        ("dropout: {low: 0, high: 2, when: {layers: 2}}", "dropout must be a number from 0 to below 1, got 2"),
        ("dropout: {when: {layers: 2}}", "a range has low, high, and optionally log or step, got "),
        (
            "patch: {values: [2], when: {layers: 1}}\nnoise: {values: [0.1], when: {patch: 2}}",
            "line 2: noise: when must name hyperparameters without a condition, got patch",
        ),
    ],
)
def test_a_wrong_condition_is_one_line_with_the_rule(read_space, content, message):
    with pytest.raises(UserError, match=message) as error:
        read_space(content)
    assert "\n" not in str(error.value)


def test_a_grid_has_each_point_once_without_what_it_does_not_have(read_space):
    found = points.grid_points(read_space(LISTS), (), Configuration())
    assert {(point.layers, point.dropout) for point in found} == {(1, 0), (2, 0.1), (2, 0.2), (3, 0.1), (3, 0.2)}
    assert len(found) == 5
    assert all(points.can_draw(read_space(LISTS), Configuration(), point) for point in found)
    assert not points.can_draw(read_space(LISTS), Configuration(), Configuration(layers=1, dropout=0.1))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_draws_it_where_it_is_there_and_resumes_the_same(new_search, sampler):
    def value(config):
        return 0.9 - config.lr - config.dropout

    search = new_search(sampler)
    configs = [search.train(value)[1] for _ in range(16)]
    assert {config.layers for config in configs} == {1, 2}
    for config in configs:
        assert config.dropout == 0 if config.layers == 1 else 0.1 <= config.dropout <= 0.5
    assert len({config.dropout for config in configs if config.layers == 2}) > 1
    held = {(trial.params["layers"], "dropout" in trial.params) for trial in search.trials()}
    assert held == {(1, False), (2, True)}
    again = new_search(sampler, name="again")
    for config in configs[:8]:
        assert again.train(value)[1] == config
    again.log.flush()
    resumed = new_search(sampler, name="again")
    assert [resumed.train(value)[1] for _ in range(8)] == configs[8:]


def test_what_is_told_of_a_search_knows_it(new_search):
    search = new_search("random")
    for _ in range(16):
        search.train(lambda config: 0.9 - config.dropout - 10 * config.lr)
    shares, _ = importances(search.plan, search.log.search)
    assert set(shares) == {"layers", "dropout", "lr"}
    assert shares["dropout"] > 0.3
    assert all(map(math.isfinite, shares.values()))
    assert "dropout 0.1 to 0.5 if layers is 2" in describe(search.plan)
    search.log.flush()
    rebuild(search.plan.folder)
    assert (search.plan.folder / "study.log").exists()
    assert "dropout" in (search.plan.folder / "trials.csv").read_text().splitlines()[0]


def test_a_warm_start_takes_trials_that_do_not_have_it(new_search, tmp_path):
    search = new_search("random")
    names = [search.train(lambda config: 0.9 - config.lr)[0] for _ in range(4)]
    for name in names:
        end(search.log, name, FINISHED)
    search.log.flush()
    for sampler in ("tpe", "gp"):
        warm = new_search(sampler, "--warm-start", search.plan.folder, name=sampler)
        assert "knows 4 of the 4 trials" in warm_start(warm.plan, warm.log)


def test_the_printed_options_read_back(tmp_path, capsys):
    (tmp_path / "space.yaml").write_text(CONTENT + "clip: {values: [none, 1.0], when: {layers: 1}}\n")
    assert main(["--task", "mnist-cls", "--space", str(tmp_path / "space.yaml"), "--print-config"]) == 0
    printed = capsys.readouterr().out
    written = yaml.safe_load(printed)["space"]
    assert written["dropout"] == {"low": 0.1, "high": 0.5, "when": {"layers": [2]}}
    assert written["clip"] == {"values": ["none", 1.0], "when": {"layers": [1]}}
    (tmp_path / "again.yaml").write_text(printed)
    assert main(["--config", str(tmp_path / "again.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == printed
