# finwait: `make` lists what there is to do. A fresh Debian or Ubuntu machine needs Go and make for it, nothing else.

SHELL         := bash
.SHELLFLAGS   := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help gate behaviours specs server-specs servers-table test unit vm-test browser-test soak lint fmt bench fuzz readme-figures release release-check \
	servers qemu qemu-arm keyring chromium tshark shellcheck jq root clean

# What finwait was made for, and README.md shows.
the_case := overtaken-fin/server-shutdown/ipv4

ARGS     ?=
FUZZTIME ?= 10s

# What is tested here is what runs in a guest, which has no C library.
export CGO_ENABLED := 0

# Everything is built as the caller. Only the unit tests, the benchmarks and what installs packages run as root; the suite
# makes do with a user namespace.
as_root := $(if $(filter-out 0,$(shell id -u)),sudo env "PATH=$(PATH)")
go_test := go test $(if $(as_root),-exec '$(as_root)')

# $(call install,PACKAGE,what it does for us)
define install
{ \
	echo 'Installing $(1): it $(2)'; \
	$(as_root) apt-get update && \
	$(as_root) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(1); \
} || { \
	echo >&2 'apt-get did not install $(1), which $(2): put right what it says above, or install $(1) by hand'; \
	exit 1; \
}
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

gate: qemu keyring ## compare the kernels of Debian bullseye and trixie (ARGS="--trials 3")
	go build -buildvcs=false -o .bin/gate ./ci/gate
	.bin/gate run --baseline debian/bullseye debian/trixie $(ARGS)

behaviours: qemu keyring ## ask four kernels what they do, and hold it against ci/behaviours.yaml
	go build -buildvcs=false -o .bin/gate ./ci/gate
	.bin/gate behaviours debian/bullseye debian/bookworm debian/trixie debian/sid $(ARGS)

specs: ## run the suite on this machine's own kernel (ARGS="--require-all --record=FILE")
	@echo "The suite on this machine's kernel, $$(uname -r)"
	go test -c -o .bin/specs.test ./specs
	.bin/specs.test --ginkgo.randomize-all --ginkgo.fail-on-empty --ginkgo.poll-progress-after=30s $(ARGS)

test: vm-test browser-test unit specs server-specs ## run the unit tests, the suite on this kernel and in VMs, and the report in a browser

server-specs: servers ## run the suite of servers on this machine's own kernel
	@echo "The servers on this machine's kernel, $$(uname -r)"
	go test -c -o .bin/servers.test ./specs/servers
	go run github.com/onsi/ginkgo/v2/ginkgo --procs 8 --no-color --randomize-all --fail-on-empty --poll-progress-after 60s \
		.bin/servers.test -- --tree $(CURDIR)/.bin/servers/root $(ARGS)

servers-table: servers qemu keyring ## write docs/servers.md: which servers lose FINs, on two kernels
	go build -buildvcs=false -o .bin/gate ./ci/gate
	.bin/gate servers --page docs/servers.md debian/bullseye debian/trixie

unit: root jq ## run the unit tests
	@echo "The unit tests"
	$(go_test) $$(go list ./... | grep -v /specs)

vm-test: qemu qemu-arm keyring tshark servers ## run the suite on old and new kernels in VMs
	@echo "The suite on old and new kernels, in VMs"
	go test -count=1 -timeout 30m -tags vm -run '^(TestTheCase|TestBehaviours|TestLongTimers|TestColdAndWarm|TestEveryOrder|TestGuests|TestBisectFinds|TestGitBisects|TestAnyKernel|TestARM64|TestARelease|TestServersOfDebians|TestTry)' ./ci/gate

browser-test: chromium ## open the report in a browser, and leave pictures of it in finwait-out/pictures
	@echo "The report in a browser"
	go test -count=1 -timeout 5m -tags browser -run '^(TestThePage|TestALinkToAScenario|TestNothingOfARecordRuns|TestWhatAPageMustNotDo)' \
		./harness/report -args -pictures "$(CURDIR)/finwait-out/pictures"

soak: root ## play one teardown 20,000 times, half of them on a busy machine
	go test -c -tags soak -o .bin/soak.test ./harness/scenario
	$(as_root) .bin/soak.test -test.run '^TestSoak$$'

# What the tests of ci/manifests read is outside of their module, where Go does not see that it has changed.
lint: shellcheck ## check for mistakes, style, formatting and imports against the floors
	go tool -modfile=ci/lint/go.mod golangci-lint run ./...
	go tool -modfile=ci/manifests/go.mod actionlint
	shellcheck ci/*.sh ci/github/*.sh .ci/run
	cd ci/manifests && go test -count=1 ./...
	@CGO_ENABLED=1 go list -f '{{range .CgoFiles}}{{$$.Dir}}/{{.}}: imports "C", and a guest has no C library{{"\n"}}{{end}}' ./... \
		| awk 'NF { print; found = 1 } END { exit found }'

fmt: ## format the source the way lint wants it
	go tool -modfile=ci/lint/go.mod golangci-lint fmt ./...

bench: root qemu keyring servers ## run the benchmarks
	@packages=$$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u); \
	$(go_test) -tags vm -timeout 30m -run '^$$' -bench . -benchmem $$packages

fuzz: ## run every fuzz target for a while (FUZZTIME=10s each)
	@grep -rEo --include='*_test.go' '^func Fuzz\w+' . | sed -E 's|/[^/]*:func | |' | sort | \
	while read -r package target; do \
		echo "$$target in $$package"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
	done

readme-figures: qemu keyring ## draw the figures of README.md anew, from runs on two kernels
	go build -buildvcs=false -o .bin/gate ./ci/gate
	.bin/gate run --label-filter '$(subst /, && ,$(the_case))' --out .bin/figures debian/bullseye debian/trixie
	@for layout in '' -narrow; do \
		.bin/gate ladder $(the_case) .bin/figures/debian-{bullseye,trixie}/record.json \
			--svg docs/overtaken-fin$$layout.svg $${layout:+--stacked}; \
	done

# The compiler, and the processors that it compiles for, are a part of what gives the same bytes again.
release: export GOTOOLCHAIN := go1.26.8
release: export GOAMD64     := v1
release: export GOARM64     := v8.0
release: ## build static binaries that need neither Go nor a checkout, and their SHA-256 sums, into .bin/release
	rm -rf .bin/release ci/gate/internal/programs/packed
	go run ./ci/gate pack ci/gate/internal/programs/packed
	@for arch in amd64 arm64; do \
		echo "gate for linux/$$arch"; \
		GOOS=linux GOARCH=$$arch go build -tags embedded -trimpath -buildvcs=auto -ldflags='-s -w' -o .bin/release/gate-linux-$$arch ./ci/gate; \
	done
	cd .bin/release && sha256sum gate-linux-* | tee SHA256SUMS

release-check: ## make the release twice from scratch, in two clones and with two build caches, and want the same bytes
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	git clone --quiet --no-hardlinks . "$$work/one"; \
	git clone --quiet --no-hardlinks "$$work/one" "$$work/and-another/elsewhere"; \
	for clone in one and-another/elsewhere; do \
		GOCACHE="$$work/cache-$${clone%%/*}" make -C "$$work/$$clone" release; \
	done; \
	cmp "$$work"/{one,and-another/elsewhere}/.bin/release/SHA256SUMS && \
	echo 'Both are the same, byte by byte'

# Made anew by hand, with make -B servers: Debian has other versions as time goes by.
servers: .bin/servers/packages.tsv ## fetch the servers that are tried, from Debian's packages, and install none of them

.bin/servers/packages.tsv: ci/servers.sh
	ci/servers.sh .bin/servers

qemu: ## install QEMU where it is missing
	@command -v qemu-system-x86_64 >/dev/null || $(call install,qemu-system-x86,boots the kernels under test)

qemu-arm: ## install QEMU for arm64 kernels where it is missing
	@command -v qemu-system-aarch64 >/dev/null || $(call install,qemu-system-arm,boots the arm64 kernels under test)

keyring: ## install Debian's archive keys where they are missing
	@[[ -e /usr/share/keyrings/debian-archive-keyring.gpg || -e /usr/share/keyrings/debian-archive-keyring.pgp ]] || \
	$(call install,debian-archive-keyring,vouches for the kernels that are downloaded)

chromium: ## install Chromium where it is missing
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	$(call install,chromium,opens the report as a reader does)

tshark: ## install tshark where it is missing
	@command -v tshark >/dev/null || $(call install,tshark,says in the tests what it makes of our captures)

shellcheck: ## install ShellCheck where it is missing
	@command -v shellcheck >/dev/null || $(call install,shellcheck,reads the scripts of the workflows)

jq: ## install jq where it is missing
	@command -v jq >/dev/null || $(call install,jq,makes a matrix of the inputs of a workflow)

root:
	@[[ -z '$(as_root)' ]] || command -v sudo >/dev/null || { \
		echo >&2 'the unit tests and the benchmarks make network namespaces as root, and there is no sudo here: run make as root'; \
		exit 1; \
	}

clean: ## remove what was built and written here (downloaded kernels stay in the user's cache)
	rm -rf .bin finwait-out ci/gate/internal/programs/packed
