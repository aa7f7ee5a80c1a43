# Everything runs in .venv, which is made on first use. PYTHON=python3.12 picks another interpreter.
PYTHON ?= python3
BIN := .venv/bin
TASK ?= mnist-cls

.PHONY: sweep bench test test-faults test-hosts lint format clean

sweep: .venv/installed
	$(BIN)/python sweeps/run.py --task $(TASK) $(ARGS)

test: .venv/installed-test lint
	$(BIN)/python -m pytest $(ARGS)

bench: .venv/installed
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python benchmarks/run.py $(ARGS)

test-faults: .venv/installed-test
	$(BIN)/python -m pytest -m faults $(ARGS)

test-hosts: .venv/installed-test
	tests/hosts.sh

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache *.egg-info

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/installed-test: pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet -e '.[test]'
	touch $@ .venv/installed
