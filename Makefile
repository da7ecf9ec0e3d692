# Everything from a fresh machine: an environment in .venv, the package, the work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test coverage mutants quick clean

demo: $(VENV)/demo.installed  ## the main job on bundled real handwritten digits
	$(BIN)/caes fit digits --out runs/demo --force

test: $(VENV)/test.installed  ## linters, types, import order, the whole suite
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/test

coverage: $(VENV)/test.installed  ## the share of lines and branches that the suite reaches
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/coverage

mutants: $(VENV)/mutants.installed  ## small changes of the mathematics: which fail no test
	nice $(BIN)/python benchmarks/mutants.py

quick: $(VENV)/demo.installed  ## the paper's tables and figure, small, on the bundled digits
	$(BIN)/caes reproduce masci2011 --quick --out runs/masci2011

$(VENV)/demo.installed: pyproject.toml constraints.txt | $(VENV)
	$(INSTALL) --editable ".[digits]"
	touch $@

$(VENV)/test.installed: pyproject.toml constraints.txt | $(VENV)
	$(INSTALL) --editable ".[test]"
	touch $@

$(VENV)/mutants.installed: pyproject.toml constraints.txt | $(VENV)
	$(INSTALL) --editable ".[mutants]"
	touch $@

$(VENV):
	$(PYTHON) -m venv $(VENV)

clean:  ## take the environment away
	rm -rf $(VENV)
