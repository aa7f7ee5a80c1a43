"""A real browser that looks at pages as a person does; skipped where none is installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sweeps import rebuild

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def chromium():
    """One headless Chromium for all the tests of a file; BROWSER_PATH names another one.

    Not for the session: while it is open, Playwright runs an event loop in this thread, which others may need.
    """
    path = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip("no Chromium was found")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def reader(chromium):
    """Opens a page as someone who looks at it; at the end, the browser must have nothing to complain about."""
    contexts, complaints, requests = [], [], []

    def reader(address, *, width=1400, height=900, dark=False, javascript=True):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address.as_uri() if isinstance(address, Path) else address)
        if javascript:
            page.wait_for_selector("html[data-ready]")
        return page

    reader.complaints, reader.requests = complaints, requests
    yield reader
    for context in contexts:
        context.close()
    assert not complaints
    allowed = ("file:", "data:", "http://127.0.0.1:")
    assert not [url for url in requests if not url.startswith(allowed)], "a page must not leave the machine"


@pytest.fixture(scope="session")
def report(request, tmp_path_factory):
    """The page of a sweep that is kept in results/reference, as `rebuild.py` writes it now."""
    made = {}

    def report(name):
        if name not in made:
            kept = request.config.rootpath / "results" / "reference" / name
            folder = shutil.copytree(kept, tmp_path_factory.mktemp("kept") / Path(name).parent.name / Path(name).name)
            assert rebuild.main([str(folder)]) == 0
            made[name] = folder / "report.html"
        return made[name]

    return report
