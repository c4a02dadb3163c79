# Each target sets up what it needs: a machine with Python 3.11-3.13, git and make is enough.

PYTHON ?= $(firstword $(foreach p,python3.12 python3.13 python3.11 python3,$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] <= (3,13))' 2>/dev/null && echo $(p))))
SOURCES := $(shell git ls-files secondorder book notebooks 'benchmarks/*.json' _config.yml _toc.yml 2>/dev/null)
CHAPTERS = $(shell grep -l '^kernelspec' $(filter book/%.md,$(SOURCES)))
EXERCISES = $(filter notebooks/%_exercise.ipynb,$(SOURCES))
BOOK := _build/html/index.html
CACHE := _build/.jupyter_cache

# Small matrices, many of them: threads would only wait for each other.
export OPENBLAS_NUM_THREADS := 1

.DELETE_ON_ERROR:
.PHONY: book lab test release lint clean

book: $(BOOK)  ## build the book, warnings are errors
	@echo "The book is ready. Open file://$(CURDIR)/$(BOOK)"

lab: .venv/.lab  ## open the labs in JupyterLab, on this machine only
	.venv/bin/secondorder lab

test: .venv/.dev $(BOOK)  ## all tests, those in a browser included
	.venv/bin/pytest -n auto

lint: .venv/.dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

release: $(BOOK)  ## the built book as one zip, to be read and taught from without a network
	.venv/bin/python -m zipfile -c _build/secondorder-book.zip _build/html
	@echo "Wrote _build/secondorder-book.zip"

$(BOOK): .venv/.book $(SOURCES)
	rm -rf _build
	@mkdir -p _build && yes | .venv/bin/jcache notebook -p $(CACHE) add -r myst_nb_md $(CHAPTERS) >/dev/null
	@.venv/bin/jcache notebook -p $(CACHE) add -r nbformat $(EXERCISES) >/dev/null
	-.venv/bin/jcache project -p $(CACHE) execute -e local-parallel -t 120  # side by side; what fails is run again below, and shown
	.venv/bin/jupyter-book build . --builder html -W --keep-going -n

.venv/.%: pyproject.toml uv.lock hatch_build.py
	@test -n "$(PYTHON)" || { echo "secondorder needs Python 3.11, 3.12 or 3.13; say where with make PYTHON=/path/to/python3"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { echo "The venv module is missing: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.5"
	UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --frozen --inexact --extra $*
	@touch $@

clean:
	rm -rf _build .venv
