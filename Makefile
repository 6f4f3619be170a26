# The commands of this project. `make` alone lists them.
GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CLI      := milvus-reconcile/cmd/reconcile/internal/cli
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE     ?= $(shell git log -1 --format=%cI 2>/dev/null)
LDFLAGS  := -s -w -X $(CLI).Version=$(VERSION) -X $(CLI).Commit=$(COMMIT) -X $(CLI).Date=$(DATE)
FUZZTIME ?= 10s
# Most of what the scripts do is wait: several at once, also on few cores.
TESTFLAGS ?= -timeout 40m -parallel 12
# One seed for property tests, so that a commit passes or fails for good.
# RAPID_SEED=0 draws a new one.
export RAPID_SEED ?= 1

# What reads or tests the code compiles it as make build does, so that it is done once.
AS_BUILT := CGO_ENABLED=0 GOFLAGS="$$($(GO) env GOFLAGS) -trimpath"

# The race detector lets each process sleep 1 s before it exits. The stories start
# hundreds of processes.
RACE := GORACE=atexit_sleep_ms=20
# Packages that start no goroutine have no races, and the commands of the guides are those
# of the stories: make test runs all of these.
RACED = $$($(GO) list ./... | grep -vE '/(plan|schema)(/|$$)|/internal/render$$|/cmd/reconcile/docs$$')

# The race detector sees nothing in these tests. Those of reconcile/gitsource read a repository
# of this machine with one goroutine. Those of cmd/reconcile/scenarios start the program as it is
# built, or commands that each story starts, too. Those of cmd/reconcile/crash kill such commands.
# The one of serve starts promtool, and the one of reconcile/ledger fills a ledger with one
# goroutine. make test runs all of them, make explore and make hostile those that have a longer form.
WITHOUT_RACE := TestOddRepositories|TestOddCommits|TestMangledCommits|TestAttacks|TestAttacksOnTheTree|TestOpenPGP|TestOpenPGPSignaturesThatDontHold|TestKeyTypes|TestKeysThatNeverMatch|TestCertificates|TestCertificatesOfEveryKeyType|TestCertificatesOfOldAuthorities|TestSecurityKeys|TestWhichCommitGoverns|TestGoverningCommitsAreFound|TestWhatAMergeBringsIn|TestCostGrowsWithWhatIsNew|TestHostileServer|TestHostileEcho|TestSalvageBesideAnEndlessStream|TestManyTopologiesFitOneScreen|TestExitCodesAndSymbols|TestExitCodesOfAFailover|TestDoctorReadsCertificates|TestDoctorComparesClocksWithGit|TestDoctorNamesExposedSecrets|TestNoSecretIsEverSaid|TestAlertsAreProven|TestKubernetesThatIsFullStillEndsAChange|TestRemoteThatSendsTooMuch|TestOneLostObject|TestPackReaderTakesNoDamage|TestPackReaderReadsWhatGitPacks|TestHistoryOnDisk|TestListOfRefsWithoutEnd|TestDiskFailsUnderAFailover|TestKilledAtEveryPoint|TestKilledFailover|TestKilledReplay
# Nor in the stories of commands that read, write a file or refuse, and send a cluster no change:
# what runs at the same time in these runs at the same time in those that do.
STORIES_WITHOUT_RACE := adopt|after|approv|bad-input|break-glass|changes-refused|channel-not|ci-|completion|credential|decommission|disk|doctor|drift|files-gone|git-|history|hostile|import|init|joins|least|ledger|loss-known|lost-object|notify-test|odd|offline|one-bad|output|permissions|plan-|progress|propose|remedies|rules|sarif|shallow|signers|squash|stale|status-[afv]|superseded|terminal|topology|two-folders|unknown|upgrade

.DEFAULT_GOAL := help
.PHONY: help build demo test test-all test-kubernetes explore lint fmt bench conformance dist reproducible generate cover soak

help: ## List the commands
	@grep -E '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## Build bin/reconcile, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/reconcile ./cmd/reconcile

demo: build ## The whole failover story on simulated clusters, in under a minute
	./bin/reconcile demo

test: progress ## Run every test in its short form, a few minutes: what to run before a push
	$(AS_BUILT) ./bin/progress $(GO) test -json -short -p 4 $(TESTFLAGS) ./...

test-all: progress ## Run what CI runs: tests in full under the race detector, every state of apply, coverage, macOS, reproducible builds
	@if [ "$$($(GO) env CGO_ENABLED)" != 1 ] || ! command -v "$$($(GO) env CC)" >/dev/null 2>&1; then \
		echo "make test-all needs a C compiler for the race detector; make test does without"; exit 1; \
	fi
	$(MAKE) --no-print-directory -j3 cover hostile explore portable reproducible
	$(RACE) ./bin/progress $(GO) test -json -race -p 4 $(TESTFLAGS) -skip '^($(WITHOUT_RACE))$$|^TestScripts$$/^($(STORIES_WITHOUT_RACE))' ./reconcile/milvus $(RACED) # the longest first

# What the tests that need Kubernetes start. It takes six minutes of processor time from an empty
# cache, which CI does not have.
KUBERNETES := v1.36.3
bin/kube-apiserver: .ci/tools/kube-apiserver/go.mod .ci/tools/kube-apiserver/main.go
	CGO_ENABLED=0 $(GO) build -C .ci/tools/kube-apiserver -trimpath -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES)' -o $(CURDIR)/$@ .

bin/helm: .ci/tools/go.mod
	CGO_ENABLED=0 $(GO) build -C .ci/tools -trimpath -o $(CURDIR)/$@ helm.sh/helm/v4/cmd/helm

test-kubernetes: bin/kube-apiserver bin/helm ## Run the tests that need an API server of Kubernetes, which it builds first
	RECONCILE_TEST_KUBERNETES=1 $(AS_BUILT) $(GO) test -count=1 -p 1 -timeout 30m -run Kubernetes $$(git grep -l reconciletest/kubeserver -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|') ./reconcile/reconciletest/kubeserver

.PHONY: progress
progress:
	@$(GO) build -C .ci/tools -o $(CURDIR)/bin/ ./progress

explore: explore-apply explore-git explore-replay ## Visit every state of apply to the full depth, fail its disk at 1,000 moments, damage Git's copy in every way, kill a replay of 100,000 rows: [DEPTH=1] events beyond it

.PHONY: explore-apply explore-git explore-replay
explore-apply:
	$(AS_BUILT) $(GO) test -count=1 -v -timeout 60m -run 'TestExploration|TestDiskFailsAtAnyMoment' ./reconcile -explore.depth=$(or $(DEPTH),0)
explore-git:
	$(AS_BUILT) $(GO) test -count=1 -timeout 60m -run 'TestOddRepositories|TestEveryDamageOfTheCopyIsMended' ./reconcile/gitsource
explore-replay:
	RECONCILE_REPLAY_ROWS=100000 $(AS_BUILT) $(GO) test -count=1 -timeout 60m -run 'TestAReplayThatIsKilled' ./cmd/reconcile/internal/salvage

lint: tools ## Check format, vet, staticcheck and more, tidiness, and what docs/ holds for CI and deployment
	@unformatted=$$(./bin/gofumpt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted, run make fmt: $$unformatted"; exit 1; }
	$(AS_BUILT) $(GO) vet ./...
	$(AS_BUILT) ./bin/staticcheck ./...
	$(AS_BUILT) ./bin/lint ./...
	$(GO) mod tidy -diff
	$(GO) -C .ci/tools mod tidy -diff
	$(GO) -C .ci/tools vet ./...
	cd .ci/tools && ../../bin/staticcheck ./... && ../../bin/lint ./...
	$(GO) -C .ci/tools test -count=1 ./deploy

.PHONY: tools
tools:
	$(GO) build -C .ci/tools -o $(CURDIR)/bin/ ./lint mvdan.cc/gofumpt honnef.co/go/tools/cmd/staticcheck

fmt: tools ## Format the code
	./bin/gofumpt -w $$(git ls-files '*.go')

generate: ## Renew what the tests compare with: golden files, manual pages, references
	.ci/generate

cover: ## Statement coverage of the packages that decide, at least 95 % each
	@out=$$($(AS_BUILT) $(GO) test -cover ./plan ./reconcile/approval ./schema) || { echo "$$out"; exit 1; }; echo "$$out"; \
	echo "$$out" | awk '/coverage:/ {n++; c=$$0; sub(/.*coverage: /,"",c); sub(/%.*/,"",c); if (c+0 < 95) low=1} END {exit low || n != 3}'

.PHONY: hostile
hostile: # each command against servers that answer without measure, and with secrets that it must not say: most of it is waiting
	$(AS_BUILT) $(GO) test -count=1 -timeout 60m -run 'TestHostile|TestNoSecretIsEverSaid' ./cmd/reconcile/scenarios

.PHONY: portable
portable: # macOS is not run, but must compile
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) vet ./...

bench: ## Run the benchmarks
	$(GO) test -timeout 60m -run '^$$' -bench . -benchmem ./...

conformance: ## Judge a pair of real clusters: MILVUS_A=… MILVUS_B=… [MILVUS_EXPENDABLE=yes]
	$(GO) test -count=1 -v -timeout 60m -run TestConformance ./reconcile/milvus/milvussim/conformance

dist: ## Build dist/: static binaries for Linux and macOS with SBOMs and checksums
	.ci/dist

reproducible: ## Build dist/ twice in two places, compare the bytes, and look at all of it: [PLATFORMS=all]
	$(GO) -C .ci/tools test -count=1 -v -timeout 60m -run TestDist ./dist -args -platforms=$(or $(PLATFORMS),all) -fresh=$(if $(PLATFORMS),false,true)

soak: ## The daemon over 200 topologies with random faults, restarts and commits, for SOAK=4m
	$(GO) test -count=1 -v -timeout 30m -run TestSoak ./cmd/reconcile/soak -args -soak=$(or $(SOAK),4m) $(if $(SEED),-soak.seed=$(SEED))
