"""`plan.json`: what a sweep does, as every later session and command reads it; and what a later session may change."""

import json
from dataclasses import replace

import pytest
from sweep_logs import plan_of

from ae import tasks
from ae.errors import UserError
from sweeps.config.arguments import parser
from sweeps.config.plan_file import load, parse, text, write
from sweeps.config.resume import resumed_plan

SOME = ("--max-epochs", 6, "--seed", 7, "--top-k", 2, "--seeds", 4, "--max-concurrent", 3, "--time-limit", 0.5)


@pytest.fixture
def plan(tmp_path):
    """The plan of an Optuna search that was begun."""
    plan = plan_of(tmp_path, "--search", "optuna", "--trials", 12, "--top-k", 2, "--seeds", 3)
    write(plan)
    return plan


@pytest.fixture
def damage(plan):
    """Writes the plan's file anew with these changes."""

    def damage(**changes):
        content = json.loads((plan.folder / "plan.json").read_text())
        (plan.folder / "plan.json").write_text(json.dumps(content | changes))

    return damage


def resume(plan, *options):
    """The plan of a later session, from the file that the first one wrote."""
    arguments = ["--resume", str(plan.folder), *map(str, options)]
    return resumed_plan(load(plan.folder), parser(plan.task).parse(arguments), arguments)


@pytest.mark.parametrize("search", ["grid", "optuna"])
@pytest.mark.parametrize("task", tasks.names())
def test_every_plan_is_read_back_as_it_was_written(task, search, tmp_path):
    for name, options in (("plain", ()), ("some", SOME), ("smoke", ("--smoke",))):
        plan = plan_of(tmp_path, "--search", search, *options, task=task, name=name)
        assert parse(text(plan).encode(), plan.folder, "plan.json") == plan
        write(plan)
        assert load(plan.folder) == plan
        assert text(load(plan.folder)) == text(plan)


def test_a_plan_with_everything_is_read_back_and_knows_its_folder_wherever_that_is(tmp_path):
    (tmp_path / "space.yaml").write_text("lr: {low: 1e-4, high: 1e-2, log: true}\nclip: [none, 0.5]\nhidden_size: 8\n")
    options = ("--search", "optuna", "--sampler", "gp", "--space", tmp_path / "space.yaml", "--storage", tmp_path / "s")
    plan = plan_of(tmp_path, *options, "--data", tmp_path, "--subset", 60, "--warm-start", "older", "--track", "wandb")
    plan = replace(plan, data_sha256="abc")
    write(plan)
    (tmp_path / "elsewhere").mkdir()
    moved = plan.folder.rename(tmp_path / "elsewhere" / "sweep")
    assert load(moved) == replace(plan, folder=moved)
    assert load(moved).space == {
        "lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "clip": [None, 0.5],
        "hidden_size": [8],
    }
    assert load(moved).warm_start.is_absolute()


def test_a_folder_without_a_plan_says_where_there_are_some(plan, tmp_path):
    with pytest.raises(UserError, match=r"no plan.json, but there are .*mnist-cls/sweep") as error:
        load(plan.folder.parent)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="not the results folder of a sweep"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_a_plan_of_another_version_is_refused(plan, damage, version):
    damage(version=version)
    with pytest.raises(UserError, match=r"plan\.json: cannot be read: its version must be 1, got ") as error:
        load(plan.folder)
    assert repr(version) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"trials": "12"}, "trials is missing or of the wrong type"),
        ({"trials": 0}, "--trials must be >= 1, got 0"),
        ({"task": "mnist"}, "mnist-cls"),
        ({"sampler": "best"}, "--sampler must be one of tpe"),
        ({"scheduler": "best"}, "--scheduler must be one of asha"),
        ({"space": {"lr": []}}, "space: lr: a list of values must not be empty"),
        ({"space": {"epochs": [1]}}, "epochs: not a hyperparameter"),
        ({"budget": {"max_epochs": "x"}}, "max_epochs cannot be 'x'"),
        ({"budget": {}}, "max_epochs"),
        ({"base": {"hidden_size": 0}}, "hidden_size must be a whole number >= 1"),
        ({"base": {"width": 8}}, "width"),
        ({"resources": {"device": "tpu"}}, "--device must be one of auto, cpu, cuda"),
        ({"objective": {"metric": "accuracy", "mode": "up"}}, "objective must have a metric, and the mode min or max"),
        ({"commands": []}, "commands must be lists of text"),
        ({"commands": [[1]]}, "commands must be lists of text"),
        ({"began": {"trials": "12"}}, "began must have numbers"),
    ],
)
def test_a_damaged_plan_is_one_line_that_names_the_file(plan, damage, changes, what):
    damage(**changes)
    with pytest.raises(UserError, match=r"plan\.json: cannot be read: ") as error:
        load(plan.folder)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_a_file_that_is_no_plan_is_one_line(plan, content):
    (plan.folder / "plan.json").write_bytes(content)
    with pytest.raises(UserError, match=r"plan\.json: cannot be read: "):
        load(plan.folder)


def test_a_sweep_is_not_continued_under_another_objective(plan, damage):
    assert plan.task.objective.metric == "accuracy"
    damage(objective={"metric": "loss", "mode": "min"})
    assert load(plan.folder).task.objective.metric == "loss", "what was found is still judged by it"
    with pytest.raises(UserError, match=r"ranks trials by loss \(min\).* now by accuracy \(max\)") as error:
        resume(plan)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("begin a new sweep")


def test_resuming_with_no_options_changes_nothing(plan):
    assert resume(plan) == plan


@pytest.mark.parametrize(("option", "now"), [("trials", 17), ("top-k", 7), ("seeds", 8)])
def test_a_later_session_may_add_trials_configurations_and_seeds(plan, option, now):
    field, typed = option.replace("-", "_"), ("--resume", str(plan.folder), f"--{option}", "+5")
    grown = resume(plan, f"--{option}", "+5")
    assert getattr(grown, field) == now
    assert getattr(grown.budget, field, now) == now
    assert grown.added == {"trials": 0, "top_k": 0, "seeds": 0} | {field: 5}
    assert grown.commands == (*plan.commands, ("python", "sweeps/run.py", *typed))
    write(grown)
    again = resume(plan, f"--{option}", "+1")
    assert getattr(again, field) == now + 1
    assert len(again.commands) == 3


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--trials", "+0"), "--trials +0 must add at least 1"),
        (("--trials", "20"), "--trials 20: a resumed sweep keeps its trials; +20 adds some"),
        (("--seeds", "5"), "--seeds cannot change in a sweep that is resumed; +N adds some"),
        (("--top-k", "+11"), "--top-k must be <= the number of trials (12), got 13"),
        (("--max-epochs", "7"), "--max-epochs cannot change in a sweep that is resumed; begin a new one"),
        (("--sampler", "gp"), "--sampler cannot change in a sweep that is resumed"),
        (("--seed", "1"), "--seed cannot change in a sweep that is resumed"),
        (("--name", "x"), "--name x: a resumed sweep keeps its name"),
        (("--smoke",), "--smoke cannot change in a sweep that is resumed"),
    ],
)
def test_what_would_make_another_sweep_is_refused_in_a_line(plan, options, what):
    with pytest.raises(UserError) as error:
        resume(plan, *options)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_a_grid_has_no_trials_to_add(tmp_path):
    plan = plan_of(tmp_path)
    write(plan)
    with pytest.raises(UserError, match=r"--trials \+5 goes with --search optuna; this sweep is a grid"):
        resume(plan, "--trials", "+5")


def test_a_later_session_may_use_other_machines(plan):
    changed = resume(plan, "--max-concurrent", 2, "--device", "cpu", "--time-limit", "none", "--verbose")
    used = changed.resources
    assert (used.max_concurrent, used.device, used.time_limit_s, used.verbose) == (2, "cpu", None, True)
    assert replace(changed, resources=plan.resources) == plan, "and nothing else is another"


def test_options_that_say_what_the_sweep_does_already_are_accepted(plan):
    same = ("--task", "mnist-cls", "--search", "optuna", "--sampler", "tpe", "--seed", 0, "--top-k", 2, "--seeds", 3)
    assert resume(plan, *same) == plan
