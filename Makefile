# Two commands to know: `make demo` shows what it does, `make test` passes the tests.

CARGO ?= cargo
SPEED ?= 3600

.PHONY: demo test bench ledger reloads oracle lint tools build

## The exporter and a stand-in of Harness in one process, until interrupted. Needs no account.
demo:
	$(CARGO) build --locked
	$(CARGO) run --quiet --locked -- demo --config.file=config.yaml --speed=$(SPEED) $(DEMO_FLAGS)

## Everything that CI checks.
test: lint
	$(CARGO) test --locked
	scripts/test-image

## What is measured, as tables for docs/benchmarks.md: how late ends are seen and for how many calls,
## which is the same on every machine, and what due times, many pipelines and one process cost on this.
bench:
	$(CARGO) bench --quiet --locked --profile=oracle --bench polling
	$(CARGO) bench --quiet --locked --bench due
	$(CARGO) bench --quiet --locked --bench process

## The exporter killed so many times at random moments, and what it sent against what it remembers.
KILLS ?= 1000
ledger:
	LEDGER_KILLS=$(KILLS) $(CARGO) test --locked --test it fault_26_killed_again -- --nocapture

## The config read again so many times under load, scraped without a pause.
RELOADS ?= 1000
reloads:
	RELOADS=$(RELOADS) $(CARGO) test --locked --test it fault_38 -- --nocapture

## Due times around every change of every clock in the world, 1990 to 2040, by two ways of reckoning.
oracle:
	$(CARGO) bench --quiet --locked --profile=oracle --bench oracle

lint: tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- $(if $(CI),-D warnings)
	$(CARGO) deny --locked check licenses bans sources

## What the tests need beside Rust: installed where that is possible, named where it is not.
tools:
	scripts/install-test-tools

build:
	$(CARGO) build --locked --release
