"""A sweep of 10,000 trials on the page: it opens quickly, scrolls smoothly and still answers."""

from __future__ import annotations

import random

import pytest
from sweep_logs import ask, begin_session, end, plan_of, report

from sweeps.records.result import SweepResult
from sweeps.records.sweep_log import SweepLog
from sweeps.records.trials import FINISHED, STOPPED
from sweeps.report.page import write_page

TRIALS, EPOCHS, RUNGS = 10_000, 27, (1, 3, 9, 27)
FIRST_PAINT_MS, FRAME_MS = 2000, 16.7
"""What the page must keep to: a smooth animation has 60 frames a second."""

WORK = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
SCROLL = """async () => {
  const box = document.querySelector("#trials-table");
  for (let step = 0; step < 60; step += 1) {
    box.scrollTop += 120;
    await new Promise(requestAnimationFrame);
  }
}"""


def work_ms(page, script):
    """Milliseconds of script, style and layout on the page's thread, without waits: tests share their cores."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    session.send("Performance.enable")

    def worked():
        metrics = session.send("Performance.getMetrics")["metrics"]
        return sum(1000 * one["value"] for one in metrics if one["name"] in WORK)

    before = worked()
    page.evaluate(script)
    return worked() - before


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """The report of a search with halving whose curves are made up."""
    options = ("--search", "optuna", "--trials", TRIALS, "--max-epochs", EPOCHS, "--eval-every", 1, "--grace-period", 1)
    plan = plan_of(tmp_path_factory.mktemp("many"), *options, task="synthetic-smooth")
    log, draw = SweepLog(plan), random.Random(0)
    begin_session(log)
    for number in range(TRIALS):
        name, level = f"{number:04d}", next(level for level in range(4) if level == 3 or draw.random() > 1 / 3)
        ask(
            log, name, lr=10 ** draw.uniform(-4, -1), hidden_size=draw.randrange(16, 256), clip=draw.choice([None, 1.0])
        )
        for epoch in (*range(1, min(RUNGS[level], 3) + 1), *(rung for rung in RUNGS if 3 < rung <= RUNGS[level])):
            loss = draw.uniform(0.5, 1) / epoch + 0.01
            report(log, name, epoch, loss, loss=loss)
        end(log, name, FINISHED if level == 3 else STOPPED)
    write_page(SweepResult(plan=plan, log=log, source="made up", total_s=1000.0), [], "")
    return plan.folder / "report.html"


def test_ten_thousand_trials_open_within_two_seconds_and_scroll_smoothly(reader, many):
    assert many.stat().st_size < 6_000_000
    page = reader(many)
    page.wait_for_timeout(500)
    paint = page.evaluate(
        "performance.getEntriesByType('paint').find(one => one.name === 'first-contentful-paint').startTime"
    )
    assert paint < FIRST_PAINT_MS
    assert "10,000 of 10,000 trials ended" in page.inner_text("#answer")
    page.locator("#trials-table").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # charts that came into view are drawn
    assert work_ms(page, SCROLL) / 60 < FRAME_MS
    assert page.locator("#trials .row[data-trial]").count() < 60, "only the rows that can be seen are there"
    assert "curves are drawn" in page.inner_text("#curves")


def test_ten_thousand_trials_sort_and_filter_at_once(reader, many):
    page = reader(many)
    page.locator("#trials [data-status=finished]").click()
    few = page.evaluate("document.querySelectorAll('#trials .row[data-trial]').length")
    assert few > 0
    assert "of 10,000 trials" in page.inner_text("#trials")
    page.get_by_role("button", name="Clear").click()
    page.locator("#trials [role=columnheader] button", has_text="hidden_size").click()
    took = page.evaluate(
        """() => {
          const names = "#trials [role=columnheader] button";
          const button = [...document.querySelectorAll(names)].find(one => one.textContent.startsWith("lr"));
          const before = performance.now();
          button.click();
          return performance.now() - before;
        }"""
    )
    assert took < 1000
