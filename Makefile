# Latentia: every target builds what it needs in .venv; nothing is installed outside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNS ?= runs
# uv installs faster than pip but does not read pip's configuration; where pip has wheels on disk, uv is told
FIND_LINKS := $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)

.PHONY: help demo test test-full lint docs pictures screenshots bench clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(call install,-e .)
	@touch $@

$(VENV)/dev: $(VENV)/base
	$(call install,-e ".[dev]")
	@touch $@

# installs with uv where that can be had, else with pip; always under the tested versions
define install
	@( test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv ) && \
	  UV_FIND_LINKS="$(FIND_LINKS)" $(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt $(1) \
	  || $(BIN)/python -m pip install -q -c constraints.txt $(1)
endef

demo: $(VENV)/base  ## train an autoencoder on 1,797 real digits and draw its pictures: about three minutes with the installation
	$(BIN)/latentia train digits --runs $(RUNS) --epochs 100
	@echo "Open the pictures named above; then try: $(BIN)/latentia train mnist"

test: $(VENV)/dev  ## install what the tests need and run them, in parallel
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-full: $(VENV)/dev  ## all tests, the long campaigns too
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(VENV)/dev  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/dev  ## build the documentation, which asks for nothing from the network
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

pictures: $(VENV)/dev  ## run README, tutorial and walk-through anew: their output and pictures (needs MNIST; half an hour)
	$(BIN)/python docs/make_pictures.py

screenshots: $(VENV)/dev  ## photograph report, comparison and explorer, from real runs (needs MNIST and Chromium)
	$(BIN)/python docs/screenshots.py

bench: $(VENV)/dev  ## measure speed beside the usual script and pythae (needs MNIST and a quiet machine, half an hour), and write the README's table
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/crossvalidation.py --epochs 3 --rounds 1
	$(BIN)/python benchmarks/table.py

clean:  ## remove the environment and what tools left behind
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
