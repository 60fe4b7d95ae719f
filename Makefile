# wsrig: what people and CI run. `make` alone is `make bench`.

SCENARIO ?= idle-timeout
PROXY    ?=
TRIALS   ?=
RUNTIME  ?= process
ARGS     ?=
BASE     ?= main

GO ?= go
# The race detector needs a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang),-race)

.DEFAULT_GOAL := bench

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  SCENARIO=NAME|FILE   what to run (make bench): $(SCENARIO)"
	@echo "  PROXY=A,B            instead of the scenario's proxies: direct, haproxy:VARIANT, nginx:VARIANT, or a file of your own"
	@echo "  TRIALS=N             runs of each cell"
	@echo "  RUNTIME=docker       containers instead of local processes"
	@echo "  BASE=REF             git reference to compare with (make regress): $(BASE)"
	@echo "  ARGS=...             more flags of wsrig run, or of wsrig regress"

.PHONY: build
build: ## build bin/wsrig, one static binary that plays every part
	CGO_ENABLED=0 $(GO) build -o bin/wsrig ./cmd/wsrig

IMAGE ?= wsrig:dev

.PHONY: image
image: build ## pack bin/wsrig into the image wsrig:dev, without a registry
	docker build -t $(IMAGE) --target packed .

DIST            ?= dist
VERSION         ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
RELEASE_TARGETS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
# The same source, version and Go make the same bytes, on any machine and in any folder:
# no paths, no state of the checkout, and fixed processor levels.
RELEASE_BUILD := CGO_ENABLED=0 GOFLAGS= GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT= $(GO) build -trimpath -buildvcs=false

.PHONY: release
release: ## build dist/: static binaries for Linux and macOS, what each is made of, and checksums
	@mkdir -p $(DIST)
	@rm -f $(DIST)/wsrig-* $(DIST)/SHA256SUMS
	@set -e; for target in $(RELEASE_TARGETS); do \
		name=wsrig-$(VERSION)-$${target%/*}-$${target#*/}; echo "$(DIST)/$$name"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(RELEASE_BUILD) -ldflags '-s -w -X main.stamped=$(VERSION)' -o $(DIST)/$$name ./cmd/wsrig; \
		$(GO) run ./cmd/sbom $(DIST)/$$name $(VERSION) > $(DIST)/$$name.cdx.json; \
	done
	@cd $(DIST) && { sha256sum wsrig-* || shasum -a 256 wsrig-*; } > SHA256SUMS

.PHONY: deps
deps: build ## install haproxy, nginx and redis-server if they are missing; their services stay off
	bin/wsrig deps --install

.PHONY: bench
bench: build ## run a scenario (the default goal); installs what is missing
	bin/wsrig run $(SCENARIO) --install --runtime $(RUNTIME) $(if $(PROXY),--proxy $(PROXY)) $(if $(TRIALS),--trials $(TRIALS)) $(ARGS)

.PHONY: smoke
smoke: ## run the smoke scenario: does every message arrive, through every proxy?
	@$(MAKE) --no-print-directory bench SCENARIO=smoke

.PHONY: regress
regress: build ## compare the configurations of this tree with those of BASE, in one run on this machine
	bin/wsrig regress --base $(BASE) $(SCENARIO) --install --runtime $(RUNTIME) $(if $(PROXY),--proxy $(PROXY)) $(if $(TRIALS),--trials $(TRIALS)) $(ARGS)

# One package at a time: those that run real proxies under load would disturb each other.
.PHONY: test
test: ## run every test, on the real proxies and Redis where they are installed
	@$(if $(RACE),,echo "no C compiler: the tests run without the race detector")
	$(GO) test $(RACE) -p 1 -timeout 20m ./...

.PHONY: fuzz
fuzz: ## fuzz each decoder for a few seconds
	@set -e; grep -ro --include='*_test.go' 'func Fuzz[A-Za-z]*' . | sed 's|/[^/]*_test.go:func | |' | sort -u | while read -r pkg target; do \
		echo "$$pkg $$target"; $(GO) test $$pkg -run '^$$' -fuzz "^$$target\$$" -fuzztime $(or $(FUZZTIME),5s) -fuzzminimizetime 1x < /dev/null; \
	done

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

.PHONY: lint
lint: ## check formatting, vet, staticcheck, and that it builds for macOS
	@test -z "$$(gofmt -l .)" || { echo "not formatted (run make fmt):"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	GOOS=darwin $(GO) build -o /dev/null ./cmd/wsrig

.PHONY: peers-build
peers-build: build
	CGO_ENABLED=0 $(GO) build -o bin/peers/echo ./peers/echo
	CGO_ENABLED=0 $(GO) build -o bin/peers/bench ./peers/bench

# Nothing else should run meanwhile: server and generator have a core each.
.PHONY: peers
peers: peers-build ## compare wsrig loadgen with k6 and tsung on the same work; installs them where it can
	GO=$(GO) peers/install.sh bin/peers
	bin/peers/bench peers $(if $(TRIALS),-trials $(TRIALS)) $(ARGS)

.PHONY: scale
scale: peers-build deps ## hold memory, handshakes, echo, fan-out and idle totals of this machine against their targets
	bin/peers/bench scale $(if $(TRIALS),-trials $(TRIALS)) $(ARGS)

.PHONY: golden
golden: ## write the golden files, the generated scenario reference and the schema of run.json again
	$(GO) test $$(grep -rl --include='*_test.go' 'Bool("update"' . | xargs -n 1 dirname | sort -u) -update

.PHONY: clean
clean: ## remove what was built; results stay
	rm -rf bin dist
