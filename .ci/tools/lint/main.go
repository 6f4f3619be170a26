// Command lint runs the analyzers that every package of reconcile must pass,
// in one load of the code, beside vet and staticcheck: wrapped errors, switches
// over enumerations, nil results beside nil errors, and lost contexts. It is a
// module of its own, so that none of it is a dependency of the product.
package main

import (
	"log"

	"github.com/Antonboom/nilnil/pkg/analyzer"
	"github.com/kkHAIKE/contextcheck"
	"github.com/nishanths/exhaustive/passes/exhaustive"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis/multichecker"
)

func main() {
	// A default branch is a decision about every value that is not named.
	if err := exhaustive.Analyzer.Flags.Set("d", "true"); err != nil {
		log.Fatal(err)
	}
	multichecker.Main(
		analyzer.New(),
		exhaustive.Analyzer,
		errorlint.NewAnalyzer(),
		// Within a package: what the standard library does inside is its own.
		contextcheck.NewAnalyzer(contextcheck.Configuration{DisableFact: true}),
	)
}
