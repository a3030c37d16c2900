# Short names for what build.sh and the go command do. build.sh is the one way
# to build; it finds Go, or installs it, or says what to do.

GO := ./build.sh exec go

.DEFAULT_GOAL := help
.PHONY: help run build plugin sidecar test trials deploy-test cluster-test scripts docs picture receivers bench fuzz chaos vet fmt fmt-check lint notice test-arm images release reproducible clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run: build ## show audit events flowing (ZITADEL_URL and ZITADEL_TOKEN: from that instance)
	@./build.sh demo
	@exec build/zitadel-siem-demo

build: plugin sidecar ## what is shipped: both plugins and the binary, into build/

plugin: ## build/in_zitadel.so and build/out_zitadel.so, the Fluent Bit plugins
	@./build.sh plugin

sidecar: ## build/zitadel-siem, one static binary
	@./build.sh sidecar

test-arm: ## both plugins for arm64, loaded by a C host in qemu-user
	@./build.sh test-arm64

images: ## build Dockerfile and Dockerfile.fluent-bit with podman, and run what is in them
	@mkdir -p build
	$(REPORT) -tags images -count 1 -v -timeout 30m ./internal/images

reproducible: ## one target of a release from two clones in different directories: the same bytes
	$(GO) -C tools/release test ./...
	@./build.sh exec tools/release/reproducible.sh

release: ## everything of a release (VERSION=v0.1.0) into build/release/VERSION/
	@./build.sh release

# What the race detector makes too slow takes a part of its cases under it, and all without it.
COMPUTES := ./parser ./internal/redact/... ./internal/events ./internal/calls
# It tests with what build.sh has built, and lists what was skipped.
REPORT := ZITADEL_SIEM_BUILT=$(CURDIR)/build $(GO) run ./internal/testkit/report
test: fmt-check build ## every test, with the race detector
	@./build.sh test-deps
	$(GO) vet ./...
	$(REPORT) -race -p 3 ./...
	$(REPORT) $(COMPUTES)
	$(REPORT) -run Verify ./cmd/zitadel-siem
	$(GO) -C dashboards/grafana vet ./...
	$(GO) -C dashboards/grafana test ./...
	@fluent_bit="$${FLUENT_BIT:-$$(command -v fluent-bit)}"; \
	if [ -n "$$fluent_bit" ]; then \
		echo "make test: all green, with the real Fluent Bit at $$fluent_bit"; \
	else \
		echo "make test: all green, WITHOUT a real Fluent Bit: its end-to-end tests were skipped (none on PATH, FLUENT_BIT not set)"; \
	fi

trials: build ## the real Fluent Bit, with every configuration that check judges, and every end
	FLUENT_BIT_TRIALS=all OWNERSHIP_TIMES=3 $(REPORT) -count 1 -run 'TestTheVerdict|TestMultiline|Ownership' ./internal/flbconf ./plugin/in_zitadel

# Helm, Kustomize and the types of Kubernetes have a go.mod of their own.
deploy-test: build ## deploy/: charts rendered, checked against Kubernetes' types, and run
	$(GO) -C deploy/test vet ./...
	ZITADEL_SIEM_BUILT=$(CURDIR)/build $(GO) -C deploy/test test -count 1 ./...

# PostgreSQL is that of the system. The server of etcd has a go.mod of its own. RACE= does without
# the race detector, with which etcd takes minutes to compile.
RACE := -race
cluster-test: build ## stores that sidecars share: a real PostgreSQL, an etcd of three members
	@./build.sh cluster-deps
	$(GO) -C internal/cluster/realtest vet ./...
	ZITADEL_SIEM_BUILT=$(CURDIR)/build $(GO) -C internal/cluster/realtest test $(RACE) -count 1 -v ./...

scripts: ## actions-scripts/*.js from actions-scripts/src
	$(GO) generate ./actions-scripts

docs: ## what is generated: lists of events and rules, index templates, tables of options
	$(GO) run ./cmd/zitadel-siem explain --docs > build/events.md && mv build/events.md docs/events.md
	$(GO) run ./cmd/zitadel-siem detect --docs > build/detections.md && mv build/detections.md docs/detections.md
	$(GO) test ./internal/schema -run TestTemplate_ -update
	$(GO) test ./cmd/zitadel-siem -run Docs -update

# The recorder has a go.mod of its own. TZ: the times on the screen.
picture: build ## docs/demo.svg, a recording of what make run shows
	@./build.sh demo
	$(GO) -C tools/picture test ./...
	$(GO) -C tools/picture build -o $(CURDIR)/build/picture .
	TZ=UTC build/picture -o docs/demo.svg -title "make run" build/zitadel-siem-demo --for 12s

# VictoriaLogs, Loki and Kafka have a go.mod each, so that they are no dependencies of the program.
# The first build of Loki takes long.
receivers: build ## what Fluent Bit sends, found in a real VictoriaLogs, Loki and Kafka broker
	$(GO) -C conf/receivers test -count 1 ./...
	$(GO) vet -tags receivers ./conf
	$(REPORT) -tags receivers -count 1 -timeout 60m -run 'TestLoki_TheRealOne|TestKafka_TheRealProtocol' ./conf

bench: ## the benchmarks of docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchmem ./...

# A few seconds for each target find new problems; they prove nothing. FUZZTIME=1m takes longer.
FUZZTIME ?= 10s
fuzz: ## every fuzz target for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null || exit 1; \
		done; \
	done

# A few seconds of it are part of make test. CHAOS_SEED repeats a run.
CHAOS_MINUTES ?= 1
chaos: ## a minute of kills, full disks, clock jumps, broken networks: nothing may be lost
	@./build.sh test-deps
	CHAOS_MINUTES=$(CHAOS_MINUTES) $(GO) test ./internal/chaos -run Chaos -count 1 -v \
		-timeout "$$(($$(printf '%.0f' $(CHAOS_MINUTES)) + 20))m"

vet: ## go vet
	$(GO) vet ./...

fmt: ## gofmt, in place
	$(GO) fmt ./...

fmt-check:
	@unformatted=$$(find . -path ./build -prune -o -name '*.go' -print | xargs ./build.sh exec gofmt -l) || exit 1; \
	if [ -n "$$unformatted" ]; then \
		echo "gofmt would change these files; make fmt does it:"; echo "$$unformatted"; exit 1; \
	fi

# The tools have modules of their own, so that they are no dependencies of the program.
# The first build of golangci-lint takes minutes.
TOOL = $(GO) tool -modfile=tools/$(1)go.mod
lint: fmt-check vet ## gofmt, go vet, golangci-lint, actionlint and govulncheck (needs its database)
	$(GO) -C tools vet ./...
	$(call TOOL,lint/) golangci-lint run ./...
	$(call TOOL,actionlint/) actionlint
	@if found=$$($(call TOOL,) govulncheck ./... 2>&1); then echo "$$found"; else \
		echo "$$found"; \
		case "$$found" in \
		*"fetching vulnerabilities"*) echo "make lint: govulncheck did NOT run: it cannot reach its database" ;; \
		*) exit 1 ;; \
		esac; \
	fi

# A test compares NOTICE with the modules that are linked; this finds out their licences.
notice: ## NOTICE, with the licences of all modules in what is shipped
	$(GO) build -C tools -o ../build/notice ./notice
	./build.sh exec build/notice -tags "$$(sed -n 's/^tags=//p' build.sh)"

clean: ## remove what was built
	@chmod -R u+w build 2>/dev/null || true
	rm -rf build
