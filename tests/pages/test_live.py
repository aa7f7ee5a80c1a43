"""The live page of a sweep that runs, in a real browser: updates, reconnection, who may read it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import expect

from ae.errors import UserError
from sweeps import show
from sweeps.pipeline.live import LiveSweep
from sweeps.pipeline.serve import PageServer
from sweeps.storage.folder import locked

KEPT = "mnist-cls/asha"
ROOT = Path(__file__).parents[2]
SHIFTS = """() => {
  window.shifts = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
  }).observe({ type: "layout-shift" });
}"""


expect.set_options(timeout=60_000)


class Growing:
    """A results folder whose events are those of a kept sweep, written as if it ran now."""

    def __init__(self, folder, lines):
        self.folder, self.lines = folder, lines
        self.path, self.written = folder / "events.jsonl", 0
        self.path.write_text("")

    def write(self, until):
        """Append the events up to that number."""
        with self.path.open("a") as file:
            file.writelines(self.lines[self.written : until])
        self.written = until

    def until(self, kind, times=1):
        """How many events there are up to the n-th of a kind."""
        places = [at for at, line in enumerate(self.lines) if json.loads(line)["event"] == kind]
        return places[times - 1] + 1


@pytest.fixture
def growing(kept, tmp_path):
    """The folder of a sweep that holds its lock and has nothing but its plan."""
    folder = shutil.copytree(kept(KEPT), tmp_path / "mnist-cls" / "asha")
    (folder / "summary.json").unlink()
    (folder / "report.html").unlink()
    lines = (kept(KEPT) / "events.jsonl").read_text().splitlines(keepends=True)
    return Growing(folder, lines)


@pytest.fixture
def served():
    """Serves the pages of sweeps; closes every server at the end."""
    servers = contextlib.ExitStack()

    def served(*folders, port=None):
        server = PageServer([LiveSweep(folder) for folder in folders], port)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.callback(server.server_close)
        servers.callback(server.shutdown)
        return server

    with servers:
        yield served


def test_the_page_follows_a_sweep_from_its_first_report_to_its_last_word(reader, served, growing):
    folder = growing.folder
    with locked(folder):
        growing.write(growing.until("reported", 2))
        page = reader(served(folder).address)
        assert page.inner_text("#state") == "search"
        page.evaluate(SHIFTS)
        assert "2 running" in page.inner_text("#answer")
        page.locator("#trials .row[data-trial]").first.click()
        growing.write(growing.until("reported", 60))
        expect(page.locator("#answer")).to_contain_text("60 of 180 possible epochs")
        assert "min left" in page.inner_text("#clock")
        assert "elapsed" in page.inner_text("#clock")
        assert page.locator("#details").is_visible(), "what was selected stays selected"
        growing.write(growing.until("retraining"))
        expect(page.locator("#state")).to_have_text("retraining")
        assert page.evaluate("window.shifts") < 0.05, "nothing jumps while the sweep runs"
        growing.write(len(growing.lines))
    expect(page.locator("#state")).to_have_text("finished")
    expect(page.locator("#result")).to_have_text("0.98600 ± 0.00020")
    assert "best of the search" not in page.inner_text("#answer")
    assert page.locator("#retrained-table tr.seed").count() == 3
    assert page.locator("#model img, #model canvas").count() > 0


def test_the_page_reconnects_to_a_server_that_was_restarted_and_asks_for_what_it_missed(reader, growing):
    with locked(growing.folder):
        growing.write(growing.until("reported", 5))
        server = PageServer([LiveSweep(growing.folder)])
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = reader(server.address)
        server.shutdown()
        server.server_close()
        expect(page.locator("#state")).to_have_text("reconnecting …")
        growing.write(growing.until("reported", 40))
        again = PageServer([LiveSweep(growing.folder)], server.server_port)
        Thread(target=again.serve_forever, args=(0.05,), daemon=True).start()
        expect(page.locator("#answer")).to_contain_text("40 of 180 possible epochs")
        assert page.inner_text("#state") == "search"
        again.shutdown()
        again.server_close()
    reader.complaints.clear()  # the browser tells that a connection was refused


def test_a_reader_that_is_up_to_date_is_sent_only_what_is_new(served, growing):
    with locked(growing.folder):
        growing.write(growing.until("reported", 20))
        server = served(growing.folder)
        first = server.content()
        (nothing,) = server.after(first["live"])[1]
        assert set(nothing) == {"now"}
        growing.write(growing.until("reported", 21))
        for sweep in server.sweeps:
            sweep.refresh()
        state, (news,) = server.after(first["live"])
        assert state != first["live"]
        reported = [one for one in news["trials"] if one["e"]]
        assert [len(one["e"]) for one in reported] == [1]
        assert reported[0]["from"] == len(
            next(one for one in first["sweeps"][0]["trials"] if one["n"] == reported[0]["n"])["e"]
        )
        assert len(json.dumps(news)) < 0.5 * len(json.dumps(first))
        assert server.after("another-1")[1] is None, "a page of another sweep reads everything anew"


def answer(server, path, host=None, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_only_this_machine_with_the_token_and_the_right_host_may_read(served, kept):
    server = served(kept(KEPT))
    assert server.server_address[0] == "127.0.0.1"
    page = f"/{server.token}/"
    assert answer(server, page) == 200
    assert answer(server, page + "data") == 200
    assert answer(server, "/") == 404
    assert answer(server, "/wrong-token/") == 404
    assert answer(server, page + "../../etc/passwd") == 404
    assert answer(server, page, host="evil.example") == 403
    assert answer(server, page, host=f"localhost:{server.server_port}") == 200
    assert answer(server, page, method="POST") == 501
    assert len(server.token) >= 20


def test_a_port_that_is_taken_is_said(served, kept):
    server = served(kept(KEPT))
    with pytest.raises(UserError, match=f"--port {server.server_port} is taken"):
        PageServer([LiveSweep(kept(KEPT))], server.server_port)


def test_several_sweeps_are_on_one_page(reader, served, kept):
    server = served(kept("mnist-cls/asha"), kept("mnist-cls/full"))
    page = reader(server.address)
    table = page.inner_text("#sweeps")
    for words in ("asha", "full", "93 of 180", "180 of 180", "How their plans differ", "early stop"):
        assert words in table
    assert page.locator("#trials .row[data-trial]").count() == 12
    page.select_option("header select", "1")
    expect(page.locator("#answer")).to_contain_text("180 of 180 possible epochs")


def test_show_serves_a_sweep_that_is_stored_elsewhere_until_a_ctrl_c(kept, tmp_path):
    stored = shutil.copytree(kept(KEPT), tmp_path / "shared" / "mnist-cls" / "asha")
    plan = json.loads((stored / "plan.json").read_text()) | {"storage": f"file://{tmp_path / 'shared'}"}
    (stored / "plan.json").write_text(json.dumps(plan))
    (stored / "mirror.json").write_text(json.dumps({"session": "another"}))
    lines = (stored / "events.jsonl").read_text().splitlines(keepends=True)
    (stored / "events.jsonl").write_text("".join(lines[:20]))
    command = [sys.executable, "sweeps/show.py", f"file://{stored}", "--serve"]
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests that run in the background ignore a Ctrl-C
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=heeding) as process:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+/\S+/", process.stdout.readline())[0]
            first = epochs(address)
            (stored / "events.jsonl").write_text("".join(lines[:60]))
            end = time.monotonic() + 30
            while epochs(address) == first and time.monotonic() < end:
                time.sleep(0.5)
            assert epochs(address) > first > 0
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def epochs(address):
    """Epochs of the search, as the page's data has them."""
    with urllib.request.urlopen(address + "data", timeout=20) as answer:
        return json.load(answer)["sweeps"][0]["now"]["search"]["epochs"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("a", "b"), "b: one folder is shown; add --serve for a page of several"),
        (("a", "--port", "8300"), "--port goes with --serve; give both, or neither"),
        (("s3://bucket/task/name",), "is shown with --serve alone; add --serve"),
        (("a", "--serve", "--port", "80"), "--port must be a whole number from 1024 to 65535, got '80'"),
        (("a", "--serve"), "a: not the results folder of a sweep"),
    ],
)
def test_wrong_ways_to_serve_are_one_line(shown, arguments, said):
    status, output, error = shown(show.main, *arguments)
    assert (status, output, error.count("\n")) == (2, "", 1)
    assert said in error
