# What people type. The logic is in Go: tests, benchmarks and generators.
GO    ?= go
FUZZ  ?= 10s
SOAK  ?= 1h

.DEFAULT_GOAL := help
.PHONY: help build test race fuzz fault soak bench lint vuln fmt generate e2e parity conformance

help: ## show this
	@sed -n 's/^\([a-z0-9]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## build bin/hopgate
	$(GO) build -trimpath -o bin/hopgate ./cmd/hopgate

# Go gives the tests of a package ten minutes, which those of e2e take on a slow machine that does other things as well.
test: ## run all tests that need nothing but Go
	$(GO) test -timeout 30m ./...

race: ## the same under the race detector, but for e2e, whose programs are built without it
	$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -v '/e2e$$')

fuzz: ## fuzz every target for FUZZ (10s)
	$(GO) -C tools test ./fuzz
	$(GO) -C tools run ./fuzz -dir .. -time $(FUZZ)

fault: ## kill processes 200 times in each of many ways, spoil and fill what they leave; a full disk needs root
	HOPGATE_FAULT_ROUNDS=200 $(GO) test -count=1 -timeout 3h -v -run 'TestACapHolds|TestAJournalThatIsCut|TestAnOlderState' ./e2e

soak: ## open and leave sessions for SOAK (1h), and see that what they have taken comes back
	HOPGATE_SOAK=$(SOAK) $(GO) test -count=1 -timeout 3h -v -run 'TestWhatAgentsTake|TestAnIdleStream' ./e2e

bench: ## run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) -C tools/parity test -run '^$$' -bench . .

# go tool ends with 0 when the tool is killed, for want of memory say. So tools are built, and run as they are.
bin/golangci-lint bin/govulncheck: tools/go.mod
	$(GO) -C tools build -o ../bin/ tool

lint: bin/golangci-lint ## vet and lint, for other systems and in the modules of tools and peers too
	bin/golangci-lint run --build-tags e2e ./...
	$(GO) fix -tags e2e -diff ./...
	GOOS=darwin $(GO) vet -tags e2e ./...
	GOOS=windows $(GO) vet -tags e2e ./...
	$(GO) -C tools vet ./...
	$(GO) -C e2e/peers vet ./...
	$(GO) -C tools/parity vet ./...

vuln: bin/govulncheck ## look for known vulnerabilities; needs their database
	@bin/govulncheck ./...

fmt: bin/golangci-lint ## format
	bin/golangci-lint fmt ./...

# The scripts take their time, and compare with themselves in every test: go test ./cmd/hopgate -run Scripts -update
generate: ## rewrite generated files: schema, reasons, commands, golden tests
	$(GO) test ./cmd/hopgate -run 'Documented|InTheRepository' -update
	$(GO) test ./configs -update
	$(GO) test ./mcpproxy/ingress -run OnTheWire -update
	$(GO) test ./audit -run TheseBytes -update

# The tests of files that have the tag: test runs the others, for minutes.
TAGGED = $(shell grep -ho '^func Test[A-Za-z0-9_]*' $$(grep -l '^//go:build e2e$$' e2e/*_test.go) | cut -c6-)
BAR    = $(subst $() ,|,$(strip $(1)))

e2e: ## real clients and servers from npm; needs Node 20
	$(GO) test -count=1 -tags e2e -parallel 4 -timeout 45m -run '^($(or $(call BAR,$(TAGGED)),$(error no file has the tag e2e)))$$' ./e2e/...

parity: ## is a secret missed that gitleaks finds in its own texts?
	$(GO) -C tools/parity test -count=1 -timeout 30m -v -run NothingIsMissed .

conformance: ## the official suite, five times, direct and through Hopgate
	HOPGATE_CONFORMANCE_RUNS=5 $(GO) test -count=1 -tags e2e -parallel 4 -timeout 60m -run Conformance -v ./e2e/...
