# The two commands of a new user are `make demo` and `make test`; both set up all they need.

PYTHON ?= python3
PORT ?= 8080
DATA ?= .demo
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test screenshots soak soak-ha check lint types docs reference mutation bench bench-short profile clean
.DELETE_ON_ERROR:

setup: $(VENV)/.run-installed

# --require-hashes and --no-build-isolation: nothing unpinned is fetched, not even to build.
$(VENV)/.run-installed: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Assay needs Python 3.11 or later; set PYTHON=…" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/assay --help >/dev/null
	touch $@

$(VENV)/.dev-installed: requirements/dev.txt $(VENV)/.run-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

demo: setup
	@PORT=$(PORT) DATA=$(DATA) exec $(BIN)/python -m assay.demo

# So many processes run tests side by side: one more than the two cores of CI, for many tests wait for a process.
# Those of one file stay together, so that what they share is made once, until a process has nothing left to do.
JOBS ?= 3
test: $(VENV)/.dev-installed tests/sdk/node/node_modules/.installed
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

tests/sdk/node/node_modules/.installed: tests/sdk/node/package-lock.json tests/prepare.sh
	tests/prepare.sh

# Every page of the dashboard, at two widths, into docs/images.
screenshots: $(VENV)/.dev-installed tests/sdk/node/node_modules/.installed
	$(BIN)/python -m tests.dashboard.screenshots

# Compares the judge with two independent libraries on fresh examples, for SECONDS (or for EXAMPLES, if given), and
# then calls all that the OpenAPI document describes with made-up requests, for SECONDS as well. Then kills servers KILLS
# times under load, with one process that answers and with two, lets their disks fail, and checks what clients saw.
SECONDS ?= 600
KILLS ?= 100
soak: $(VENV)/.dev-installed
	$(BIN)/python -m tests.hostile.soak --seconds $(SECONDS) $(if $(EXAMPLES),--examples $(EXAMPLES))
	$(BIN)/python -m tests.hostile.openapi_fuzz --seconds $(SECONDS)
	$(BIN)/python -m tests.history.proof
	$(BIN)/python -m tests.history.soak --kills $(KILLS)
	$(BIN)/python -m tests.history.soak --kills $(KILLS) --workers 2
	ASSAY_TEST_PEOPLE=100000 $(BIN)/python -m pytest -q tests/acceptance/test_many_people.py

# Some 15 minutes, and root: PostgreSQL under Patroni with etcd on three hosts that are network namespaces. Its primary is
# killed FAILOVERS times and cut off CUTS times under load; then replication is asynchronous, and the loss must be found.
FAILOVERS ?= 6
CUTS ?= 4
soak-ha: $(VENV)/.dev-installed
	tests/history/prepare_ha.sh
	$(BIN)/python -m tests.history.ha --kills $(FAILOVERS) --cuts $(CUTS)

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev-installed
	$(BIN)/mypy

docs: $(VENV)/.dev-installed tests/sdk/node/node_modules/.installed
	$(BIN)/python -m pytest -q tests/docs

# Writes docs/reference anew; `make docs` fails while it is out of date.
reference: $(VENV)/.dev-installed
	$(BIN)/python docs/generate.py

# The tests of the documentation are among the tests.
check: lint types test

# Some 20 minutes: changes the judge in many small ways and shows which changes no test notices.
mutation: $(VENV)/.dev-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutation.txt
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/mutmut results

# Measures speed on a quiet machine with two cores: the server on one, the load on the other. The first time it compiles
# for some minutes. ONLY=attest,authenticate measures some rows anew; `python -m bench run --help` tells the rest.
bench: $(VENV)/.run-installed .venv-bench/.installed bench/peers/fastify/node_modules/.installed
	$(BIN)/python -m bench run $(if $(ONLY),--only $(ONLY))

# Less than a minute: the ratios of attest and authenticate.
bench-short: $(VENV)/.run-installed
	$(BIN)/python -m bench short

# Where the server spends its time under load, as a flame graph: WHAT=attest or WHAT=authenticate.
WHAT ?= attest
profile: $(VENV)/.run-installed .venv-bench/.installed
	$(BIN)/python -m bench profile $(WHAT)

.venv-bench/.installed: requirements/bench.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	touch $@

bench/peers/fastify/node_modules/.installed: bench/peers/fastify/package-lock.json bench/prepare.sh
	bench/prepare.sh

clean:
	rm -rf $(VENV) .venv-bench .bench tests/sdk/node/node_modules bench/peers/fastify/node_modules
