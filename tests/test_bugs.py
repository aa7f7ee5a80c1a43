"""Bugs in a task's figures or in the sweep itself: what they cost, and what they say."""

import html
from dataclasses import replace

import pytest

from ae import tasks
from sweeps.run import main

SMALL = ("--subset", "300", "--max-epochs", "4", "--eval-every", "1", "--grace-period", "1", "--reduction-factor", "2")


@pytest.fixture
def broken_task(monkeypatch):
    """Lets a task's figures, baseline and remark fail, as a user's own might."""
    task = tasks.find("synthetic-smooth")

    def fail(*arguments):
        raise ValueError("a bug\nin a figure")

    broken = replace(task, figures=fail, baseline=fail, remark=fail)
    for module in ("sweeps.config.plan_file", "sweeps.config.new_plan"):
        monkeypatch.setattr(f"{module}.tasks.find", lambda name: broken)
    return broken


@pytest.mark.usefixtures("broken_task", "one_ray")
def test_a_bug_in_a_figure_costs_that_figure_and_not_the_sweep(run, summary_of):
    few = ("--search", "optuna", "--trials", "1", "--top-k", "1", "--seeds", "1", "--retrain-epochs", "1")
    status, output, error, folder = run(*SMALL, *few, task="synthetic-smooth")
    assert (status, error) == (0, "")
    assert summary_of(folder)["test"]["loss"]["values"]
    page = html.unescape((folder / "report.html").read_text())
    for said in (output, page):
        assert "ValueError: a bug in a figure (test_bugs.py:" in said
        assert "errors.log" in said
    assert (folder / "errors.log").read_text().count("Traceback (most recent call last)") >= 3
    assert (folder / "figures" / "learning_curves.png").exists()


@pytest.mark.usefixtures("one_ray")
def test_a_bug_in_the_sweep_is_one_line_with_its_place_and_exit_status_1(run, monkeypatch):
    def fail(plan, log):
        raise ValueError("not what a user typed")

    monkeypatch.setattr("sweeps.pipeline.selection.select", fail)
    few = ("--search", "optuna", "--trials", "1", "--top-k", "1", "--seeds", "1")
    status, _, error, folder = run(*SMALL, *few, task="synthetic-smooth")
    assert (status, error.count("\n")) == (1, 1)
    assert "error: the sweep failed: ValueError: not what a user typed (test_bugs.py:" in error
    assert f"the traceback is in {folder / 'errors.log'}" in error
    assert "Traceback" in (folder / "errors.log").read_text()
    monkeypatch.undo()
    assert main(["--resume", str(folder)]) == 0
