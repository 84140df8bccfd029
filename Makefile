# `make demo` and `make test` do everything a fresh machine needs: Python 3.11 to 3.13 and
# a C compiler are all they ask for.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test lint docs clean

demo: .venv/ready
	$(BIN)/gansampler demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

docs: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pre-commit validate-config

# pyradiomics without pip's cache, which would hide that its source release no longer builds.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip setuptools
	$(BIN)/python -m pip install --quiet --no-cache-dir --no-deps \
		--constraint constraints.txt pyradiomics-bhklab
	$(BIN)/python -m pip install --quiet --constraint constraints.txt \
		--editable ".[dev,docs,plot,imaging,radiomics]"
	touch $@

clean:
	rm -rf .venv build dist docs/_build docs/api docs/auto_examples *.egg-info .pytest_cache .mypy_cache .ruff_cache
