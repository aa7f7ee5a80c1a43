# Everything runs in .venv, which is made on first use. PYTHON=python3.12 picks another interpreter.
PYTHON ?= python3
BIN := .venv/bin
TASK ?= mnist-cls

# For the cluster targets; cluster/README.md explains them.
CLUSTER ?= cluster/gpu.yaml
NAME ?= first
AUTOSCALE ?= 32
STORAGE ?= $(shell $(BIN)/python cluster/aws.py $(CLUSTER) --uri)
# Machines of your own use Ray's older autoscaler: the newer one counts the head as one of the workers to start.
V1 := $(shell grep -qs 'type: local' $(CLUSTER) && echo RAY_UP_enable_autoscaler_v2=0)
RAY := RAY_AUTH_MODE=token$(V1:%= %) $(BIN)/ray

.PHONY: sweep bench test test-faults test-cluster test-hosts lint format clean
.PHONY: cluster-up cluster-dashboard cluster-submit cluster-results cluster-down storage

sweep: .venv/installed
	$(BIN)/python sweeps/run.py --task $(TASK) $(ARGS)

test: .venv/installed-test lint
	$(BIN)/python -m pytest $(ARGS)

bench: .venv/installed
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python benchmarks/run.py $(ARGS)

test-faults: .venv/installed-test
	$(BIN)/python -m pytest -m faults $(ARGS)

test-cluster: .venv/installed-test
	$(BIN)/python -m pytest -m cluster $(ARGS)

test-hosts: .venv/installed-test
	tests/hosts.sh

cluster-up: .venv/installed
	$(BIN)/pip install --quiet -e '.[aws,gcp]'
	test -s ~/.ray/auth_token || $(BIN)/ray get-auth-token --generate > /dev/null
	$(BIN)/python cluster/check.py $(CLUSTER)
	$(BIN)/python cluster/aws.py $(CLUSTER)
	$(RAY) up --yes $(CLUSTER)

cluster-dashboard: .venv/installed
	$(RAY) dashboard $(CLUSTER)

storage:
	@test -n "$(STORAGE)" || { echo "error: give STORAGE=, the bucket or folder of the results"; exit 2; }

cluster-submit: .venv/installed storage
	$(RAY) job submit --address http://127.0.0.1:8265 --working-dir . -- python sweeps/run.py --task $(TASK) \
	  --name $(NAME) --or-resume --storage $(STORAGE) --address auto $(AUTOSCALE:%=--autoscale %) $(ARGS)

cluster-results: .venv/installed storage
	$(BIN)/python cluster/results.py $(STORAGE)/$(TASK)/$(NAME) results/$(TASK)/$(NAME)

cluster-down: .venv/installed
	$(RAY) down --yes $(CLUSTER)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
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
