# demo · test · check · format · bench, nothing else.
#
#   make demo              the demonstration association on http://127.0.0.1:8000
#   make demo NOSERVE=1    the same, without serving
#   DATABASE_URL=postgres://… make demo      the same on a PostgreSQL server
#   make test [PYTEST='-k rent']             every test, on SQLite then on PostgreSQL
#   make check             style, types, layers, migrations, translations
#   make bench             speed, as ratios to the engine's own limit

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := demo
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
READY := .venv/.ready
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard gla/locale/*/LC_MESSAGES/django.po))

.PHONY: demo test check format bench

demo: $(READY) $(CATALOGUES)
	@$(PY) manage.py demo $(if $(NOSERVE),--no-serve)

test: $(READY) $(CATALOGUES)
	@$(PY) -m tests.engines $(PYTEST)

check: $(READY) $(CATALOGUES)
	@echo '— ruff' && .venv/bin/ruff check . && .venv/bin/ruff format --check .
	@echo '— mypy' && .venv/bin/mypy
	@echo '— imports between layers' && .venv/bin/lint-imports --no-cache
	@echo '— migrations in step' && $(PY) manage.py makemigrations --check --dry-run
	@echo '— translations' && $(PY) -m pytest -q -p no:cacheprovider tests/house/test_translations.py

format: $(READY)
	@.venv/bin/ruff check --fix-only . ; .venv/bin/ruff format .

bench: $(READY) $(CATALOGUES)
	@$(PY) -m benchmarks $(BENCH)

# Made once, and again when the lock changes. uv where present, else pip.
$(READY): requirements.lock
	@python=; \
	for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$name"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "GLA needs Python 3.11 or newer, and finds: $$(python3 --version 2>&1 || true). Install it (apt-get install -y python3), or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	if ! $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "Making .venv with $$("$$python" --version)"; \
	  rm -rf .venv; \
	  if command -v uv >/dev/null; then \
	    uv venv --quiet --python "$$(command -v "$$python")" .venv; \
	  elif ! "$$python" -m venv .venv; then \
	    rm -rf .venv; \
	    echo "Python cannot make a virtual environment. Install what it lacks (apt-get install -y python3-venv), or install uv." >&2; \
	    exit 1; \
	  fi; \
	fi; \
	echo "Installing the packages of requirements.lock (a minute or so)"; \
	if command -v uv >/dev/null; then \
	  uv pip install --quiet --python $(PY) --require-hashes -r requirements.lock; \
	else \
	  $(PY) -m pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.lock | { grep -v '^Requirement already' || true; }; \
	fi
	@touch $@

# The French texts, compiled without any system package.
%.mo: %.po $(READY)
	@$(PY) -m gla.translations compile
