"""What people who come from other tools are likely to type wrong: one line that says what was meant."""

import importlib

import pytest

from sweeps import cli

SPACES = {
    "rate.yaml": "clip: 1\nlearning_rate: [0.001, 0.01]\n",
    "hidden.yaml": "hidden: [32, 64]\n",
    "batch.yaml": "batchsize: [32, 64]\n",
    "wandb.yaml": "lr: {min: 0.001, max: 0.01}\n",
}
RUN = [
    ("--task mnist_cls", "error: --task: no task is called 'mnist_cls'; did you mean mnist-cls? The tasks are "),
    ("--task MNIST-CLS", "error: --task: no task is called 'MNIST-CLS'; did you mean mnist-cls? The tasks are "),
    ("--task mnst-rec", "error: --task: no task is called 'mnst-rec'; did you mean mnist-rec? The tasks are "),
    ("mnist-cls --smoke", "error: 'mnist-cls' belongs to no option; write --task mnist-cls\n"),
    ("--epochs 20", "error: no option is called --epochs; did you mean --max-epochs?\n"),
    ("--max_epochs 20", "error: no option is called --max_epochs; did you mean --max-epochs?\n"),
    ("--num-trials 20", "error: no option is called --num-trials; did you mean --trials?\n"),
    ("--n-trials=20", "error: no option is called --n-trials; did you mean --trials?\n"),
    ("--num_samples 20", "error: no option is called --num_samples; did you mean --trials?\n"),
    ("--output runs", "error: no option is called --output; did you mean --results?\n"),
    ("--gpus 1", "error: no option is called --gpus; did you mean --gpus-per-trial?\n"),
    ("--workers 4", "error: no option is called --workers; did you mean --max-concurrent?\n"),
    ("--n_jobs 4", "error: no option is called --n_jobs; did you mean --max-concurrent?\n"),
    ("--sheduler asha", "error: no option is called --sheduler; did you mean --scheduler?\n"),
    ("--restore results/a", "error: no option is called --restore; did you mean --resume?\n"),
    ("\u2014trials 20", "error: no option is called \u2014trials; did you mean --trials?\n"),
    ("trials=20", "error: trials=20: an option begins with --; no option is called trials; did you mean --trials?\n"),
    ("--field open", "error: --field is an option of the tasks sp500-pred, sp500-rec; mnist-cls does not have it\n"),
    ("--watch", "error: --watch is an option of sweeps/show.py, not of this command\n"),
    (
        "--learning-rate 0.01",
        "error: learning-rate is a hyperparameter, not an option; put it into a search space (--space) as "
        "'lr: [VALUE, VALUE]'\n",
    ),
    ("--taks mnist-cls", "error: no option is called --taks; did you mean --task?\n"),
    (
        "--sampler bayes",
        "error: --sampler must be one of tpe, gp, random, cmaes, got 'bayes'; did you mean --sampler tpe?\n",
    ),
    (
        "--track tensorboard",
        "error: --track must be one of mlflow, wandb, got 'tensorboard'; TensorBoard files are always written, "
        "without an option\n",
    ),
    ("--frobnicate", "error: no option is called --frobnicate; --help shows all of them\n"),
    ("--dashboard true", "error: --dashboard takes no value, got 'true'\n"),
    ("--trials", "error: --trials needs a value; see python sweeps/run.py --help\n"),
    ("--max-epochs 0.5", "error: --max-epochs must be a whole number, got '0.5'\n"),
    ("--gpus-per-trial 0,5", "error: --gpus-per-trial must be a number, got '0,5'; write 0.5\n"),
    ("--seeds 0", "error: --seeds must be >= 1, got 0\n"),
    (
        "--time-limit 10x",
        "error: --time-limit must be a duration such as 90 (seconds), 10m, 1h30, 2d or 1:30:00 (h:mm:ss), got '10x'\n",
    ),
    (
        "--scheduler ASHA",
        "error: --scheduler must be one of asha, asha-stop, hyperband, median, none, got 'ASHA'; did you mean "
        "--scheduler asha?\n",
    ),
    (
        "--sampler TPESampler",
        "error: --sampler must be one of tpe, gp, random, cmaes, got 'TPESampler'; did you mean --sampler tpe?\n",
    ),
    (
        "--search random",
        "error: --search must be one of grid, optuna, got 'random'; did you mean --search optuna --sampler random?\n",
    ),
    ("--track w&b", "error: --track must be one of mlflow, wandb, got 'w&b'; did you mean --track wandb?\n"),
    ("--device gpu", "error: --device must be one of auto, cpu, cuda, got 'gpu'; did you mean --device cuda?\n"),
    (
        "--search grid --trials 20",
        "error: --trials goes with --search optuna; a grid runs all of its configurations: leave out --search grid, or "
        "--trials\n",
    ),
    (
        "--space rate.yaml",
        "error: rate.yaml, line 2: learning_rate: not a hyperparameter; did you mean lr? They are hidden_size, lr, "
        "clip, batch_size, init, schedule, time_features, decode, patch, latent_size, layers, dropout, noise, mix, "
        "weight_decay, average\n",
    ),
    ("--space hidden.yaml", "error: hidden.yaml, line 1: hidden: not a hyperparameter; did you mean hidden_size? "),
    ("--space batch.yaml", "error: batch.yaml, line 1: batchsize: not a hyperparameter; did you mean batch_size? "),
    (
        "--space wandb.yaml",
        "error: wandb.yaml, line 1: lr: a range has low, high, and optionally log or step, got min, max; did you mean "
        "low for min and high for max?\n",
    ),
]  # fmt: skip
OTHERS = [
    ("show", "none --wacth", "error: no option is called --wacth; did you mean --watch?\n"),
    ("show", "none --follow", "error: no option is called --follow; did you mean --watch?\n"),
    ("show", "none --watch 0", "error: --watch must be a duration > 0, got '0'\n"),
    ("show", "none --resume", "error: --resume is an option of sweeps/run.py, not of this command\n"),
    ("show", "", "error: RESULTS_DIR is missing; see python sweeps/show.py --help\n"),
    ("compare", "none other --out a.png", "error: no option is called --out; did you mean --output?\n"),
    ("replay", "none --wrokers 4", "error: no option is called --wrokers; did you mean --workers?\n"),
    ("replay", "none --workers 1,x", "error: --workers must be whole numbers >= 1, separated by commas, got '1,x'\n"),
    (
        "replay",
        "none --scheduler asha,ahsa-stop",
        "error: --scheduler must be of asha, asha-stop, hyperband, median, none, separated by commas, got 'ahsa-stop'; "
        "did you mean asha-stop?\n",
    ),
    ("evaluate", "none --dataset x", "error: no option is called --dataset; did you mean --data?\n"),
    ("rebuild", "none other", "error: 'other' belongs to no option; see python sweeps/rebuild.py --help\n"),
]


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """The current folder, with the search spaces."""
    for name, content in SPACES.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("typed", "line"), RUN)
def test_a_mistake_in_the_main_job(nowhere, shown, typed, line):
    task = () if typed.startswith(("--ta", "mnist")) else ("--task", "mnist-cls")
    check(shown(cli.main, "run", *task, *typed.split()), line)
    assert sorted(path.name for path in nowhere.iterdir()) == sorted(SPACES)


@pytest.mark.parametrize(("verb", "typed", "line"), OTHERS)
def test_a_mistake_in_another_command(nowhere, shown, verb, typed, line):
    check(shown(importlib.import_module(f"sweeps.{verb}").main, *typed.split()), line)
    assert sorted(path.name for path in nowhere.iterdir()) == sorted(SPACES)


@pytest.mark.parametrize("verb", ["run --resume", "show", "replay", "evaluate", "rebuild", "compare"])
def test_a_mistyped_results_folder(begun, shown, verb):
    folder = begun(name="wider")
    typed = folder.with_name("widder")
    status, output, error = shown(cli.main, *verb.split(), typed)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert f"{typed}: not the results folder of a sweep" in error
    assert error.endswith(f"; did you mean {folder}?\n")


def check(ended, line):
    """Exit status 2, nothing printed but the line, or one that begins so."""
    status, output, error = ended
    assert (status, output) == (2, "")
    assert error.startswith(line)
    assert error.count("\n") == 1
