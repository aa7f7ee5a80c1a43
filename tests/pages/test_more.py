"""Parts of the page that only some sweeps have: a task's figures, odd texts, several sweeps, failures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sweep_logs import ask, begin_session, end, plan_of, report

from ae.data.sequences.options import Options
from ae.tasks import find
from sweeps import compare
from sweeps.records.result import SweepResult
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import DIVERGED, FAILED
from sweeps.report.page import write_page
from sweeps.report.page_figures import model_figures

ROOT = Path(__file__).parents[2]


def searched(results, *options, task="synthetic-smooth"):
    """The record of a search of two trials that was interrupted."""
    log = SweepLog(plan_of(results, *options, task=task))
    begin_session(log)
    for number, name in enumerate(("0000", "0001")):
        ask(log, name, hidden_size=30 + number)
        report(log, name, 1, 0.3 - 0.1 * number, loss=0.3 - 0.1 * number)
    return log


def written(log, figures=()):
    """The page of what was recorded."""
    write_page(SweepResult(plan=log.plan, log=log, source="here", interrupted=True, total_s=1.0), figures, "")
    return log.plan.folder / "report.html"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The page of a search with the figures of an untrained model on a series with labelled anomalies and classes."""
    folder = tmp_path_factory.mktemp("drawn")
    rng, steps = np.random.default_rng(0), np.arange(600)
    series = pd.DataFrame({"time": 5 * steps, "a": np.sin(steps / 5), "b": rng.random(600), "is_anomaly": 0})
    for first in (400, 410, 550):
        series.loc[first : first + 3, "is_anomaly"] = 1
    series.to_csv(folder / "series.csv", index=False)
    rows = pd.DataFrame(rng.random((60, 9)), columns=[f"t{step}" for step in range(9)])
    rows.assign(**{"class": np.arange(60) % 3}).to_csv(folder / "rows.csv", index=False)
    log = searched(folder)
    for name, options in (
        ("series.csv", Options(window=20, normal="0", predict=True)),
        ("rows.csv", Options(classify=True)),
    ):
        task = find("sequences").with_options(options)
        splits = task.load(folder / name, options)
        torch.manual_seed(0)
        task.figures(
            task.build(replace(task.base, hidden_size=6), splits.train).eval(), splits, log.plan.folder / "figures"
        )
    return written(log, model_figures(log.plan.folder))


def test_every_figure_of_sequences_is_drawn_and_can_be_stepped_through(reader, drawn):
    page = reader(drawn)
    figures = page.locator("#model [data-figure]")
    files = figures.evaluate_all("all => all.map(one => one.dataset.figure.split('/')[1])")
    expected = {"codes", "confusion_matrix", "detection", "errors", "forecasts", "series"}
    assert {name.removesuffix(".png") for name in files} == expected | {"best_reconstructions", "worst_reconstructions"}
    for at in range(figures.count()):
        figures.nth(at).scroll_into_view_if_needed()
        page.wait_for_timeout(200)
    assert page.locator("#model canvas").count() >= 8
    assert page.locator("#model .confusion td.right").count() == 3
    worst = page.locator("[data-figure='figures/worst_reconstructions.png']")
    first = worst.locator("p.nums").inner_text()
    worst.get_by_role("button", name="Next sequence").click()
    assert worst.locator("p.nums").inner_text() != first
    assert "2 of " in worst.inner_text()
    alts = page.eval_on_selector_all("#model .plot", "all => all.map(one => one.getAttribute('aria-label'))")
    assert all(len(alt) > 30 for alt in alts)


def test_texts_of_users_are_texts_and_not_code(reader, tmp_path):
    log = searched(tmp_path)
    end(log, "0001", FAILED, reason='</script><script>document.title="stolen"</script><img src=x onerror=alert(1)>')
    page = reader(written(log))
    assert page.title() == "synthetic-smooth/sweep"
    assert page.locator("#main img").count() == 0
    page.locator("#trials .row[data-trial='0001']").click()
    assert "</script><script>document.title" in page.inner_text("#details")


def test_a_sweep_that_was_interrupted_says_so_and_shows_what_there_is(reader, tmp_path):
    log = searched(tmp_path)
    end(log, "0000", DIVERGED, reason="the loss became NaN or infinite in epoch 1")
    page = reader(written(log))
    assert "This sweep was interrupted" in page.inner_text(".notice")
    assert page.inner_text("#state") == "interrupted"
    assert "Nothing has been retrained yet" in page.inner_text("#retraining")
    assert page.locator("#model").is_hidden()
    assert page.inner_text("#result") == "0.2"


def test_compare_puts_several_sweeps_into_one_file(reader, kept, tmp_path, shown):
    path = tmp_path / "both.html"
    folders = (kept("mnist-cls/asha"), kept("mnist-cls/full"))
    status, output, _ = shown(compare.main, *folders, "--output", path, "--output", tmp_path / "both.png")
    assert status == 0
    assert output.splitlines()[-2:] == [str(path), str(tmp_path / "both.png")]
    assert path.stat().st_size < 2_500_000
    page = reader(path)
    words = page.inner_text("#sweeps")
    for told in ("93 of 180 (52 %)", "180 of 180 (100 %)", "0.98600 ± 0.00020", "early stop"):
        assert told in words
    page.select_option("header select", "1")
    page.wait_for_selector("html[data-ready]")
    assert "180 of 180 possible epochs (100 %)" in page.inner_text("#answer")


@pytest.mark.slow
def test_open_serves_the_page_beside_the_sweep_and_ends_with_it(tmp_path):
    """As a person starts it, in a process of its own, without a window to open a browser in."""
    few = ("--search", "optuna", "--trials", "2", "--subset", "60", "--max-epochs", "1", "--eval-every", "1")
    where = ("--task", "synthetic-smooth", "--results", tmp_path, "--name", "watched", "--top-k", "1", "--seeds", "1")
    command = [sys.executable, "sweeps/run.py", *where, *few, "--grace-period", "1", "--open"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    (address,) = re.findall(r"Live page: (http://127\.0\.0\.1:\d+/\S+/)$", done.stdout, re.MULTILINE)
    port = int(address.split(":")[2].split("/")[0])
    listening = f":{port:04X} "
    for _ in range(50):
        if not any(line.split()[1].endswith(listening.strip()) and line.split()[3] == "0A" for line in _sockets()):
            return
        time.sleep(0.1)
    pytest.fail("the page is still served")


def _sockets():
    return Path("/proc/net/tcp").read_text().splitlines()[1:]


def test_the_data_of_a_figure_is_what_the_picture_shows(drawn):
    text = (drawn.parent / "figures" / "confusion_matrix.json").read_text()
    facts = json.loads(text)
    assert np.array(facts["counts"]).sum() == 12
    assert facts["classes"] == ["0", "1", "2"]
    assert facts["alt"].startswith("Confusion matrix of true against predicted class.")
