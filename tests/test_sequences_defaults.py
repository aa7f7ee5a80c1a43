"""What the task `sequences` does by default, as its options ask."""

import numpy as np
import pytest

from ae import tasks
from ae.data.sequences.options import Options
from ae.splits import Split, Splits

TASK = tasks.find("sequences")


def splits_of(count):
    train = Split.dense(np.zeros((count, 4, 1), dtype=np.float32))
    return Splits(train=train, validation=train, test=train, source="zeros")


@pytest.mark.parametrize(("count", "epochs"), [(20, 100), (800, 60), (4800, 10), (48_000, 10)])
def test_a_trial_takes_3000_steps_unless_an_epoch_is_out_of_proportion(count, epochs):
    budget = TASK.with_options(Options()).budget_of(splits_of(count))
    assert budget.max_epochs == epochs
    assert budget.eval_every <= budget.grace_period <= budget.max_epochs


def test_classes_are_learned_in_fewer_steps_and_ranked_by_cross_entropy():
    task = TASK.with_options(Options(classify=True, label_column="class"))
    assert (task.objective.metric, task.objective.mode) == ("cross_entropy", "min")
    assert task.budget_of(splits_of(800)).max_epochs == 20


def test_anomalies_are_sought_with_narrower_codes_than_classes():
    detection = TASK.with_options(Options(normal="1", label_column="class"))
    classes = TASK.with_options(Options(classify=True, label_column="class"))
    assert max(detection.grid["hidden_size"]) < max(classes.grid["hidden_size"])
    assert detection.base.hidden_size < classes.base.hidden_size
    assert detection.objective == TASK.objective
