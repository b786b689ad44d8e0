SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup fmt check test steps lint unit docs llama sim fresh demo bench

# llama.cpp takes a C++ compiler and minutes; all but the `llama` step is checked without it.
LEAN := --workspace --no-default-features --features simulation/conformance
# The packages that hold llama.cpp, and the tests that run it.
HEAVY := --package driver-llama --package mesh-node --package system-tests \
	--features system-tests/llama
# Release: a debug build takes ten times as long for a seed.
SIM := cargo run --locked --release -q -p mesh-sim --
# What `make test` does after `setup`, in order; .ci/run times each.
STEPS := lint unit docs llama sim

help: ## Say what can be made
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

setup: ## Install what a fresh Debian machine lacks
	@.ci/setup

fmt: ## Format the sources
	cargo fmt --all

check: lint unit ## Formatting, lints, the project's own checks, all tests that need no llama.cpp

test: setup $(STEPS) ## Everything that must pass unattended

steps:
	@echo $(STEPS)

lint:
	cargo fmt --all --check
	cargo clippy --locked $(LEAN) --all-targets -- -D warnings
	cargo run --locked -q -p xtask -- all

unit:
	cargo build --locked $(LEAN) --bins && .ci/tests $(LEAN)

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked $(LEAN) --no-deps

llama:
	cargo clippy --locked $(HEAVY) --all-targets -- -D warnings && .ci/tests --package driver-llama
	RUSTDOCFLAGS="-D warnings" cargo doc --locked $(HEAVY) --no-deps
	cargo build --locked --package mesh-node
	.ci/tests --package system-tests --features system-tests/llama builtin

sim: ## The simulated mesh: answers survive, seeds are safe and replay, marks are seen, costs known
	cargo build --locked --release -p mesh-sim
	run() { $(SIM) run --checked --seed 7 --nodes 5 --kill-at 20; }; \
		first=$$(run) && second=$$(run) && echo "$$first" && \
		diff <(echo "$$first") <(echo "$$second")
	$(SIM) scenarios
	$(SIM) swarm --seeds 1000..1420
	$(SIM) marks
	$(SIM) meta --seeds 0..20
	$(SIM) bench --only start-10 --only start-50 --only failover --only late-join \
	  --only degree6-50 --only degree6-50-bare --only catch-up-10 \
	  --only catch-up-1000

# Seeds that nobody has run, for a minute; they follow the clock. What fails says how it is run
# again.
fresh:
	cargo build --locked --release -p mesh-sim
	first=$$(($$(date +%s) * 1000)) && $(SIM) swarm --seeds $$first..$$((first + 1000000)) --minutes 1

demo: ## Two nodes on this machine, one question across; ONCE=1 ends after the answer
	@tools/demo/demo.sh

bench: ## What the mesh costs, as ratios in one run; about four minutes
	cargo build --locked --release -p mesh-node --no-default-features
	cargo bench --locked -q -p system-tests --bench mesh
