# `make` builds bin/sweep; `make test` runs the quick suite; `make check` is what a commit must pass.
GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOL      = $(GO) tool -modfile=tools.mod
SOURCES   = $(shell git ls-files '*.go' | grep -v _templ.go)

.PHONY: build gen fmt lint test race slow bench check clean kernels ptxas

build: ## bin/sweep
	@mkdir -p bin
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o bin/sweep ./cmd/sweep

gen: ## *_templ.go out of *.templ
	$(GO) tool templ generate

kernels: ## trainer/kernel/cuda/ptx out of *.cu, what has changed (ALL=-all: everything); needs clang-16
	$(GO) run ./tools/ptx $(ALL)

ptxas: ## assembles that code with $SWEEP_PTXAS: no kernel may spill registers but those of tools/ptx/spills.txt
	$(GO) run ./tools/ptx -assemble sm_80,sm_90

fmt: ## format Go and templ sources
	$(TOOL) gofumpt -w $(SOURCES)
	$(GO) tool templ fmt .

lint: ## vet, staticcheck, formatting, generated files
	$(GO) vet ./...
	GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./trainer/kernel
	$(TOOL) staticcheck ./...
	@test -z "$$($(TOOL) gofumpt -l $(SOURCES))" || { echo "not formatted, run make fmt:"; $(TOOL) gofumpt -l $(SOURCES); exit 1; }
	$(GO) tool templ fmt -fail .
	$(GO) tool templ generate
	@git diff --exit-code -- '*_templ.go' || { echo "generated files differ: commit what make gen writes"; exit 1; }

test: ## the quick suite; what it leaves out is named at its end
	$(TOOL) gotestsum --format pkgname --format-hide-empty-pkg -- ./...

race: ## the race detector over the rooms with goroutines
	$(GO) test -race -short ./study/... ./storage/... ./cmd/web/...  ./trainer

slow: ## the slow suite: kills at random moments, a disk that fills up
	$(TOOL) gotestsum --format testname -- -tags slow -timeout 30m -run Slow ./cmd/sweep

bench: ## the tables of bench/README.md; PEERS: the folder that bench/peers.sh made
	$(GO) run ./bench/compare $(if $(PEERS),-peers $(PEERS))

check: lint test

clean:
	rm -rf bin
