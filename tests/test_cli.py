"""`lstm-sweep COMMAND ...`, the command for use from any place."""

import pytest

from sweeps.cli import VERBS, main


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_verb(shown, option):
    status, output, error = shown(main, option)
    assert (status, error) == (0, "")
    assert [line.split()[0] for line in output.splitlines() if line.startswith("  ")] == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_of_its_own(shown, verb):
    status, output, error = shown(main, verb, "--help")
    assert (status, error) == (0, "")
    assert output.startswith("usage: ")
    assert f"{verb}.py" in output


def test_run_does_what_the_script_does(shown, tmp_path):
    from sweeps import run

    arguments = ("--task", "mnist-cls", "--results", tmp_path, "--name", "a", "--dry-run")
    by_verb = shown(main, "run", *arguments)
    assert by_verb == shown(run.main, *arguments)
    assert by_verb[0] == 0
    assert by_verb[1].startswith("task        mnist-cls: ")
    assert list(tmp_path.iterdir()) == []


def test_the_exit_status_of_a_verb_is_that_of_the_command(shown, tmp_path):
    for verb in ("show", "compare", "replay", "evaluate", "rebuild"):
        status, output, error = shown(main, verb, tmp_path / "none")
        assert (status, output) == (2, "")
        assert error.startswith(f"error: {tmp_path / 'none'}: ")
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "got"),
    [
        (["xyz"], "got 'xyz'; see lstm-sweep --help"),
        ([], "got none; see lstm-sweep --help"),
        (["trian", "--task", "mnist-cls"], "got 'trian'; did you mean lstm-sweep run?"),
        (["status"], "got 'status'; did you mean lstm-sweep show?"),
        (["--task", "mnist-cls"], "got '--task'; did you mean lstm-sweep run?"),
        (["--watch"], "got '--watch'; did you mean lstm-sweep show?"),
        (["resume", "results"], "got 'resume'; did you mean lstm-sweep run --resume?"),
    ],
)
def test_another_verb_is_one_line_and_status_2(shown, words, got):
    status, output, error = shown(main, *words)
    assert (status, output) == (2, "")
    assert error == f"error: the command must be one of {', '.join(VERBS)}, {got}\n"


def test_it_is_installed_under_that_name(request):
    tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on
    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"lstm-sweep": "sweeps.cli:main"}
