# demo, test, check and bench work in a fresh clone: the virtual environment is made when it is missing, and the
# package is installed into it again when a source, pyproject.toml or constraints.txt has changed.
# The installation is not editable, so that what is tested is what users get.

PYTHON ?= python3
VENV ?= .venv

BIN := $(abspath $(VENV))/bin
SOURCES := pyproject.toml constraints.txt README.md LICENSE \
	$(foreach room,io models pipeline configs,$(wildcard $(room)/*.py $(room)/*.toml $(room)/*.jinja $(room)/py.typed))
PACKAGES := reelprior.io reelprior.models reelprior.pipeline reelprior.configs
# The benchmarks run for hours: what a type checker sees must not end them. They import each other as scripts do.
BENCHMARKS := $(foreach folder,benchmarks benchmarks/peers,$(wildcard $(CURDIR)/$(folder)/*.py))
BENCHMARK_PATH := $(CURDIR)/benchmarks:$(CURDIR)/benchmarks/peers:$(CURDIR)/tests
MYPY := $(BIN)/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache

.PHONY: demo test check bench
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-demo
	$(BIN)/reelprior demo --overwrite

test: $(VENV)/.installed-dev
	$(BIN)/pytest -m "not slow" -n logical --maxprocesses 4

# mypy runs outside the root: from inside, our io/ would look like the standard library's.
check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd $(VENV) && $(MYPY) $(addprefix -p ,$(PACKAGES))
	cd $(VENV) && MYPYPATH=$(BENCHMARK_PATH) $(MYPY) $(BENCHMARKS)

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/run.py

# setuptools keeps what it once copied to build/, deleted modules too.
$(VENV)/.installed-%: $(SOURCES) | $(BIN)/python
	rm -rf build reelprior.egg-info
	$(BIN)/pip install -c constraints.txt '.[$*]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
