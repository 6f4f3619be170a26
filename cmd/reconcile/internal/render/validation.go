package render

import "io"

// Validation is what is wrong with topology files.
type Validation struct {
	Topologies int // valid ones
	Problems   []Problem
}

type wireValidation struct {
	FormatVersion string        `json:"formatVersion"`
	Valid         bool          `json:"valid"`
	Topologies    int           `json:"topologies"`
	Problems      []wireProblem `json:"problems"`
}

// Validate writes a validation as "table", "json" or "yaml".
func Validate(w io.Writer, form string, v Validation, o TableOptions) error {
	return answer{name: "validate", page: func(p *page) { p.validation(v) }, value: func() any {
		return wireValidation{answerFormat, len(v.Problems) == 0, v.Topologies, mapList(v.Problems, encodeProblem)}
	}}.write(w, form, o)
}

// validation prints a line for each problem, which editors understand, and
// below it what to do.
func (p *page) validation(v Validation) {
	for _, problem := range v.Problems {
		p.line(Safe(problem.where() + ": " + problem.what()))
		if problem.Hint != "" {
			p.hanging(2, plain, "→ "+problem.Hint)
		}
	}
	s := good
	if len(v.Problems) > 0 {
		s = bad
	}
	p.line(p.paint(s, s.mark()+" "+plural(v.Topologies, "topology is valid", "topologies are valid")+", "+plural(len(v.Problems), "problem", "problems")))
}
