"""Search spaces as a user writes them, and as the grid and Optuna take them."""

from functools import partial

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sweep_logs import space_of

from ae.configuration import Configuration
from ae.errors import UserError
from sweeps.config import space
from sweeps.search.distributions import distributions_of


@pytest.fixture
def read_space(tmp_path):
    return partial(space_of, tmp_path)


def test_a_file_may_hold_lists_ranges_and_single_values(read_space):
    found = read_space(
        "lr: {low: 1e-4, high: 1e-2, log: true}\nclip: [none, 1]\nhidden_size: {low: 8, high: 64}\ninit: uniform"
    )
    assert found == {
        "lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "clip": [None, 1],
        "hidden_size": {"low": 8, "high": 64},
        "init": ["uniform"],
    }
    assert [name for name, dimension in found.items() if space.is_single(dimension)] == ["init"]
    assert space.parse(found, Configuration(), "plan.json") == found, "as plan.json has it"


def test_optuna_draws_from_the_same_values(read_space):
    found = read_space(
        "lr: {low: 1e-4, high: 1e-2, log: true}\nclip: [none, 1]\nhidden_size: {low: 8, high: 64, step: 8}\n"
        "batch_size: {low: 8, high: 16}"
    )
    assert distributions_of(found) == {
        "lr": FloatDistribution(1e-4, 1e-2, log=True),
        "clip": CategoricalDistribution([None, 1]),
        "hidden_size": IntDistribution(8, 64, step=8),
        "batch_size": IntDistribution(8, 16),
    }


def test_a_range_between_a_whole_number_and_another_one_has_fractions(read_space):
    assert read_space("lr: {low: 1, high: 2.5}") == {"lr": {"low": 1.0, "high": 2.5}}
    assert isinstance(distributions_of(read_space("lr: {low: 1, high: 2.5}"))["lr"], FloatDistribution)


@pytest.mark.parametrize(
    ("dimension", "inside", "outside"),
    [
        ([None, 0.5], [None, 0.5], [1.0, "none"]),
        ({"low": 8, "high": 64}, [8, 9, 64, 9.0], [7, 65, 9.5, None, True, "9"]),
        ({"low": 0.1, "high": 0.5, "step": 0.1}, [0.1, 0.3, 0.5], [0.25, 0.6]),
        ({"low": 1e-4, "high": 1e-2, "log": True}, [1e-4, 2e-3], [1e-5]),
    ],
)
def test_a_dimension_contains_what_a_search_could_choose(dimension, inside, outside):
    assert all(space.contains(dimension, value) for value in inside)
    assert not any(space.contains(dimension, value) for value in outside)


def test_a_dimension_in_words():
    assert space.in_words([0.001, None]) == "0.001 | none"
    assert space.in_words({"low": 32, "high": 192, "step": 16}) == "32 to 192 in steps of 16"
    assert space.in_words({"low": 5e-4, "high": 0.02, "log": True}) == "0.0005 to 0.02 (log)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must have lines such as .lr: {low"),
        ("- lr", "must have lines such as .lr: {low"),
        ("lr: [", "cannot be read as YAML"),
        ("momentum: [1]", "momentum: not a hyperparameter; they are hidden_size, lr"),
        ("epochs: [1]", "epochs: not a hyperparameter; --max-epochs says how many"),
        ("lr: 1\nlearning_rate: 1", "line 2: learning_rate: not a hyperparameter; did you mean lr"),
        ("hidden: 32", "hidden: not a hyperparameter; did you mean hidden_size"),
        ("batchsize: 32", "batchsize: not a hyperparameter; did you mean batch_size"),
        ("lr: {min: 1, max: 2}", "got min, max; did you mean low for min and high for max"),
        ("lr: {values: [1, 2]}", "got values; a list stands alone, as"),
        ("clip: 1\nlr: 1\nlr: 2", "twice, in lines 2 and 3; leave one"),
        ("clip: [-1]", "clip must be a number > 0, or none for no clipping, got -1"),
        ("lr: {low: 0, high: 1}", "lr must be a number > 0"),
        ("lr: {low: 1e-2, high: 1e-4}", "lr: low must be <= high, got 0.01 and 0.0001"),
        ("lr: {from: 1, to: 2}", "a range has low, high"),
        ("lr: []", "must not be empty"),
        ("lr: [0.01, 1e-2]", "each value once"),
        ("clip: [none, null]", "each value once"),
        ("lr: {low: 0.1, high: 1, log: maybe}", "log must be true or false"),
        ("lr: {low: 0.1, high: 1, log: true, step: 0.1}", "lr: a range has log or step, not both"),
        ("lr: {low: 0, high: 1, log: true}", "lr: low must be > 0 with log, got 0"),
        (
            "hidden_size: {low: 32, high: 100, step: 16}",
            "high must be low plus a whole number of steps, got 32, 100 and 16",
        ),
        ("lr: {low: 0.1, high: 0.25, step: 0.1}", "high must be low plus a whole number of steps"),
        ("batch_size: true", "batch_size must be a whole number >= 1, got True"),
        ("hidden_size: [3.5]", "hidden_size must be a whole number"),
        ("hidden_size: {low: 8.5, high: 64}", "hidden_size must be a whole number"),
        ("lr: {low: a, high: b}", "lr: "),
        ("lr: !!python/object/apply:os.system ['true']", "line 1: cannot be read as YAML"),
    ],
)
def test_a_wrong_file_is_one_line_with_the_file_and_the_rule(read_space, content, message):
    with pytest.raises(UserError, match=message) as error:
        read_space(content)
    assert "space.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_grid_walks_through_every_combination_once():
    points = space.points({"lr": [1, 2], "clip": [None, 1.0]})
    assert points == [{"lr": 1, "clip": None}, {"lr": 1, "clip": 1.0}, {"lr": 2, "clip": None}, {"lr": 2, "clip": 1.0}]


def test_a_grid_cannot_walk_through_a_range():
    with pytest.raises(UserError, match="lr: a grid needs a list of values"):
        space.points({"lr": {"low": 1e-4, "high": 1e-2}})


def test_a_grid_that_nobody_could_train_is_refused_before_it_is_listed():
    with pytest.raises(UserError, match="at most 100,000 configurations, got 1,000,000; use --search optuna"):
        space.points({"lr": list(range(1000)), "batch_size": list(range(1000))})
