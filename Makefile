# Two commands matter: `make run` and `make test`. Both install what they miss on Debian and Ubuntu.
SHELL := /bin/bash
.DEFAULT_GOAL := help
ARGS ?=
ONLY ?= core
LONG ?=
PEERS ?=

SECONDS_EACH = $(or $(SECONDS),15)
SOAK_HOURS = $(or $(HOURS),72)

.PHONY: help run test vendors page page-test figures endure soak strength package windows smoke fuzz fmt lint docs deny openapi kanji fhir deps-build deps-test

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: deps-build ## Start the sandbox: daemon, simulated central system, simulated card (ARGS=--once: one check, then exit)
	cargo run --quiet --locked -p harness --bin sandbox -- $(ARGS)

test: deps-test ## Everything: unit, contract, scenarios, real pcscd with virtual readers, OpenSC
	cargo build --locked --workspace --bins
	cargo test --locked --workspace --all-targets

vendors: deps-build ## What a vendor does: samples, generated clients and schemathesis against the sandbox (LONG=1: longer)
	tests/vendors/run $(if $(LONG),--long,)

page: ## Build the front-desk page anew from its sources and the contract (api/page/dist, which is committed)
	@command -v npm >/dev/null || deploy/install-deps.sh page
	cd api/page && npm ci --silent --no-audit --no-fund --ignore-scripts && npm run --silent types && npm run --silent build

page-test: ## The front-desk page in Chromium: screens, personas, keyboard, behaviour, hostile pages, speed
	tests/page/run

figures: deps-test ## Print `figure <name> <value>` lines (ONLY=core, card, store, upstream, folders, operation, api or page; LONG=1: more rounds; PEERS=1: api against other programs, too)
ifeq ($(ONLY),page)
	tests/page/run --figures
else
	@# In one go: apart, the two would build what they share with other features, twice.
	cargo build --quiet --locked --release -p daemon --bin shikakud -p harness --bin figures $(if $(filter core,$(ONLY)),--bin sim-card) $(if $(filter store upstream,$(ONLY)),--bin store-worker) $(if $(filter api,$(ONLY)),--bin api-limit)
	target/release/figures --only $(ONLY) $(if $(LONG),--long,) $(if $(PEERS),--peers,)
	@# What only the package can show: how long it takes to install, how far its unit is shut in, whether it builds the same twice.
	@$(if $(filter operation,$(ONLY)),[ ! -x deploy/figures-package ] || deploy/figures-package $(if $(LONG),--long,))
endif

endure: deps-test ## The debug build under work: fifty stops, each within 5 s, and a soak of a minute and a half in which nothing grows
	cargo build --locked --workspace --bins
	target/debug/figures --stops
	target/debug/figures --soak 0.025

soak: deps-test ## The shipped program under a day's work for HOURS=72: memory, descriptors, threads, slowest answer; fails if anything grew
	cargo build --quiet --locked --release -p daemon --bin shikakud -p harness --bin figures
	target/release/figures --soak $(SOAK_HOURS)

strength: deps-test ## How strong the tests are, in an hour or two: lines they run; small faults in sign-in, retention and audit they notice (ARGS=--sample 10)
	tests/strength coverage
	tests/strength mutants $(ARGS)

package: ## Debian packages for release, with licences and SBOM, into target/debian
	deploy/package --auditable target/debian

windows: ## The program and installer for Windows, tried in Wine: MSI, service, HTTP, TLS, a check, backup, removal (needs root; ARGS=--fast: without optimisation)
	deploy/windows/check $(ARGS)

smoke: ## Debian packages of the debug build: judged, then installed, upgraded and removed on a clean Debian 12 (needs root; LONG=1: built twice, the same bytes)
	cargo build --locked --workspace --bins
	rm -rf target/smoke
	deploy/package --fast --binaries target/debug target/smoke
	deploy/check-package
	$(if $(filter 0,$(shell id -u)),,sudo )deploy/smoke target/smoke
	$(if $(LONG),deploy/reproducible)

fuzz: deps-build ## Run every libFuzzer target (SECONDS=15 each); installs cargo-fuzz if it is missing
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz --version 0.13.2
	@set -e; cd tests/fuzz; export RUSTC_BOOTSTRAP=1; cargo fuzz build --fuzz-dir . --sanitizer none; \
	for target in $$(cargo fuzz list --fuzz-dir .); do \
	  found=$$(mktemp -d); \
	  cargo fuzz run --fuzz-dir . --sanitizer none $$target $$found corpus/$$target -- -max_total_time=$(SECONDS_EACH) -timeout=5 -print_final_stats=1; \
	  rm -rf $$found; \
	done

fmt: ## Format
	cargo fmt --all

lint: deps-build ## Formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs: deps-build ## Build the documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

deny: ## Licences, bans and sources of the dependencies
	@# Everything the lock names, also for Windows; the check itself asks nobody.
	cargo fetch --locked --quiet
	cargo deny --offline check licenses bans sources

openapi: deps-build ## Write openapi.yaml and the tables of problems anew from the code
	UPDATE_OPENAPI=1 cargo test --locked -p harness --test it -- openapi_yaml tables_of_problems

kanji: deps-build ## Pack the reviewed tables of kanji reduction anew
	UPDATE_KANJI=1 cargo test --locked -p harness --test it the_packed_table

fhir: ## Judge the FHIR documents of the tests by validators that are not ours
	tests/tools/fhir/check.sh

deps-build:
	@deploy/install-deps.sh build

deps-test:
	@deploy/install-deps.sh test
