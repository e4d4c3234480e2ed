# Every target works on a fresh machine: it sets up .venv first where that is missing or outdated.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
LOCK   := requirements.lock
LOWEST := .venv-lowest

# Options of `make run`, for example: make run ENV=bundled RUNNER=ParallelRunner
ENV    ?=
RUNNER ?=
ARGS   ?=
RUN_OPTIONS := $(if $(ENV),--env=$(ENV)) $(if $(RUNNER),--runner=$(RUNNER)) $(ARGS)

# Nothing is sent anywhere. MLflow obeys its own variable, and DO_NOT_TRACK only where it is "true".
export DO_NOT_TRACK ?= 1
export KEDRO_DISABLE_TELEMETRY ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true

# A project folder that was moved or copied has a .venv whose scripts look for Python in the old one,
# and a Python that was removed leaves a dead link: either is built anew.
IS_HERE = import os, re, sys; found = re.search(r"(/[^\"\n]*)/python", open("$(BIN)/pip").read()); \
	sys.exit(not (found and os.path.isdir(found[1]) and os.path.samefile(found[1], "$(BIN)")))
DEAD_VENV := $(shell [ ! -e $(VENV) ] || $(BIN)/python -I -c '$(IS_HERE)' 2>/dev/null || echo yes)

.PHONY: run test test-browser report-image test-processors test-lowest lint docs format viz mlflow lock clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

run: $(VENV)/.project ## set up and run the whole pipeline on the embedded data
	$(BIN)/kedro run --pipelines=full $(RUN_OPTIONS)

test: $(VENV)/.dev ## run the test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

test-browser: $(VENV)/.dev ## run the tests of the report's page in headless Chromium
	$(BIN)/python -m pytest -m browser $(ARGS)

# Needs Chromium, and a run before it: make run.
REPORT ?= data/08_reporting/latest/report.html

report-image: ## renew the picture of a report in the documentation, from REPORT=<page>
	chromium --headless --no-sandbox --hide-scrollbars --window-size=1200,1650 \
		--screenshot=docs/images/report.png "file://$(abspath $(REPORT))"

# The numerical tests as libraries behave on other processors; each compiles the kernels anew.
PROCESSORS := Haswell:avx2:AVX2:haswell Nehalem:default:SSE4_2:nehalem
NUMERICAL  := $(addprefix tests/,baselines data engine estimators evaluation model persistence \
	preprocessing scoring speed statistics)

test-processors: $(VENV)/.dev ## run the numerical tests as on other x86 processors
	@set -e; for processor in $(PROCESSORS); do \
		set -- $$(echo $$processor | tr ':' ' '); echo "== $$1"; \
		OPENBLAS_CORETYPE=$$1 ATEN_CPU_CAPABILITY=$$2 MKL_ENABLE_INSTRUCTIONS=$$3 \
		NUMBA_CPU_NAME=$$4 NUMBA_CPU_FEATURES= NUMBA_CACHE_DIR=.numba/$$4 OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(NUMERICAL) $(ARGS); \
	done

# No bound in pyproject.toml is lower than what this has run with. The environment is a new one each
# time. PyTorch brings its CUDA packages on Linux: some 5 GB of disk.
test-lowest: ## run the test suite with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip --disable-pip-version-check install --quiet uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python \
		--resolution lowest-direct --editable ".[dev]"
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest --numprocesses=auto --dist=worksteal $(ARGS)

lint: $(VENV)/.dev ## ruff, mypy, the import contracts and bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src

docs: $(VENV)/.docs ## build the documentation into site/; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

format: $(VENV)/.dev ## let ruff format and mend the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

viz: $(VENV)/.project ## open the DAG in kedro-viz, on this machine only
	$(BIN)/kedro viz run --host=127.0.0.1 $(if $(ENV),--env=$(ENV)) $(ARGS)

mlflow: $(VENV)/.project ## open the runs in the MLflow UI, on this machine only
	@case "$$MLFLOW_TRACKING_URI" in http://*|https://*) \
		echo "Runs are on the server that MLFLOW_TRACKING_URI names: open its address."; exit 1;; \
	esac
	MLFLOW_BACKEND_STORE_URI="$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" \
		$(BIN)/mlflow server --host=127.0.0.1 --port=5000 $(ARGS)

lock: ## renew the lock file from the newest versions that pyproject.toml allows
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install torch==2.13.0
	$(VENV)-lock/bin/python -m pip install -e ".[dev,docs]"
	{ sed -n '/^#/p' $(LOCK); $(VENV)-lock/bin/python -m pip freeze --exclude-editable \
		| sed 's/+cpu$$//'; } > $(LOCK).new
	mv $(LOCK).new $(LOCK)
	rm -rf $(VENV)-lock

clean: ## remove results, tracking database, site and caches; keep raw tables and .venv
	rm -rf data/0[2-8]*/* data/paper data/suite data/benchmark mlflow.db mlflow.db.lock mlartifacts .viz site .mypy_cache .ruff_cache .pytest_cache

ifeq ($(DEAD_VENV),yes)
$(VENV)/bin/python $(VENV)/.project $(VENV)/.dev $(VENV)/.docs: FORCE
endif
.PHONY: FORCE
FORCE:

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
		"Name another one: make run PYTHON=python3.12"; exit 1; }
	@if [ -e $(VENV) ]; then \
		echo "$(VENV) was made for another place or Python; it is built anew."; fi
	$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.project: $(LOCK) pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --constraint $(LOCK) --editable ".[project]"
	@touch $@

$(VENV)/.dev: $(LOCK) pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --constraint $(LOCK) --editable ".[dev]"
	@touch $@ $(VENV)/.project

$(VENV)/.docs: $(LOCK) pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet --constraint $(LOCK) --editable ".[docs]"
	@touch $@
