# The two commands are `make demo` and `make test`; everything they need is set up on the way.
CARGO ?= cargo
DEMO_PRICES = $(if $(BALLAST_PRICES),--prices $(BALLAST_PRICES) --minutes 60)

.PHONY: help build demo localnet test lint unit idl docs demo-short test-validator compute clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

build: ## The programs as SBPF v3 files in target/deploy, and the ballast command
	scripts/build-program
	$(CARGO) build -p ballast-cli

demo: build ## Trade, fund, liquidate, govern on an embedded local validator; ARGS="…" passes options on
	$(CARGO) run -q -p ballast-cli -- demo $(ARGS)

localnet: build ## A local validator with a ready exchange, until Ctrl-C
	$(CARGO) run -q -p ballast-cli -- localnet $(ARGS)

test: lint build unit idl docs demo-short ## All that must pass

lint: ## Formatting and lints, warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

unit: build ## Engine properties, the SBPF files under a real bank and LiteSVM, the compute table
	RUST_LOG=off $(CARGO) test --workspace

idl: ## The committed IDL is the program's
	scripts/idl --check

docs: build ## The generated documents are up to date
	$(CARGO) run -q -p ballast-cli -- docs parameters --check docs/PARAMETERS.md

demo-short: build ## The demo over RPC, short form
	$(CARGO) run -q -p ballast-cli -- demo --short --report target/demo-short.json
	$(if $(BALLAST_PRICES),$(CARGO) run -q -p ballast-cli -- demo $(DEMO_PRICES) --report target/demo-recorded.json)

test-validator: build ## The end-to-end suite on Agave's own validator
	BALLAST_AGAVE_VALIDATOR="$$(scripts/agave-validator)" BALLAST_TEST_AGAVE=1 $(CARGO) test -p ballast-localnet
	BALLAST_AGAVE_VALIDATOR="$$(scripts/agave-validator)" $(CARGO) run -q -p ballast-cli -- demo --validator agave --short --report target/demo-agave.json

compute: build ## Measure compute units again and write docs/COMPUTE.md and docs/compute.json
	BALLAST_WRITE_COMPUTE=1 RUST_LOG=off $(CARGO) test -p ballast-tests --test main compute

clean: ## Remove what was built here; the toolchain's cache stays
	$(CARGO) clean
