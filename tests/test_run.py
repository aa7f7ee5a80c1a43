"""The command line: what it prints, refuses and leaves behind."""

import re
import subprocess
import sys
from dataclasses import dataclass, field, replace

import pytest
from stock_tables import prices, save, warnings_of

from ae import tasks
from ae.errors import UserError
from sweeps.config.arguments import parser


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--search", "simulated-annealing"], "--search must be one of grid, optuna, got 'simulated-annealing'"),
        (["--search", "optuna", "--sampler", "magic"], "--sampler must be one of tpe, gp, random, cmaes"),
        (["--search", "optuna", "--trials", "0"], "--trials must be >= 1, got 0"),
        (["--search", "optuna", "--trials", "2", "--top-k", "3"], "--top-k must be <= the number of trials (2), got 3"),
        (["--search", "grid", "--trials", "5"], "--trials goes with --search optuna; a grid runs all of its"),
        (["--top-k", "13"], "--top-k must be <= the number of trials (12), got 13"),
        (["--top-k", "0"], "--top-k must be >= 1"),
        (["--seeds", "0"], "--seeds must be >= 1"),
        (["--seeds", "+2"], "--seeds +2 goes with --resume; leave the + out"),
        (["--seed", "-1"], "--seed must be from 0"),
        (["--scheduler", "fast"], "--scheduler must be one of asha, asha-stop, hyperband, median, none"),
        (["--max-epochs", "0"], "--max-epochs must be >= 1"),
        (["--max-epochs", "5", "--grace-period", "6"], "--grace-period must be <= --max-epochs (5), got 6"),
        (["--eval-every", "0"], "--eval-every must be >= 1"),
        (["--reduction-factor", "1"], "--reduction-factor must be >= 2"),
        (["--subset", "0"], "--subset must be >= 1, got 0"),
        (["--cpus-per-trial", "0"], "--cpus-per-trial must be >= 1"),
        (["--gpus-per-trial", "-1"], "--gpus-per-trial must be from 0 to 1"),
        (["--device", "tpu"], "--device must be one of auto, cpu, cuda"),
        (["--device", "cpu", "--gpus-per-trial", "1"], "--gpus-per-trial must be 0 with --device cpu"),
        (["--max-concurrent", "0"], "--max-concurrent must be >= 1"),
        (["--data", "nowhere"], "nowhere: there is no such file or folder"),
        (["--data", "nowhere", "--dry-run"], "nowhere: there is no such file or folder"),
        (["--data", __file__], "test_run.py: not a folder"),
        (["--space", "nowhere.yaml"], "--space nowhere.yaml: cannot be read: No such file or directory"),
        (["--trials", "many"], "--trials must be a whole number, got 'many'"),
        (["--gpus-per-trial", "1.5"], "--gpus-per-trial must be from 0 to 1"),
        (["--device", "cuda", "--gpus-per-trial", "0"], "--gpus-per-trial must be > 0 with --device cuda"),
        (["--time-limit", "0"], "--time-limit must be > 0 and <= 1e+09 seconds, got 0"),
        (["--time-limit", "1e10"], "--time-limit must be > 0 and <= 1e+09 seconds, got 1"),
        (["--time-limit", "nan"], "--time-limit must be a duration such as 90 (seconds), 10m, 1h30, 2d or"),
        (["--core", "quick"], "--core must be one of auto, fast, stock, got 'quick'"),
        (["--search", "optuna", "--warm-start", "nowhere"], "nowhere: not the results folder of a sweep: it has no"),
        (["--core", "fast", "--device", "cuda"], "--core fast is for the CPU"),
        (["--name", "a?b", "--storage", "s3://bucket"], "--name must not contain ?, # or % when --storage is a URI"),
        (["--search", "optuna", "--trials", "+5"], "--trials +5 goes with --resume"),
        (["--resume", "nowhere", "--or-resume"], "--resume and --or-resume do not go together"),
        (["--resume", "nowhere"], "--resume nowhere: not the results folder of a sweep"),
        (["--name", "../elsewhere"], "--name must be one folder name"),
        (["--name", ".."], "--name must be one folder name"),
        (["--no-such-flag"], "no option is called --no-such-flag; --help shows all of them"),
    ],
)
def test_bad_input_is_one_line_and_status_2_and_starts_nothing(run, arguments, message):
    status, output, error, folder = run(*arguments)
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert output in ("", f"mnist-cls: reading {__file__}\n")
    assert not folder.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "1"], "--window must be >= 2, got 1"),
        (["--start", "2017-02-31"], "--start must be a day as YYYY-MM-DD, got '2017-02-31'"),
        (["--field", "open"], "the embedded sample has closing prices only"),
        (["--symbols", "AAPL,APPL"], "'APPL' is not in"),
        (["--min-days", "9000000"], "stocks left, at least 5 are needed"),
    ],
)
def test_a_task_s_own_options_are_checked_the_same_way(run, arguments, message):
    status, _, error, folder = run(*arguments, task="sp500-rec")
    assert status == 2
    assert message in error
    assert error.splitlines()[-1].startswith("error: ")
    assert not folder.parent.exists()


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Options of every type, each possibly None."""

    deviation: float = field(default=0.1, metadata={"help": "of the noise"})
    limit: float | None = field(default=None, metadata={"help": "of its size"})
    steps: int = field(default=50, metadata={"help": "of a sequence"})
    seed_of: int | None = field(default=None, metadata={"help": "the noise"})
    kind: str = field(default="white", metadata={"help": "of noise"})
    file: str | None = field(default=None, metadata={"help": "with the noise"})


def test_a_task_s_own_options_have_the_types_of_their_fields():
    own = parser(replace(tasks.find("synthetic"), options=Noise))
    typed = [f"--{name}=2" for name in ("deviation", "limit", "steps", "seed-of", "kind", "file")]
    expected = {"deviation": 2.0, "limit": 2.0, "steps": 2, "seed_of": 2, "kind": "2", "file": "2"}
    found = vars(own.parse(typed))
    assert [(found[name], type(found[name])) for name in expected] == [(x, type(x)) for x in expected.values()]
    with pytest.raises(UserError, match="--deviation must be a number, got 'much'"):
        own.parse(["--deviation", "much"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--subset", "5000"], ["--subset 5,000 is more than there is, all are used: 7 training sequences"]),
        (["--subset", "7"], []),
        (["--smoke"], []),
    ],
)
def test_a_subset_that_was_typed_larger_than_the_data_is_told(run, tmp_path, monkeypatch, caplog, options, told):
    monkeypatch.setattr("sweeps.pipeline.start._sweep", lambda plan, before, splits, *others: len(splits.train))
    table = save(prices([f"S{number:02d}" for number in range(12)]), tmp_path)
    assert run("--data", table, *options, task="sp500-rec")[0] == 7
    assert warnings_of(caplog) == told


def test_a_missing_and_an_unknown_task_name_those_that_exist(run, capsys):
    from sweeps.run import main

    assert main([]) == 2
    assert "mnist-cls" in capsys.readouterr().err
    status, _, error, _ = run(task="mnist")
    assert status == 2
    assert "no task is called 'mnist'; did you mean mnist-cls? The tasks are" in error


def test_results_are_never_overwritten(run):
    folder = run("--dry-run")[3]
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("precious")
    status, _, error, _ = run("--smoke")
    assert status == 2
    assert "exists and is never overwritten; give another --name" in error
    assert (folder / "summary.json").read_text() == "precious"


def test_a_results_place_that_cannot_be_written_is_refused(tmp_path, capsys):
    from sweeps.run import main

    (tmp_path / "file").touch()
    assert main(["--task", "mnist-cls", "--smoke", "--results", str(tmp_path / "file")]) == 2
    assert "no write access" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no Ray cluster answers"),
        (f"127.0.0.1:{10**20}", "no Ray cluster answers"),
        ("ray://host:10001", "Ray Client is not supported"),
    ],
)
def test_an_address_where_no_cluster_answers_is_bad_input(run, tmp_path, monkeypatch, address, message):
    monkeypatch.setattr("ray.is_initialized", lambda: False)  # whatever other tests have started
    status, output, error, _ = run("--smoke", "--address", address)
    assert status == 2
    assert output.endswith(f"\njoining the Ray cluster at {address}\n")
    assert message in error
    assert error.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_a_ray_that_cannot_start_is_one_line(run, monkeypatch, tmp_path):
    def refuse(**options):
        raise OSError("AF_UNIX path length\ncannot exceed 107 bytes")

    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", refuse)
    status, _, error, folder = run("--smoke")
    assert (status, error.count("\n")) == (2, 1)
    assert error.startswith("error: Ray cannot start here: AF_UNIX path length cannot exceed 107 bytes; if the machine")
    assert not folder.exists()


def test_a_dry_run_prints_the_plan_and_starts_nothing(run):
    status, output, _, folder = run("--dry-run", "--search", "optuna", "--trials", "7", "--max-epochs", "45")
    assert status == 0
    assert "7 trials chosen by Optuna (tpe)" in output
    assert "rungs at epochs 4, 8, 16, 32" in output
    assert re.search(r"^fixed +batch_size 128, init orthogonal, schedule one-cycle$", run("--dry-run")[1], re.MULTILINE)
    assert re.search(
        r"^early stop +none: there is no rung below epoch 2$", run("--dry-run", "--max-epochs", 2)[1], re.M
    )
    assert "the best 3, 3 seeds each: 45 epochs each, 405 in all; then the test split, once" in output
    assert str(folder) in output
    assert not folder.exists()
    smoke = run("--dry-run", "--smoke")[1]
    assert "3,000 training sequences" in smoke
    assert "3 epochs per trial, validated every 1" in smoke
    assert "promotes 1 of 2 at each rung; rungs at epochs 1, 2\n" in smoke
    assert "the best 2, 2 seeds each: 3 epochs each, 12 in all" in smoke
    for options, epochs in (
        ((), "1, 3 seeds each: 3,000 epochs each, 9,000 in all"),
        (("--top-k", "2"), "2, 3 seeds each: 3,000 epochs each, 18,000 in all"),
        (("--max-epochs", "700"), "1, 3 seeds each: 3,000 epochs each, 9,000 in all"),
        (("--max-epochs", "20"), "1, 3 seeds each: 20 epochs each, 60 in all"),
    ):
        assert f"the best {epochs}" in run("--dry-run", *options, task="sp500-pred")[1]


def test_list_has_one_line_per_task_and_help_has_examples(capsys):
    from sweeps.run import main

    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == tasks.names()
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "python sweeps/run.py --task mnist-cls --smoke" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--help", "--task", "sp500-rec"])
    assert "--window" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--list"], ["--task", "helper"], ["--task", "helper", "--help"]])
def test_a_file_among_the_tasks_that_is_none_is_one_line(arguments, tmp_path, monkeypatch, capsys):
    from sweeps.run import main

    (tmp_path / "helper.py").write_text("SHARED = 1\n")
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "helper.py defines no TASK" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", ["{}\n", '{"event": "asked", "time": 1}\n', "nonsense\nmore\n"])
def test_a_warm_start_from_damaged_events_is_refused_in_one_line(run, begun, content):
    older = begun(task="mnist-cls")
    (older / "events.jsonl").write_text(content)
    status, _, error, folder = run("--search", "optuna", "--trials", "2", "--top-k", "1", "--warm-start", older)
    assert status == 2
    assert "events.jsonl, line 1: " in error
    assert error.count("\n") == 1
    assert not folder.exists()


def test_the_command_line_is_read_without_ray_and_optuna(request):
    code = "import sys, sweeps.run; sys.exit(bool({'ray', 'optuna'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath).returncode == 0


def test_the_scripts_run_as_scripts(request, tmp_path):
    scripts = [
        request.config.rootpath / "sweeps" / f"{name}.py"
        for name in ("evaluate", "show", "compare", "replay", "rebuild")
    ]
    started = [
        subprocess.Popen([sys.executable, script, "--help"], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        for script in scripts
    ]
    for script, process in zip(scripts, started, strict=True):
        assert f"usage: python sweeps/{script.name} " in process.communicate()[0]
        assert process.returncode == 0


@pytest.mark.parametrize("option", ["--results", "--storage", "--data", "--warm-start", "--space"])
def test_a_tilde_after_an_equals_sign_is_the_user_s_home(planned, option, monkeypatch, tmp_path, write_idx):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx(tmp_path / "mine")
    (tmp_path / "mine" / "space.yaml").write_text("lr: [0.5, 0.25]\n")
    file = "/space.yaml" if option == "--space" else ""
    plan = planned("--search", "optuna", f"{option}=~/mine{file}")
    found = {
        "--results": plan.folder.parents[1],
        "--storage": plan.storage,
        "--data": plan.data,
        "--warm-start": plan.warm_start,
        "--space": plan.space == {"lr": [0.5, 0.25]} and tmp_path / "mine",
    }
    assert str(found[option]) == str(tmp_path / "mine")
    assert not (tmp_path / "~").exists()
