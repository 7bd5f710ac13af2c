# Two commands do everything: `make demo` and `make test`. They need Python 3.11 or later, git and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROOMS  := model-build model-deploy mlflow-server local-aws
export UV_COMPILE_BYTECODE = 1
export PYTHONDONTWRITEBYTECODE =

PARAMETERS ?= cicd/parameters.yaml

.PHONY: demo test bench up down status deploy-aws destroy-aws screenshots format clean install lock

demo: $(VENV)/.installed ## the whole loop, for real, on this machine
	@$(BIN)/python -m demo

test: $(VENV)/.installed $(VENV)/scan/.installed $(VENV)/browser/.installed $(VENV)/mariadb/.installed ## lint, types, and every test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.installed ## ours against its peers, in one run
	@$(BIN)/python -m benchmarks

up down status: $(VENV)/.installed ## start, stop and show the local cloud and MLflow
	@$(BIN)/python -m demo.services $@

# Into the account that boto3 reaches: a plan first, then a question (YES=--yes answers it).
deploy-aws: $(VENV)/.installed
	@$(BIN)/python -m cicd deploy --parameters $(PARAMETERS) $(YES)

destroy-aws: $(VENV)/.installed
	@$(BIN)/python -m cicd destroy --parameters $(PARAMETERS) $(YES)

screenshots: $(VENV)/browser/.installed ## the README's pictures, after make demo and make up
	@$(BIN)/python tests/browser/screenshots.py

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## stop what runs, remove .local/ and .venv
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m demo.services down; fi
	rm -rf .local $(VENV)

install: $(VENV)/.installed

# uv lives in an environment of its own: nothing is installed outside the repository.
$(VENV)/uv/bin/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": name another by make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)/uv || { echo "Could not make a virtual environment: on Debian and Ubuntu install python3-venv."; exit 1; }
	@$(VENV)/uv/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/.installed: requirements.lock pyproject.toml $(ROOMS:%=%/pyproject.toml) | $(VENV)/uv/bin/uv
	@echo "Installing the locked packages into $(VENV) (about a minute, once)"
	@test -x $(BIN)/python || $(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	@$(VENV)/uv/bin/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(VENV)/uv/bin/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(ROOMS:%=-e ./%)
	@touch $@

# The security scanner pins other versions of what the rest needs.
$(VENV)/scan/.installed: requirements-scan.lock | $(VENV)/uv/bin/uv
	@$(VENV)/uv/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)/scan
	@$(VENV)/uv/bin/uv pip sync --quiet --python $(VENV)/scan/bin/python --require-hashes requirements-scan.lock
	@touch $@

# The browser that the tests drive: the machine's own, or one unpacked from packages.
$(VENV)/browser/.installed: $(wildcard tests/browser/*) | $(VENV)/.installed
	@$(BIN)/python tests/browser/install.py $(VENV)/browser
	@touch $@

# The MariaDB that the tests start: the machine's own, or one unpacked from packages; without one they skip.
$(VENV)/mariadb/.installed: tests/mariadb/install.py | $(VENV)/.installed
	@$(BIN)/python tests/mariadb/install.py $(VENV)/mariadb
	@touch $@

lock: $(VENV)/uv/bin/uv ## resolve the dependencies anew
	$(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate -o requirements.lock $(ROOMS:%=%/pyproject.toml) model-build/source/requirements.txt \
	  model-deploy/serving/requirements.txt --extra stack --group pyproject.toml:dev --group pyproject.toml:image
	sh mlflow-server/image/lock.sh $(VENV)/uv/bin/uv
	echo checkov==3.3.30 | $(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate -o requirements-scan.lock -
