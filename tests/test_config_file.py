"""--config FILE.yaml and --print-config: a sweep as a file."""

import argparse
from dataclasses import replace

import pytest

from ae import tasks
from sweeps.config import arguments, command_line, config_file
from sweeps.config.new_plan import new_plan
from sweeps.config.parser import Parser
from sweeps.config.plan_file import load
from sweeps.config.resume import resumed_plan
from sweeps.run import main

WHY = "--search optuna, since a grid runs all of its configurations"
SWEEP = """\
# kept in git
task: sp500-rec
name: no                      # a word, not a boolean
start: 2015-01-05             # a word, not a date
symbols: [AAPL, MSFT]
max-epochs: 1e1
grace_period: 5
smoke: off
dashboard: yes
time_limit: 1:30:00
gpus_per_trial: 50%
track: null
space:
  lr: {low: 1e-4, high: 1e-2, log: true}
  clip: [none, 1.0]
trials: 1_0
"""


@pytest.fixture
def printed(shown):
    """What --print-config prints for a command line."""

    def printed(*options):
        status, output, error = shown(main, *options, "--print-config")
        assert status == 0, error
        return output

    return printed


@pytest.fixture
def plan_of(tmp_path):
    """The plan that a command line means, without the command."""

    def plan_of(*options):
        words = [*map(str, options), "--results", str(tmp_path)]
        found = command_line.parse(words)
        plan = (
            resumed_plan(load(tmp_path / found.resume), found, words) if "resume" in found else new_plan(found, words)
        )
        return replace(plan, commands=())

    return plan_of


@pytest.fixture
def config(tmp_path):
    """Writes a file of options."""

    def config(content, name="sweep.yaml"):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return config


def test_every_key_is_read_as_its_option_is(config, plan_of):
    plan = plan_of("--config", config(SWEEP))
    typed = ("--task", "sp500-rec", "--name", "no", "--start", "2015-01-05", "--symbols", "AAPL,MSFT")
    budget = ("--max-epochs", "10", "--grace-period", "5", "--dashboard", "--trials", "10")
    space = config(SWEEP.partition("space:\n")[2].partition("trials")[0], "space.yaml")
    where = ("--time-limit", "5400", "--gpus-per-trial", "0.5", "--space", space)
    assert plan == plan_of(*typed, *budget, *where)
    assert plan.space["lr"] == {"low": 1e-4, "high": 1e-2, "log": True}
    assert plan.search == "optuna"


def test_the_command_line_wins(config, plan_of):
    file = config(SWEEP + "seed: 3\n")
    plan = plan_of("--config", file, "--max-epochs", "7", "--trials", "4", "--no-dashboard", "--smoke", "--name", "a")
    assert (plan.budget.max_epochs, plan.trials, plan.resources.dashboard, plan.smoke) == (7, 4, False, True)
    assert (plan.name, plan.seed, plan.resources.time_limit_s) == ("a", 3, 5400)
    assert plan_of("--config", config("task: mnist-cls\nsmoke: true\n"), "--no-smoke").smoke is False


@pytest.mark.parametrize("search", ["grid", "optuna"])
@pytest.mark.parametrize("task", tasks.names())
def test_what_is_printed_means_the_same_plan(task, search, printed, config, plan_of):
    typed = ("--task", task, "--search", search, "--name", "a")
    assert plan_of("--config", config(printed(*typed))) == plan_of(*typed)


@pytest.mark.parametrize(
    "typed",
    [
        ("--smoke", "--sampler", "gp", "--track", "mlflow", "--no-verbose", "--device", "cpu"),
        ("--max-epochs", "3", "--gpus-per-trial", "1/4", "--time-limit", "1h", "--max-concurrent", "2", "--seed", "7"),
        ("--address", "auto", "--autoscale", "4", "--storage", "s3://bucket/a", "--subset", "100", "--seeds", "1"),
    ],
)
def test_what_is_printed_of_other_options_means_the_same_plan(typed, printed, config, plan_of):
    typed = ("--task", "sp500-pred", "--window", "50", "--end", "2017-01-01", "--name", "on", *typed)
    assert plan_of("--config", config(printed(*typed))) == plan_of(*typed)


def test_every_option_is_in_a_printed_file(printed, begun):
    older = begun("--search", "optuna")
    where = ("--name", "a", "--or-resume", "--storage", "/tmp/x", "--data", "/tmp", "--warm-start", older)
    text = printed("--task", "synthetic", "--patience", "3", "--try", "lr=0.01", *where)
    known = {line.partition(":")[0] for line in text.splitlines()} | {"resume", "subset", "retrain_epochs", "results"}
    options = {name[2:].replace("-", "_") for name in arguments.parser().options if not name.startswith("--no-")}
    assert options - known == {"help", "list", "dry_run", "open", "config", "print_config"}


def test_a_resumed_plan_is_printed_and_read_back(begun, printed, config, plan_of):
    folder = begun("--search", "optuna", "--trials", "5", "--time-limit", "90", task="sp500-rec")
    for more in ((), ("--trials", "+3", "--seeds", "+1", "--track", "none", "--max-concurrent", "2")):
        text = printed("--resume", str(folder), *more)
        assert f"resume: {folder}\n" in text
        assert plan_of("--config", config(text)) == plan_of("--resume", str(folder), *more)


def test_the_file_that_began_a_sweep_also_resumes_it(config, tmp_path, resumed, begun):
    file = config("trials: 5\nname: begun\nspace: {lr: [0.1, 0.2], clip: {low: 1, high: 2}}\nmax_epochs: 8\n")
    folder = begun("--config", file)
    assert load(folder).trials == 5
    assert resumed(folder, "--config", str(file)).trials == 5
    assert resumed(folder, "--config", str(file), "--trials", "+2").trials == 7


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("trials: 6", "line 1: --trials cannot change in a sweep that is resumed; +N adds some"),
        ("name: other", "line 1: --name cannot change in a sweep that is resumed; begin a new one"),
        ("max_epochs: 9", "line 1: --max-epochs cannot change in a sweep that is resumed; begin a new one"),
        ("space: {lr: [0.3]}", "line 1: --space: an Optuna search that is resumed keeps its space; "),
        ("seed: 0\nspace:\n  lr: [0.3]\n  clp: 1", "line 4: clp: not a hyperparameter; did you mean clip?"),
    ],
)
def test_a_file_of_another_sweep_does_not_resume_it(begun, config, shown, more, message):
    folder = begun("--trials", "5")
    status, output, error = shown(main, "--resume", folder, "--config", config(more))
    assert (status, output) == (2, "")
    assert error.startswith(f"error: {folder.parents[1] / 'sweep.yaml'}, {message}")


def test_resume_and_or_resume_of_the_command_line_replace_each_other_in_the_file(begun, config, plan_of, shown):
    folder = begun("--trials", "5")
    assert plan_of("--config", config("or_resume: yes\nname: begun\n"), "--resume", folder).trials == 5
    status, output, error = shown(main, "--config", config("or_resume: yes\nresume: x\n"))
    assert (status, output) == (2, "")
    assert error.endswith("line 2: --resume and --or-resume do not go together; leave one of them out\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "--config {}: must have lines such as 'max_epochs: 20'"),
        ("- trials", "--config {}: must have lines such as 'max_epochs: 20'"),
        ("a: [", "{}, line 1: cannot be read as YAML: "),
        ("seed: 1\n\tseeds: 2", "{}, line 2: cannot be read as YAML: found character"),
        ("seed: 1\nepochs: 3", "{}, line 2: no option is called epochs; did you mean max_epochs?"),
        ("learning_rate: 3", "{}, line 1: learning_rate is a hyperparameter, not an option; put it into"),
        ("field: open", "{}, line 1: field is an option of the tasks sp500-pred, sp500-rec; mnist-cls does not"),
        ("seed: 1\nseed: 2", "{}, line 2: seed is there twice, in lines 1 and 2; leave one"),
        ("max-epochs: 1\nmax_epochs: 2", "{}, line 2: max_epochs is there twice, in lines 1 and 2; leave one"),
        ("max_epochs: many", "{}, line 1: --max-epochs must be a whole number, got 'many'"),
        ("max_epochs: [1, 2]", "{}, line 1: max_epochs takes one value, got a list"),
        ("max_epochs: {low: 1}", "{}, line 1: max_epochs takes one value, got a mapping"),
        ("max_epochs:", "{}, line 1: max_epochs has no value; give one, or leave the line out"),
        ("smoke: maybe", "{}, line 1: smoke must be true or false, got 'maybe'"),
        ("no_dashboard: true", "{}, line 1: write dashboard: false"),
        ("config: other.yaml", "{}, line 1: config is for the command line alone; leave it out"),
        ("help: true", "{}, line 1: help is for the command line alone; leave it out"),
        ("# all\nseeds: 0", "{}, line 2: --seeds must be >= 1, got 0"),
        ("sampler: tpe\nsearch: grid", "{}, line 1: --sampler goes with --search optuna"),
        ("scheduler: ahsa", "{}, line 1: --scheduler must be one of asha, asha-stop, hyperband, median"),
        ("data: nowhere", "{}, line 1: --data "),
        ("space:\n  lr: {low: 1}", "{}, line 2: lr: a range has low, high"),
        ("space:\n  lr: 1\n  lr: 2", "{}, line 3: lr is there twice, in lines 2 and 3; leave one"),
        ("space: nowhere.yaml", "{}, line 1: --space nowhere.yaml: cannot be read"),
        ("lr: &a [*a]", "{}, line 1: lr is a hyperparameter"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_one_line_with_its_place(config, run, content, message):
    file = config(content)
    status, output, error, folder = run("--config", file)
    assert (status, output) == (2, "")
    assert error.startswith(f"error: {message.replace('{}', str(file))}")
    assert error.count("\n") == 1
    assert not folder.parent.exists()


def test_a_task_that_is_mistyped_in_the_file_has_its_line(config, shown):
    status, _, error = shown(main, "--config", config("seed: 1\ntask: mnist_cls\n"))
    assert status == 2
    assert "sweep.yaml, line 2: --task: no task is called 'mnist_cls'; did you mean mnist-cls? " in error


def test_a_file_that_cannot_be_read_and_two_of_them_are_refused(config, shown, tmp_path):
    for file, reason in (("nowhere.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        status, _, error = shown(main, "--task", "mnist-cls", "--config", file)
        assert (status, error) == (2, f"error: --config {file}: cannot be read: {reason}\n")
    file = config("seed: 1")
    status, _, error = shown(main, "--config", file, "--config", file)
    assert (status, error) == (2, f"error: --config must be one file, got {file} and {file}\n")


def test_the_file_in_the_documents_is_one(request, config, plan_of):
    text = (request.config.rootpath / "docs" / "config-file.md").read_text()
    plan = plan_of("--config", config(text.partition("```yaml\n")[2].partition("```")[0]))
    assert (plan.search, plan.trials, plan.budget.max_epochs, plan.resources.time_limit_s) == ("optuna", 40, 20, 600)
    assert plan.space["clip"] == [1, None]


@pytest.mark.parametrize(
    ("options", "search", "told"),
    [
        (["--trials", "20"], "optuna", f"--trials 20 means {WHY}"),
        (["--sampler", "gp"], "optuna", f"--sampler gp means {WHY}"),
        (["--space", "{}"], "optuna", "a range of lr means --search optuna, since a grid needs lists of values"),
        (["--search", "optuna", "--trials", "20", "--space", "{}"], "optuna", None),
        (["--smoke"], "grid", None),
    ],
)
def test_what_only_optuna_can_do_means_optuna_and_says_so(planned, config, caplog, options, search, told):
    file = str(config("lr: {low: 0.1, high: 0.2}\n", "space.yaml"))
    plan = planned(*(option.replace("{}", file) for option in options))
    assert plan.search == search
    assert [record.getMessage() for record in caplog.records] == ([told] if told else [])


def test_an_option_that_may_be_repeated_takes_a_list(config):
    parser = Parser(argument_default=argparse.SUPPRESS)
    parser.add_argument("--try", action="append", dest="tried")
    file = config("try:\n  - {lr: 0.003, clip: none}\n  - hidden_size=96\n")
    assert config_file.read(file).options(parser, lambda name: None) == {
        "tried": ["lr=0.003 clip=none", "hidden_size=96"]
    }
    assert config_file.read(config("try: lr=1e-3")).options(parser, lambda name: None) == {"tried": ["lr=1e-3"]}
