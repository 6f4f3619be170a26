// Command lint runs the analyzers that every package of reconcile must pass,
// in one load of the code, in addition to vet and staticcheck: wrapped errors, switches
// over enumerations, nil results with nil errors, and lost contexts. It is a
// module of its own, so that none of it is a dependency of the product.
//
// A line that ends in `//nolint:NAME // why` is excused from the analyzer NAME.
// Without a reason it is not.
package main

import (
	"log"
	"regexp"

	"github.com/Antonboom/nilnil/pkg/analyzer"
	"github.com/kkHAIKE/contextcheck"
	"github.com/nishanths/exhaustive/passes/exhaustive"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/multichecker"
)

func main() {
	// A default branch is a decision about every value that is not named.
	if err := exhaustive.Analyzer.Flags.Set("d", "true"); err != nil {
		log.Fatal(err)
	}
	multichecker.Main(
		excusable(analyzer.New()),
		excusable(exhaustive.Analyzer),
		excusable(errorlint.NewAnalyzer()),
		// Within a package: what the standard library does inside is its own.
		excusable(contextcheck.NewAnalyzer(contextcheck.Configuration{DisableFact: true})),
	)
}

var excuse = regexp.MustCompile(`^//nolint:([a-z,]+) // .+`)

// excusable drops what an analyzer says of lines that are excused from it.
func excusable(a *analysis.Analyzer) *analysis.Analyzer {
	run := a.Run
	a.Run = func(pass *analysis.Pass) (any, error) {
		excused := excusedLines(pass, a.Name)
		report := pass.Report
		own := *pass
		own.Report = func(d analysis.Diagnostic) {
			at := pass.Fset.Position(d.Pos)
			if !excused[at.Filename][at.Line] {
				report(d)
			}
		}
		return run(&own)
	}
	return a
}

func excusedLines(pass *analysis.Pass, name string) map[string]map[int]bool {
	out := map[string]map[int]bool{}
	named := regexp.MustCompile(`(^|,)` + name + `(,|$)`)
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if m := excuse.FindStringSubmatch(c.Text); m != nil && named.MatchString(m[1]) {
					at := pass.Fset.Position(c.Pos())
					if out[at.Filename] == nil {
						out[at.Filename] = map[int]bool{}
					}
					out[at.Filename][at.Line] = true
				}
			}
		}
	}
	return out
}
