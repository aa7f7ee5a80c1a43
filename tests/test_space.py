import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ae.configuration import Configuration
from sweeps.config import space


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "space.yaml"
        path.write_text(content)
        return space.read(path, Configuration())

    return read


def test_a_file_may_hold_lists_ranges_and_single_values(read):
    found = read(
        "lr: {low: 1e-4, high: 1e-2, log: true}\nclip: [none, 1]\nhidden_size: {low: 8, high: 64}\ninit: uniform"
    )
    assert found["lr"] == FloatDistribution(1e-4, 1e-2, log=True)
    assert found["clip"] == CategoricalDistribution([None, 1])
    assert found["hidden_size"] == IntDistribution(8, 64)
    assert found["init"].single()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must map hyperparameters"),
        ("- lr", "must map hyperparameters"),
        ("lr: [", "cannot be read as YAML"),
        ("layers: [1]", "layers: not a hyperparameter; they are hidden_size, lr"),
        ("epochs: [1]", "epochs: not a hyperparameter"),
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
        ("hidden_size: {low: 32, high: 100, step: 16}", "high must be low and so many times step, got 32, 100 and 16"),
        ("lr: {low: 0.1, high: 0.25, step: 0.1}", "high must be low and so many times step"),
        ("batch_size: true", "batch_size must be a whole number >= 1, got True"),
        ("hidden_size: [3.5]", "hidden_size must be a whole number"),
        ("hidden_size: {low: 8.5, high: 64}", "hidden_size must be a whole number"),
        ("lr: {low: a, high: b}", "lr: "),
        ("!!python/object/apply:os.system ['true']", "cannot be read as YAML"),
    ],
)
def test_a_wrong_file_is_one_line_with_the_file_and_the_rule(read, content, message):
    with pytest.raises(ValueError, match=message) as error:
        read(content)
    assert "space.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_grid_walks_through_every_combination_once():
    points = space.points(space.grid({"lr": (1, 2), "clip": (None, 1.0)}))
    assert points == [{"lr": 1, "clip": None}, {"lr": 1, "clip": 1.0}, {"lr": 2, "clip": None}, {"lr": 2, "clip": 1.0}]


def test_a_grid_cannot_walk_through_a_range():
    with pytest.raises(ValueError, match="lr: a grid needs a list of values"):
        space.points({"lr": FloatDistribution(1e-4, 1e-2)})
