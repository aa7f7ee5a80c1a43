"""The page of a sweep that has ended, in a real browser."""

from __future__ import annotations

import json
import re

import pytest

KEPT = "mnist-cls/asha"

TOO_SMALL = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const isText = walker.currentNode.textContent.trim() && !element.closest("script, style, noscript");
    if (isText && parseFloat(getComputedStyle(element).fontSize) < 12) found.push(walker.currentNode.textContent);
  }
  return found;
}"""


def rows(page):
    """The trials in the table, in order."""
    return page.eval_on_selector_all("#trials .row[data-trial]", "rows => rows.map(row => row.dataset.trial)")


def heading(page, name):
    return page.locator("#trials [role=columnheader] button", has_text=re.compile(f"^{name}"))


def center(page, selector):
    """The middle of an element that is scrolled into view."""
    element = page.locator(selector).first
    element.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = element.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box


def test_the_report_answers_first_and_needs_no_network(reader, report):
    path = report(KEPT)
    page = reader(path)
    assert page.inner_text("#result") == "0.98600 ± 0.00020"
    assert "3 seeds, each model tested once" in page.inner_text("#answer")
    assert page.locator("#answer .dots .dot").count() == 7, "three tested, three validated, one of the search"
    headings = page.eval_on_selector_all("section:not([hidden]) h2", "all => all.map(one => one.textContent)")
    assert headings[:3] == ["The answer", "Learning curves", "Trials"]
    assert headings[-1] == "How it was made"
    assert "python sweeps/run.py --task mnist-cls" in page.inner_text("#made")
    assert path.stat().st_size < 2_500_000
    assert {url.split(":")[0] for url in reader.requests} <= {"file", "data"}
    assert page.evaluate("fetch('https://example.org').then(() => 'sent', () => 'refused')") == "refused"
    reader.complaints.clear()  # the refusal itself


@pytest.mark.parametrize(("width", "dark"), [(390, False), (1400, True)])
def test_text_is_large_enough_and_nothing_is_wider_than_the_window(reader, report, width, dark):
    page = reader(report(KEPT), width=width, dark=dark)
    for section in page.locator("section:not([hidden])").all():
        section.scroll_into_view_if_needed()
        page.wait_for_timeout(150)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_SMALL) == []
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor").removeprefix("rgb(").split(",")[0]
    assert (int(shade) < 60) == dark
    assert not page.evaluate("[...document.images].filter(one => !one.alt).length")
    assert page.evaluate("[...document.querySelectorAll('.plot')].every(one => one.getAttribute('aria-label'))")


def test_pointing_at_a_curve_names_the_trial_and_a_click_opens_it(reader, report):
    page = reader(report(KEPT))
    _, _, box = center(page, "#curves .plot")
    left, right = box["x"] + 58, box["x"] + box["width"] - 18
    last = left + (right - left) * 14 / 15, box["y"] + 36  # near the top at epoch 14: the best trial
    page.mouse.move(*last)
    for down in range(0, 120, 6):
        page.mouse.move(last[0], last[1] + down)
        if page.locator("#curves .tip b").is_visible():
            break
    tip = page.inner_text("#curves .tip")
    assert "Trial 0001" in tip
    assert "lr 0.001, clip none, hidden_size 120" in tip
    page.mouse.down()
    page.mouse.up()
    assert page.inner_text("#details h2").startswith("Trial 0001")
    assert page.locator("#trials .row[data-trial='0001']").get_attribute("aria-selected") == "true"
    assert "--try 'hidden_size=120 lr=0.001 clip=none" in page.inner_text("#details pre >> nth=0")
    assert "validated from epoch 1 to 4" in page.inner_text("#details .events")
    page.keyboard.press("Escape")
    assert page.locator("#details").is_hidden()


def test_the_table_sorts_filters_and_works_by_keyboard(reader, report):
    page = reader(report(KEPT))
    best_first = rows(page)
    assert len(best_first) == 12
    assert best_first[0] == "0001"
    heading(page, "best accuracy").click()
    assert rows(page) == best_first[::-1]
    heading(page, "trial").click()
    assert rows(page) == sorted(best_first)
    page.locator("#trials [data-status=finished]").click()
    assert rows(page) == ["0001", "0002", "0003"]
    assert "3 of 12 trials" in page.inner_text("#trials")
    page.select_option("#trials select >> nth=0", "lr")
    page.fill("#trials input[aria-label=To]", "0.005")
    page.get_by_role("button", name="Add filter").click()
    assert rows(page) == ["0001"]
    page.locator("#filters .chip").click()
    assert len(rows(page)) == 3
    page.get_by_role("button", name="Clear").click()
    assert len(rows(page)) == 12
    page.focus("#trials-table")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#details h2").startswith("Trial 0001")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('#details') !== null")


def test_brushing_an_axis_filters_the_page(reader, report):
    page = reader(report(KEPT))
    _, _, box = center(page, "#space .plot")
    axis = box["x"] + box["width"] - 84
    top, bottom = box["y"] + 44, box["y"] + box["height"] - 26
    page.mouse.move(axis, top + 2)
    page.mouse.down()
    page.mouse.move(axis, top + (bottom - top) / 4, steps=5)
    page.mouse.move(axis, top + (bottom - top) / 3, steps=5)
    page.mouse.up()
    chip = page.locator("#filters .chip")
    chip.wait_for()
    assert chip.inner_text().startswith("best accuracy")
    few = rows(page)
    assert 0 < len(few) < 12
    assert few[0] == "0001"
    page.get_by_role("button", name="Clear").click()
    assert len(rows(page)) == 12


def test_switches_change_what_is_drawn(reader, report):
    page = reader(report(KEPT))
    _, _, box = center(page, "#curves .plot")

    def drawn():
        page.wait_for_timeout(250)
        return page.screenshot(clip=box)

    seen = [drawn()]
    page.locator("#curves select").select_option("loss")
    seen.append(drawn())
    page.locator("#curves [data-value=time]").click()
    seen.append(drawn())
    page.locator("#log").click()
    seen.append(drawn())
    page.get_by_role("button", name="Marks").click()
    seen.append(drawn())
    page.locator("#curves input[type=range]").fill("3")
    seen.append(drawn())
    page.locator("#theme").click()
    seen.append(drawn())
    assert len(set(seen)) == len(seen)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the choice is kept"


def test_without_javascript_the_page_still_answers(reader, report):
    page = reader(report(KEPT), javascript=False)
    words = page.inner_text("main")
    assert "0.98600 ± 0.00020" in words
    assert "lr 0.001, clip none, hidden_size 120" in words
    assert page.locator("noscript table").count() == 2


def test_the_data_of_the_page_is_that_of_the_tables(report):
    path = report(KEPT)
    text = re.search(r'<script id="data" type="application/json">(.*?)</script>', path.read_text(), re.DOTALL)[1]
    (sweep,) = json.loads(text)["sweeps"]
    lines = (path.parent / "curves.csv").read_text().splitlines()
    assert sum(len(one["e"]) for one in [*sweep["trials"], *sweep["runs"]]) == len(lines) - 1
    summary = json.loads((path.parent / "summary.json").read_text())
    assert sweep["answer"]["test"]["values"] == pytest.approx(summary["test"]["accuracy"]["values"])
    assert sweep["now"]["search"]["epochs"] == summary["search"]["epochs_trained"]
