"""The packages of sweeps/ are found under one name each, also where a script of that folder is started."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

HOOK = '''
"""Notes what a process has on its path and has loaded: the driver at its end, a trial's process when it trains."""

import atexit, importlib.util, json, os, sys


def note(kind):
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    files.pop("__mp_main__", None)  # another name that multiprocessing gives to __main__
    found = {name: getattr(spec(name), "origin", None) for name in os.environ["NAMES"].split()}
    content = {"kind": kind, "path": sys.path, "files": files, "found": found}
    with open(os.path.join(os.environ["NOTES"], f"{kind}-{os.getpid()}.json"), "w") as file:
        json.dump(content, file)


def spec(name):
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


class Finder:
    """Notes what a process has when it begins to train."""

    def find_spec(self, name, path=None, target=None):
        if name != "ae.training":
            return None
        sys.meta_path.remove(self)
        found = importlib.util.find_spec(name)
        run = found.loader.exec_module

        def exec_module(module):
            run(module)
            whole = module.Training.train_epoch
            module.Training.train_epoch = lambda self: note("trial") or whole(self)

        found.loader.exec_module = exec_module
        return found


sys.meta_path.insert(0, Finder())
if os.path.basename(sys.orig_argv[1]) in os.environ["SCRIPTS"].split():
    atexit.register(note, "driver")
'''


@pytest.fixture
def started(request, tmp_path):
    """Starts a script of sweeps/ as a user does; gives what its processes noted, by kind, and checks its status."""
    root = request.config.rootpath
    packages = [path.parent.name for path in (root / "sweeps").glob("*/__init__.py")]
    scripts = [path.name for path in (root / "sweeps").glob("*.py")]
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "notes").mkdir()

    def started(script, *arguments, status=0):
        own = {
            "PYTHONPATH": f"{tmp_path / 'hook'}:{root}",
            "NOTES": str(tmp_path / "notes"),
            "NAMES": " ".join([*packages, *(name.removesuffix(".py") for name in scripts)]),
            "SCRIPTS": " ".join(scripts),
        }
        command = [sys.executable, root / "sweeps" / script, *arguments]
        done = subprocess.run(
            list(map(str, command)), env=os.environ | own, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout + done.stderr
        notes = [json.loads(path.read_text()) for path in (tmp_path / "notes").iterdir()]
        return {note["kind"]: note for note in notes}

    return started


def check(note, folder):
    """The folder is not on the path, its modules are not top-level ones, and each file is loaded once."""
    assert str(folder) not in map(os.path.abspath, note["path"])
    inside = f"{folder}{os.sep}"
    assert len(note["found"]) > 15
    assert {"config", "storage", "search", "tracking", "records", "report", "engine", "pipeline"} <= set(note["found"])
    assert [name for name, file in note["found"].items() if (file or "").startswith(inside)] == []
    files = {name: file for name, file in note["files"].items() if file and os.path.abspath(file).startswith(inside)}
    assert [name for name in files if not name.startswith("sweeps") and name != "__main__"] == []
    assert [file for file, count in Counter(files.values()).items() if count > 1] == []


@pytest.mark.parametrize(
    ("command", "status", "package"),
    [
        (["run.py", "--list"], 0, "config"),
        (["run.py", "--task", "mnist-cls", "--dry-run"], 0, "config"),
        (["show.py", "--help"], 0, "config"),
        (["compare.py", "--help"], 0, "config"),
        (["replay.py", "--help"], 0, "config"),
        (["evaluate.py", "--help"], 0, "config"),
        (["apply.py", "--help"], 0, "config"),
        (["export.py", "--help"], 0, "config"),
        (["rebuild.py", "--help"], 0, "config"),
        (["show.py", "nowhere"], 2, "records"),
    ],
)
def test_a_script_finds_the_packages_beside_it_under_their_own_names(request, started, command, status, package):
    note = started(*command, status=status)["driver"]
    assert f"sweeps.{package}" in note["files"]
    check(note, request.config.rootpath / "sweeps")


@pytest.mark.slow
def test_neither_the_sweep_nor_its_trials_find_them_otherwise(request, started, tmp_path):
    few = ("--subset", 60, "--max-epochs", 1, "--trials", 1, "--search", "optuna", "--top-k", 1, "--seeds", 1)
    notes = started("run.py", "--task", "synthetic", *few, "--max-concurrent", 1, "--results", tmp_path)
    assert set(notes) == {"driver", "trial"}
    for note, package in ((notes["driver"], "pipeline"), (notes["trial"], "engine")):
        assert f"sweeps.{package}" in note["files"]
        check(note, request.config.rootpath / "sweeps")
