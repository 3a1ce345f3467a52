# make run   sets everything up, places a demonstration call and keeps serving
# make test  sets everything up and passes all tests
# make check formats, lints, types and import contracts; no tests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test machine check format generate lock bench clean

run: $(VENV)/runtime
	@exec $(BIN)/ringdown serve --demo

test:
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target machine check
	tests/machine/run tests/unit tests/slices
	WORKERS=3 tests/machine/run tests/wire tests/acceptance # real calls, which mostly wait

# The Debian packages that tests need.
machine:
	tests/machine/install

check: $(VENV)/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Writes the client and the reference from the OpenAPI document; a test compares.
generate: $(VENV)/development
	$(BIN)/python -m codegen.reference
	$(BIN)/python -m codegen.client
	$(BIN)/ruff format --quiet src/ringdown/client/generated
	$(BIN)/ruff check --quiet --fix src/ringdown/client/generated

bench: $(VENV)/benchmark
	$(BIN)/python -m benchmarks.first_call
	$(BIN)/python -m benchmarks.media
	$(BIN)/python -m benchmarks.conversation
	$(BIN)/python -m benchmarks.turns
	$(BIN)/python -m benchmarks.machines
	$(BIN)/python -m benchmarks.words
	$(BIN)/python -m benchmarks.knowledge
	$(BIN)/python -m benchmarks.requests
	$(BIN)/python -m benchmarks.list_calls
	$(BIN)/python -m benchmarks.webhooks
	$(BIN)/python -m benchmarks.boundary
	$(BIN)/python -m benchmarks.pacing
	$(BIN)/python -m benchmarks.chaos

# Locks name versions and hashes for every supported Python; uv only makes them, installing needs pip alone.
lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --group benchmark --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --upgrade -o requirements-benchmark.lock

$(VENV)/runtime: pyproject.toml requirements.lock
	@echo "Setting up: virtual environment and locked dependencies (about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/development: pyproject.toml requirements-dev.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/runtime

$(VENV)/benchmark: pyproject.toml requirements-benchmark.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --disable-pip-version-check --require-hashes -r requirements-benchmark.lock
	$(BIN)/pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/development $(VENV)/runtime

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
