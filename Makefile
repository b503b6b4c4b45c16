# Needs Python 3.11 or newer, make and a package registry; everything lands in .venv and data/.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
S3_DIR := data/s3
BUCKET := observatory
N ?= 3300000
# A file's tests share servers and fixtures, so they stay together; tests/conftest.py orders them.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

export PREFECT_HOME ?= $(CURDIR)/data/prefect

.DEFAULT_GOAL := help
.PHONY: help run test test-slow test-exhaustive test-all lint format bench docs docs-reference lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# Two stamps, so that `make run` installs no test tools. pip verifies every hash.
$(VENV)/.installed: requirements.txt pyproject.toml
	@echo "environment: installing from requirements.txt into $(VENV) (about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "environment: adding the test tools of requirements-dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

run: ## observe the bundled sample, validate it, publish it to a real S3-compatible server and a folder
	@test ! -e $(VENV)/.installed || echo "environment: reused $(VENV)"
	@$(MAKE) --no-print-directory $(VENV)/.installed
	@$(BIN)/python -m infra.s3 start --dir $(S3_DIR); \
	trap '$(BIN)/python -m infra.s3 stop --dir $(S3_DIR)' EXIT; \
	$(BIN)/python -m infra.s3 bucket $(BUCKET) --dir $(S3_DIR) && \
	eval "$$($(BIN)/python -m infra.s3 env --dir $(S3_DIR))" && \
	$(BIN)/observatory run --sample --publish-to s3://$(BUCKET) --publish-to data/published

test: $(VENV)/.installed-dev ## the tests, but for the slow ones
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(ARGS)

test-slow: $(VENV)/.installed-dev ## the slow tests, but for the exhaustive ones
	$(BIN)/python -m pytest $(PARALLEL) -m "slow and not exhaustive" $(ARGS)

test-exhaustive: $(VENV)/.installed-dev ## a hundred kills, fifty races, a year of days: best alone on its machine
	$(BIN)/python -m pytest -m exhaustive $(ARGS)

test-all: $(VENV)/.installed-dev ## every test
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lint: $(VENV)/.installed-dev ## format check, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# dlt and the chart renderer are for the bench alone, so they too go beside the environment.
$(VENV)/bench/.installed: infra/requirements-bench.txt $(VENV)/.installed
	@echo "environment: installing the bench's peers from infra/requirements-bench.txt into $(VENV)/bench"
	@rm -rf $(VENV)/bench
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target $(VENV)/bench -r infra/requirements-bench.txt
	@touch $@

bench: $(VENV)/bench/.installed ## what each step costs on N generated models (default 3,300,000), beside its floor and its peer
	$(BIN)/python -m infra.bench --models $(N) --packages $(VENV)/bench $(ARGS)

# The site generator is for the documentation alone.
$(VENV)/docs/.installed: infra/requirements-docs.txt $(VENV)/.installed
	@echo "environment: installing the site generator from infra/requirements-docs.txt into $(VENV)/docs"
	@rm -rf $(VENV)/docs
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --target $(VENV)/docs -r infra/requirements-docs.txt
	@touch $@

docs-reference: $(VENV)/.installed ## write the reference pages: command line, settings, table of sources
	$(BIN)/python -m infra.reference

docs: $(VENV)/docs/.installed ## build the documentation site in data/site; a broken link is an error
	PYTHONPATH=$(VENV)/docs $(BIN)/python -m zensical build --clean --strict
	@echo "open data/site/index.html"

lock: ## resolve the dependencies anew (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		pyproject.toml --extra pipeline --extra checkout -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		pyproject.toml --extra pipeline --extra checkout --extra dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		infra/requirements-validators.in -c requirements-dev.txt -o infra/requirements-validators.txt \
		$$(sed -nE 's/^([A-Za-z0-9._-]+).*==.*/--no-emit-package \1/p' requirements-dev.txt | sort -u)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		infra/requirements-bi-tools.in --no-emit-package duckdb -o infra/requirements-bi-tools.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		infra/requirements-bench.in -c requirements.txt -o infra/requirements-bench.txt \
		$$(sed -nE 's/^([A-Za-z0-9._-]+).*==.*/--no-emit-package \1/p' requirements.txt | sort -u)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras \
		infra/requirements-docs.in -c requirements.txt -o infra/requirements-docs.txt \
		$$(sed -nE 's/^([A-Za-z0-9._-]+).*==.*/--no-emit-package \1/p' requirements.txt | sort -u)
	sed -i.list '/^#/d' infra/requirements-docs.txt && rm infra/requirements-docs.txt.list
	sed -i.list '/^#/d' infra/requirements-bi-tools.txt && rm infra/requirements-bi-tools.txt.list
	sed -i.list '/^#/d' infra/requirements-bench.txt && rm infra/requirements-bench.txt.list
	sed -i.list '/^#/d' infra/requirements-validators.txt && rm infra/requirements-validators.txt.list

clean: ## remove what `make run` made; the environment stays
	-@$(BIN)/python -m infra.s3 stop --dir $(S3_DIR)
	rm -rf data
