# Every target works on a fresh machine with Python 3.11+ and make alone.
PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv
UV_VERSION := 0.13.9
# PySpark has a separate environment, because pandera imports it at every start if it is installed.
SPARK := .venv-spark
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_COMPILE_BYTECODE := 1
export DAGSTER_DISABLE_TELEMETRY := 1
# Every process that a test starts would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run portal test test-slow test-spark test-long check docs sbom ui clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml uv.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 install"; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV) || $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) sync --quiet --locked --inexact
	touch $@

run: install
	test -d data/inbox || $(VENV)/bin/harmonia simulate --out data --seed 20150301 --start 2012 --years 2 --cases-per-year 100 --noise typical
	$(VENV)/bin/harmonia run --inbox data/inbox --home data/home
	@echo "To work with it in a browser: make portal, or $(VENV)/bin/harmonia portal --inbox data/inbox --home data/home --demo"

portal: install
	$(VENV)/bin/harmonia portal --inbox data/inbox --home data/home --demo

test: install
	$(VENV)/bin/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder -m "not (slow or long or spark)"

test-slow: install test-spark
	HARMONIA_TEST_VOLUME=whole $(VENV)/bin/python -m pytest -q -n auto --dist loadfile --durations=60 -m "(slow or hypothesis) and not (long or spark)"

# Needs Java 17.
test-spark: $(SPARK)/.installed
	$(SPARK)/bin/python -m pytest -q -m spark tests/unit/test_linkage_spark.py tests/pipeline/test_spark_run.py

$(SPARK)/.installed: $(VENV)/.installed
	UV_PROJECT_ENVIRONMENT=$(SPARK) $(UV) sync --quiet --locked --inexact --extra spark
	touch $@

test-long: install
	$(VENV)/bin/python -m pytest -q -m long

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

# The site in site/, with search; a dead link or a page that no list names is an error.
docs: install
	$(UV) sync --quiet --locked --inexact --group docs
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict
	@echo "open site/index.html"

# Every package with version and hash, CycloneDX; then known vulnerabilities, where their database can be reached.
sbom: install
	$(UV) export --quiet --locked --no-dev --format cyclonedx1.5 --output-file sbom.json
	@$(UV) audit --locked || echo "not audited: the database of vulnerabilities was not reached, or it has some (above)"

ui: install
	$(VENV)/bin/harmonia ui --inbox data/inbox --home data/home

clean:
	rm -rf data site
