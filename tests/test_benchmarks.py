"""The benchmarks' command line."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repeats", "0"], "argument --repeats: must be a whole number >= 1, got '0'"),
        (["--trials", "100,1"], "argument --trials: must be a whole number >= 2, got '1'"),
        (["steps"], "no benchmark steps; they are step, agreement, "),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, monkeypatch, capsys, request):
    monkeypatch.syspath_prepend(request.config.rootpath / "benchmarks")
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as end:
        importlib.import_module("run").main()
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert message in error
    assert error.count("\n") == 1
