# `make demo` and `make test` need python3 >= 3.10 with venv and pip; everything else comes from the Python registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# the tests' producers need torch: this release, as its CPU build is enough and far smaller than the others
TORCH ?= torch==2.13.0
# BLAS threads and worker processes together would oversubscribe a small machine
export OMP_NUM_THREADS ?= 1
WORKERS ?= auto

.PHONY: demo test lint check docs clean

demo: $(VENV)/.demo
	$(BIN)/lutra demo -o build/demo

test: lint check

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy

check: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) -rs

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "Lutra needs Python 3.10 or later, this is " + sys.version'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sim,synth]'
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' -e '.[dev]'
	touch $@

$(VENV)/.docs: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

clean:
	rm -rf build $(VENV) site
