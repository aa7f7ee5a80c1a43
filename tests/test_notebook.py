"""The notebook in docs/ runs, cell by cell."""

import json
import os

import pytest


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_every_cell_of_the_notebook_runs(request, tmp_path, monkeypatch):
    notebook = json.loads((request.config.rootpath / "docs" / "notebook.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, cell in enumerate(cells, 1):
        exec(compile(cell, f"cell {number}", "exec"), names)
    assert names["result"].report.is_relative_to(tmp_path)
    assert len(names["errors"]) == len(names["beats"]) == len(names["codes"])
    assert os.listdir(tmp_path) == ["results"]
