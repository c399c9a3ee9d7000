# `make` builds bin/sweep; `make test` runs the quick suite; `make check` is what a commit must pass.
GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TOOL      = $(GO) tool -modfile=tools.mod
SOURCES   = $(shell git ls-files '*.go' | grep -v _templ.go)

# With GPU support: on linux/amd64 with a C compiler. Nothing of CUDA's is needed to build it or to start it.
ABI       = $(CURDIR)/trainer/device/cudaabi
CUDA     := $(shell [ "$$($(GO) env GOOS)/$$($(GO) env GOARCH)" = linux/amd64 ] && command -v $$($(GO) env CC) >/dev/null && echo yes)
CUDAENV   = CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -Wno-deprecated-declarations -I$(ABI)/include" CGO_LDFLAGS="-L$(ABI)/lib"
FAKE      = $(CURDIR)/bin/libcuda-fake.so
RACES     = $(CURDIR)/bin/libcuda-races.so
# What the tag gpu changes; and what is tested with it, on the stand-in driver.
CUDADIRS  = ./trainer/device/... ./trainer/kernel/cuda ./trainer/gpu ./cmd/sweep ./bench/gpu
PKG      ?=
RUN      ?=

.PHONY: build fake fake-races cuda-races cuda-test cuda-tag cuda-vet gen fmt lint test race slow bench check clean kernels ptxas gpu-tree gpu-check gpu-bundle

build: ## bin/sweep, with GPU support where it can be
	@mkdir -p bin
ifeq ($(CUDA),yes)
	$(CUDAENV) $(GO) build -tags gpu -ldflags "-X main.version=$(VERSION)" -o bin/sweep ./cmd/sweep
else
	@echo "without GPU support: that takes linux/amd64 and a C compiler"
	$(GO) build -ldflags "-X main.version=$(VERSION)" -o bin/sweep ./cmd/sweep
endif

fake: ## bin/libcuda-fake.so: the kernels compiled for this machine behind the functions of a driver
	@$(MAKE) -s -f trainer/device/fake/Makefile OUT=bin

fake-races: ## bin/libcuda-races.so: the same with a check of races between threads
	@$(MAKE) -s -f trainer/device/fake/Makefile OUT=bin RACES=1

cuda-races: fake-races ## whether a thread of a kernel touches what another does without a barrier between
	$(CUDAENV) SWEEP_LIBCUDA=$(RACES) SWEEP_RACES=1 $(GO) test -tags gpu -count=1 ./trainer/kernel/cuda
	$(CUDAENV) SWEEP_LIBCUDA=$(RACES) SWEEP_RACES=1 $(GO) test -tags gpu -count=1 -run TestRaces ./trainer/device ./trainer/gpu

# make cuda-test PKG=./trainer/gpu RUN=TestX runs one package.
cuda-test: fake cuda-tag ## the tests of the GPU path, on the stand-in driver
	$(CUDAENV) SWEEP_LIBCUDA=$(FAKE) $(GO) test -tags gpu -count=1 $(if $(RUN),-run '$(RUN)') $(or $(PKG),./trainer/device/... ./trainer/kernel/cuda ./trainer/gpu)
ifeq ($(PKG),)
	$(CUDAENV) SWEEP_LIBCUDA=$(FAKE) $(GO) test -tags gpu -count=1 -run CUDA ./cmd/sweep
endif

gpu-tree: build ## what gpu-check runs, in bin: programs, tests and images
	@mkdir -p bin/tests
	$(CUDAENV) $(GO) build -tags gpu -trimpath -ldflags "-s -w" -o bin/gpu ./bench/gpu
	$(CUDAENV) $(GO) test -c -tags gpu -trimpath -ldflags "-s -w" -o bin/tests/device.test ./trainer/device
	$(CUDAENV) $(GO) test -c -tags gpu -trimpath -ldflags "-s -w" -o bin/tests/kernels.test ./trainer/kernel/cuda
	$(CUDAENV) $(GO) test -c -tags gpu -trimpath -ldflags "-s -w" -o bin/tests/engine.test ./trainer/gpu
	@if [ -n "$$SWEEP_DATA" ] && bin/gpu images bin/images; then :; \
	elif [ ! -e bin/images/train.bin ]; then echo "shapes stands in for CIFAR-10: SWEEP_DATA names the folder of the real images"; bin/gpu images -name shapes bin/images; fi

gpu-check: gpu-tree ## one stage of the check of a GPU, see docs/gpu.md: make gpu-check STAGE=1, then 2, 3, 4
	bin/gpu check -stage $(or $(STAGE),1)
	@[ "$(STAGE)" != 4 ] || bin/gpu report

gpu-bundle: gpu-tree ## bin/gpu-check.tar.xz: the same for a GPU machine without network or Go
	sh bench/gpu/bundle.sh

# Gorgonia's own tag would link cuBLAS and cuDNN.
cuda-tag:
	@! git grep -n --untracked '^//go:build.*\bcuda\b' -- '*.go' || { echo "the tag of GPU support is gpu, not cuda"; exit 1; }

cuda-vet: cuda-tag ## vet and staticcheck with the tag gpu
ifeq ($(CUDA),yes)
	$(CUDAENV) $(GO) vet -tags gpu $(CUDADIRS)
	$(CUDAENV) $(TOOL) staticcheck -tags gpu $(CUDADIRS)
else
	@echo "cuda-vet: not on this machine: that takes linux/amd64 and a C compiler"
endif

gen: ## *_templ.go out of *.templ
	$(GO) tool templ generate

kernels: ## trainer/kernel/cuda/ptx out of *.cu, what has changed (ALL=-all: everything); needs clang-16
	$(GO) run ./tools/ptx $(ALL)

ptxas: ## assembles that code with $SWEEP_PTXAS: no kernel may spill registers but those of tools/ptx/spills.txt
	$(GO) run ./tools/ptx -assemble sm_80,sm_90

fmt: ## format Go and templ sources
	$(TOOL) gofumpt -w $(SOURCES)
	$(GO) tool templ fmt .

lint: cuda-vet ## vet, staticcheck, formatting, generated files
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
