# The two commands are `make demo` and `make test`; everything they need is set up on the way.
CARGO ?= cargo
BALLAST = target/debug/ballast
# One feature set for everything, here and in `test`: cargo builds the heavy crates again for each choice of packages, and
# once more where no example or test asks for what only those need.
BUILD = $(CARGO) build --workspace --example watch
KEEPER_KEY = target/keeper/key.json

# One draw for every run of `make test`, so that a red one is about the change: try others with BALLAST_SEED=… make unit.
export BALLAST_SEED ?= 1

.PHONY: help program build demo localnet keeper judge chaos soak load all-targets test lint unit idl docs api-docs wasm ts ts-check demo-short test-validator compute fuzz clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

program: ## The programs as SBPF v3 files in target/deploy
	scripts/build-program

build: program ## Those, the ballast command and the keeper
	$(BUILD) --bin ballast --bin ballast-keeper

demo: build ## Trade, fund, liquidate, govern on an embedded local validator, with ballast-keeper; ARGS="…" passes options on
	$(BALLAST) demo $(ARGS)

localnet: build ## A local validator with a ready exchange, until Ctrl-C
	$(BALLAST) localnet $(ARGS)

keeper: build ## A keeper against `make localnet` in another terminal; ARGS="…" passes options on
	@mkdir -p target/keeper
	@if [ -f $(KEEPER_KEY) ]; then $(BALLAST) -u l -k $(KEEPER_KEY) faucet 1; \
	else $(BALLAST) -u l faucet 1 --new-wallet $(KEEPER_KEY); fi
	target/debug/ballast-keeper run --config keeper.sample.toml $(ARGS)

all-targets: program
	$(CARGO) build --workspace --all-targets

test: lint unit idl docs demo-short ## All that must pass; the TypeScript client, which needs Node, by ts-check

lint: ## Formatting and lints, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

unit: all-targets ## Engine properties, the SBPF files under a real bank and LiteSVM, the compute table
	RUST_LOG=off $(CARGO) test --workspace

idl: ## The committed IDL is the program's
	scripts/idl --check

docs: all-targets ## The generated documents are up to date
	$(BALLAST) docs parameters --check docs/PARAMETERS.md
	$(BALLAST) docs funding --check --out docs/funding.svg --page docs/FUNDING.md

api-docs: ## The engine's own documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps -p ballast-engine

wasm: ## The engine's quotes as WebAssembly, for the TypeScript client
	scripts/build-wasm

ts: ## Write the TypeScript client again from the IDL
	scripts/ts generate

ts-check: all-targets wasm ## The TypeScript client is up to date, compiles, and does what it says on a local validator
	scripts/ts check
	scripts/ts build
	scripts/ts test

demo-short: all-targets ## The demo over RPC, short form, and over recorded prices where BALLAST_PRICES names some
	$(BALLAST) demo --short --report target/demo-short.json
	$(BALLAST) demo --scenario governance --report target/demo-governance.json
	$(BALLAST) demo --scenario bankruptcy --report target/demo-bankruptcy.json
	$(if $(BALLAST_PRICES),$(BALLAST) demo --prices $(BALLAST_PRICES) --minutes 60 --report target/demo-recorded.json)

test-validator: all-targets ## The end-to-end suite on Agave's own validator
	BALLAST_AGAVE_VALIDATOR="$$(scripts/agave-validator)" BALLAST_TEST_AGAVE=1 $(CARGO) test --workspace --test main agave -- --test-threads=1
	BALLAST_AGAVE_VALIDATOR="$$(scripts/agave-validator)" $(BALLAST) demo --validator agave --short --report target/demo-agave.json

judge: ## How fast a keeper judges 50,000 accounts
	$(CARGO) run --release -q -p ballast-client --no-default-features --example judge

chaos: all-targets ## Two keepers and 500 traders through a crash, while sockets, a keeper and the validator fail
	RUST_LOG=off $(CARGO) test --workspace --test keeper -- --ignored --nocapture chaos

soak: all-targets ## A keeper at work for half an hour: its memory and its latency
	RUST_LOG=off nice $(CARGO) test --workspace --test keeper -- --ignored --nocapture soak

load: all-targets ## Trades a second on the local validator, in one market and over eight
	RUST_LOG=off $(CARGO) test --workspace --test keeper -- --ignored --nocapture load

compute: program ## Measure compute units again and write docs/COMPUTE.md and docs/compute.json
	BALLAST_WRITE_COMPUTE=1 RUST_LOG=off $(CARGO) test --workspace --test main compute

fuzz: ## Fuzz the engine with coverage; FOR=600 and TARGETS="exchange …" for more
	scripts/fuzz $(or $(FOR),5) $(TARGETS)

clean: ## Remove what was built here; the toolchain's cache stays
	$(CARGO) clean
