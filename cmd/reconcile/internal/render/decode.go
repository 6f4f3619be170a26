package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// maxSaved bounds a saved plan: thousands of topologies fit, a disk does not.
const maxSaved = 64 << 20

// Decode reads a document that JSON wrote, for `show` and for the digests of
// `apply --plan`. It refuses another major version, and never guesses: what a
// newer minor version added is passed over. Time ticks of single channels are
// not part of the document, so a decoded plan can be shown, not computed on.
func Decode(r io.Reader) (Document, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxSaved+1))
	if err != nil {
		return Document{}, fmt.Errorf("read the saved plan: %w", err)
	}
	if len(raw) > maxSaved {
		return Document{}, fmt.Errorf("the saved plan is larger than %d MiB", maxSaved>>20)
	}
	if err := checkVersion(raw); err != nil {
		return Document{}, err
	}
	var wire wireDocument
	if err := json.Unmarshal(raw, &wire); err != nil {
		return Document{}, fmt.Errorf("the saved plan is not as its version says: %w", err)
	}
	d := decodeReader{}
	doc := d.document(wire)
	if d.err != nil {
		return Document{}, fmt.Errorf("the saved plan: %w", d.err)
	}
	return doc, nil
}

// checkVersion comes first, so that a plan of another version is called that
// and not a plan with a wrong field.
func checkVersion(raw []byte) error {
	var head struct {
		FormatVersion *string          `json:"formatVersion"`
		Topologies    *json.RawMessage `json:"topologies"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return fmt.Errorf("the saved plan is not JSON: %w", err)
	}
	if head.FormatVersion == nil || head.Topologies == nil {
		return errors.New("not a saved plan: formatVersion or topologies is missing; save one by `reconcile plan -o json`")
	}
	major, _, _ := strings.Cut(*head.FormatVersion, ".")
	want, _, _ := strings.Cut(FormatVersion, ".")
	if major != want {
		return fmt.Errorf("the saved plan has format version %q, this program reads %s.x: plan again", *head.FormatVersion, want)
	}
	return nil
}

// decodeReader keeps the first error, so that reading stays a list of fields.
type decodeReader struct{ err error }

func (r *decodeReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *decodeReader) document(w wireDocument) Document {
	d := Document{
		Plan: plan.Plan{
			Commit: text(w.Commit), At: r.time(w.GeneratedAt),
			Ledger: plan.LedgerKind(zeroWord(w.Ledger, "none")), Digest: r.digest(w.Digest),
		},
		Approvals:   map[string]Approval{},
		GeneratedAt: r.time(w.GeneratedAt),
		Kind:        Kind(w.Kind),
		Observed:    r.observed(w.Observed),
	}
	d.Plan.Offline = d.Observed == ObservedNone
	for _, p := range w.Problems {
		d.Problems = append(d.Problems, Problem{
			File: p.File, Line: count(p.Line), Column: count(p.Column),
			Path: text(p.Path), Message: p.Message, Hint: text(p.Hint),
		})
	}
	for _, t := range w.Topologies {
		if _, twice := d.Approvals[t.Name]; twice || t.Name == "" {
			r.fail("topology %q has no name or stands twice", t.Name)
		}
		d.Plan.Topologies = append(d.Plan.Topologies, r.topology(t))
		d.Approvals[t.Name] = decodeApproval(t)
	}
	return d
}

// observed is live in documents of versions that did not say.
func (r *decodeReader) observed(s *string) Observation {
	switch o := Observation(text(s)); o {
	case "", ObservedLive:
		return ObservedLive
	case ObservedNone, ObservedElsewhere:
		return o
	default:
		r.fail("observed is %q", o)
		return o
	}
}

func (r *decodeReader) time(s *string) time.Time {
	if s == nil {
		return time.Time{}
	}
	t, err := plan.ParseTime(*s)
	if err != nil {
		r.fail("%q is no time of RFC 3339", *s)
	}
	return t
}

// digest refuses what a digest cannot look like: `apply --plan` compares it,
// and an empty or shortened one must not pass for a match.
func (r *decodeReader) digest(s *string) string {
	if s == nil {
		return ""
	}
	hex, ok := strings.CutPrefix(*s, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		r.fail("%q is no digest (sha256: and 64 hexadecimal digits)", *s)
	}
	return *s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// zeroWord turns the word for the zero value back into it.
func zeroWord(word, zero string) string {
	if word == zero {
		return ""
	}
	return word
}
