"""Command lines, search spaces and saved models of any kind: used, or refused in one line."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from fuzzing import JSON, NUMBERS, TEXTS, VALUES, check, check_files, damaged, encoded, fuzz, main
from hypothesis import given
from hypothesis import strategies as st

from ae import saved, tasks
from ae.configuration import Configuration
from ae.splits import Split
from sweeps import evaluate
from sweeps.config import arguments as options
from sweeps.config.space import HYPERPARAMETERS


def command_lines(task: str) -> st.SearchStrategy[list[str]]:
    """Options with any values, in any order, repeated, joined with =, without a value, values without an option."""
    shown = re.findall(r"--[a-z][a-z-]*", options.parser(tasks.find(task)).format_help())
    name = st.sampled_from(sorted(set(shown)))
    pair = st.tuples(name, VALUES)
    one = st.one_of(pair, pair, pair.map("=".join).map(lambda text: (text,)), st.tuples(name), st.tuples(VALUES))
    return st.lists(one, max_size=5).map(lambda parts: [part for some in parts for part in some])


@pytest.mark.parametrize("task", ["mnist-cls", "sp500-rec"])
@fuzz(80)
@given(data=st.data())
def test_any_command_line_gives_a_plan_or_one_line(task, data):
    check(main, "--task", task, *data.draw(command_lines(task)), "--dry-run")
    check(main, *data.draw(command_lines(task)), "--dry-run")


@fuzz(25)
@given(st.dictionaries(st.sampled_from(["field", "symbols", "start", "end", "window", "min-days"]), VALUES, max_size=2))
def test_any_options_of_the_prices_load_or_give_one_line(given_ones):
    arguments = [f"--{name}={value}" for name, value in given_ones.items()]
    check_files(main, {}, "--task", "sp500-pred", "--results", "{}", *arguments)


@pytest.mark.parametrize("option", ["--name", "--task", "--data", "--sampler", "--results", "--symbols"])
def test_two_dashes_are_no_value(option):
    assert check(main, "--task", "sp500-rec", f"{option}=--", "--dry-run") == 2


@fuzz(20)
@given(path=TEXTS, task=st.sampled_from(tasks.names()))
def test_any_path_gives_a_plan_or_one_line(path, task):
    check_files(main, {}, "--task", task, "--results", "{}", f"--data={{}}/none/{path}")
    check_files(main, {}, "--task", task, "--results", "{}", f"--space={{}}/{path}", "--dry-run")
    check_files(main, {}, "--task", task, "--results", f"{{}}/{path}", "--dry-run")
    check_files(main, {}, "--resume", f"{{}}/{path}", "--dry-run")
    check_files(evaluate.main, {}, f"{{}}/{path}")


# Search spaces

SCALARS = st.one_of(NUMBERS, TEXTS, st.none(), st.booleans(), st.dates(), st.datetimes(), st.binary(max_size=5))
RANGE = ("low", "high", "log", "step")
NESTED = st.recursive(
    st.one_of(SCALARS, st.sampled_from(["uniform", "one-cycle", "1e-4"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(RANGE), SCALARS), inner, max_size=4),
        st.fixed_dictionaries({"low": inner, "high": inner}, optional={"log": inner, "step": inner}),
    ),
    max_leaves=8,
)
RANGES = st.fixed_dictionaries({"low": NUMBERS, "high": NUMBERS}, optional={"log": st.booleans(), "step": NUMBERS})
SPACES = st.dictionaries(st.sampled_from(HYPERPARAMETERS), st.one_of(NESTED, RANGES), max_size=3)
NAMES = ("lr", "clip", "batch_size", "init", "schedule")
BOMB = "lr: &lr [1]\n" + "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(NAMES))
WIDE = ", ".join(map(str, range(1, 999)))
ODD_YAML = [
    "lr: &a [*a]", "lr: *none", "? [lr]\n: 1", "lr: 2001-99-99", "lr: !!timestamp x", "lr: !!bool x", "lr: !!int ''",
    "lr: !!float x", "lr: !!set {1, 2}", "lr: !!binary ***", "lr: 0x_", "lr: 0b_", "<<: 1", "lr: 1\n---\nlr: 2", "\0",
    "[" * 1000, "{a: " * 1000, "lr: 0.1\nlr: 0.2", "lr: {low: 1, low: 2, high: 3}", "clip: " + "9" * 5000,
    "hidden_size: {low: 8, high: 20, step: 5}", "lr: {low: true, high: 2}", BOMB,
    f"lr: [{WIDE}]\nclip: [{WIDE}]",
]  # fmt: skip


def check_space(content: bytes) -> list[int]:
    plan = ["--task", "mnist-cls", "--results", "{}", "--dry-run", "--space", "{}/space.yaml"]
    return [check_files(main, {"space.yaml": content}, *plan, "--search", kind) for kind in ("grid", "optuna")]


@fuzz(80)
@given(space=st.one_of(SPACES, NESTED))
def test_any_structure_as_a_space_gives_a_plan_or_one_line(space):
    check_space(encoded(yaml.safe_dump(space, allow_unicode=True)))


@fuzz(60)
@given(st.sampled_from(["", "lr: ", "clip: [1, ", "lr: {low: "]), st.one_of(TEXTS.map(encoded), st.binary()))
def test_any_file_as_a_space_gives_a_plan_or_one_line(start, rest):
    check_space(encoded(start) + rest)


@pytest.mark.parametrize("content", ODD_YAML)
def test_a_strange_space_is_refused(content):
    assert 2 in check_space(encoded(content))


@pytest.mark.parametrize(
    "options", [("--search", "optuna", "--trials", 10**30), ("--seeds", 10**9), ("--seeds", 10**30), ("--top-k", 10**9)]
)
def test_more_trials_than_memory_can_hold_are_refused(options):
    assert check(main, "--task", "mnist-cls", "--dry-run", *options) == 2


# Files of options

KEYS = st.one_of(st.sampled_from([name[2:].replace("-", "_") for name in options.parser().options]), TEXTS)


@fuzz(80)
@given(st.dictionaries(KEYS, st.one_of(VALUES, NESTED), max_size=4))
def test_any_options_in_a_file_give_a_plan_or_one_line(found):
    content = encoded(yaml.safe_dump(found, allow_unicode=True))
    check_files(main, {"sweep.yaml": content}, "--config", "{}/sweep.yaml", "--results", "{}", "--dry-run")
    check_files(
        main, {"a.yaml": content}, "--config", "{}/a.yaml", "--results", "{}", "--task", "sp500-rec", "--print-config"
    )


@fuzz(40)
@given(st.sampled_from(["", "seed: ", "task: mnist-cls\nspace: {", "- "]), st.one_of(TEXTS.map(encoded), st.binary()))
def test_any_file_of_options_gives_a_plan_or_one_line(start, rest):
    line = ("--config", "{}/sweep.yaml", "--results", "{}", "--task", "mnist-cls", "--dry-run")
    check_files(main, {"sweep.yaml": encoded(start) + rest}, *line)


@pytest.mark.parametrize("content", ODD_YAML)
def test_a_strange_file_of_options_is_refused(content):
    line = ("--config", "{}/sweep.yaml", "--results", "{}", "--task", "mnist-cls", "--dry-run")
    assert check_files(main, {"sweep.yaml": encoded(content)}, *line) == 2


# Saved models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small saved model of sp500-rec, and of the results folder around it."""
    folder = tmp_path_factory.mktemp("model")
    rows = [(f"A{stock}", f"2015-01-0{day}", 10 + (stock + day) % 4) for stock in range(6) for day in range(1, 7)]
    pd.DataFrame(rows, columns=["symbol", "date", "high"]).to_csv(folder / "prices.csv", index=False)
    task, configuration = tasks.find("sp500-rec"), Configuration(hidden_size=2)
    facts = {"options": {"field": "high", "symbols": None, "window": None}, "data": str(folder / "prices.csv")}
    test = {"loss": 0.5, "rmse_dollars": 1.0}
    train = Split.dense(np.zeros((1, 2, 1), np.float32))
    model = task.model(train), task.build(configuration, train).state_dict()
    saved.save(folder, task.name, configuration, *model, **facts, subset=3, test=test, class_names=None)
    return {f"best/{name}": (folder / name).read_bytes() for name in (saved.WEIGHTS, saved.DESCRIPTION)}


WEIGHTS, DESCRIPTION = f"best/{saved.WEIGHTS}", f"best/{saved.DESCRIPTION}"


def test_a_whole_model_is_evaluated_and_one_with_a_changed_weight_is_not(model):
    assert check_files(evaluate.main, model, "{}") == 0
    weights = bytearray(model[WEIGHTS])
    where = weights.index(torch.load(io.BytesIO(weights), weights_only=True)["reconstruct.bias"].numpy().tobytes())
    weights[where] ^= 1
    assert check_files(evaluate.main, model | {WEIGHTS: bytes(weights)}, "{}") == 2


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
@fuzz(40)
@given(data=st.data())
def test_a_damaged_model_is_evaluated_or_gives_one_line(model, name, data):
    check_files(evaluate.main, model | {name: damaged(data, model[name])}, "{}")


@fuzz(80)
@given(data=st.data(), value=JSON, lost=st.booleans())
def test_a_description_of_other_values_is_evaluated_or_gives_one_line(model, data, value, lost):
    description = json.loads(model[DESCRIPTION])
    parts = [description, *(description[name] for name in ("configuration", "model", "options", "test"))]
    part = parts[data.draw(st.integers(0, 4))]
    part[data.draw(st.one_of(st.sampled_from(sorted(part)), TEXTS))] = value
    if lost:
        part.popitem()
    check_files(evaluate.main, model | {DESCRIPTION: json.dumps(description).encode()}, "{}")


@fuzz(40)
@given(
    name=st.sampled_from(["encoder.weight_hh_l0", "decoder.bias_hh_l0", "reconstruct.weight", "more"]),
    shape=st.one_of(st.just((8, 2)), st.lists(st.integers(0, 3), max_size=3)),
    kind=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.complex64, torch.int64, torch.bool]),
    whole=st.sampled_from([dict, list, str, len]),
)
def test_weights_of_other_shapes_and_types_are_evaluated_or_give_one_line(model, name, shape, kind, whole):
    weights = torch.load(io.BytesIO(model[WEIGHTS]), weights_only=True)
    buffer = io.BytesIO()
    torch.save(whole({**weights, name: torch.ones(shape, dtype=kind)}), buffer)
    check_files(evaluate.main, model | {WEIGHTS: buffer.getvalue()}, "{}")


def test_a_model_too_wide_for_the_memory_is_refused_before_it_is_built(model):
    for width in (10**5, 10**12, 10**30):
        description = json.loads(model[DESCRIPTION])
        description["configuration"]["hidden_size"] = width
        assert check_files(evaluate.main, model | {DESCRIPTION: json.dumps(description).encode()}, "{}") == 2
