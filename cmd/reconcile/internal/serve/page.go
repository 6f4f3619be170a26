package serve

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/safetext"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/daemon"
)

//go:embed page
var assets embed.FS

// Record is a ledger record as the page shows it.
type Record struct {
	At   time.Time // zero: not known
	Text string    // a line for each thing that it says
}

// PageSource is what the pages are made of, such as daemon.Board.
type PageSource interface {
	Source
	// LagCurves are those of the standbys of a topology until a time, sorted by cluster.
	LagCurves(topology string, now time.Time) []daemon.LagCurve
}

// Page answers with the status pages: an overview of all topologies, and a page of each.
// A site has a page too. The HTML is complete without JavaScript; with it, a page follows changes. It loads
// nothing from other servers, and its content security policy forbids that.
type Page struct {
	source   PageSource
	records  func(ctx context.Context, topology string) []Record
	overview *template.Template
	topology *template.Template
	site     *template.Template
	sites    SiteSource
	style    template.CSS
	script   template.JS
	policy   string
}

// NewPage returns the pages of a source. records returns the newest ledger records of a
// topology, oldest first; nil shows none.
func NewPage(source PageSource, records func(ctx context.Context, topology string) []Record, sites SiteSource) *Page {
	style, script := asset("page/page.css"), asset("page/page.js")
	return &Page{
		source: source, records: records, sites: sites,
		overview: template.Must(template.ParseFS(assets, "page/layout.html", "page/overview.html")),
		topology: template.Must(template.ParseFS(assets, "page/layout.html", "page/topology.html")),
		site:     template.Must(template.ParseFS(assets, "page/layout.html", "page/site.html")),
		style:    template.CSS(style), //nolint:gosec // embedded
		script:   template.JS(script), //nolint:gosec // embedded
		policy: "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'" +
			"; style-src " + hashOf(style) + "; script-src " + hashOf(script),
	}
}

// asset reads an embedded file. It panics if the build lacks it.
func asset(name string) string {
	raw, err := assets.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// hashOf returns the CSP source expression of an inline element (CSP level 2, 4.2.5).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Overview answers GET / with one line for each topology.
func (p *Page) Overview() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := overviewOf(p.source.Snapshot(), filterOf(r.URL.Query()))
		p.answer(w, http.StatusOK, p.overview, layout{Title: v.title(), Class: "overview", Root: "./", At: v.At, Page: v})
	})
}

// Topology answers GET /topologies/{topology} with all that is known of one.
func (p *Page) Topology() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, name := p.source.Snapshot(), r.PathValue("topology")
		l := layout{Class: "single", Root: "../", At: clock(s.At)}
		t, known := s.Topology(name)
		if !known {
			l.Title, l.Page = "No such topology", topologyView{Name: safe(name), Missing: true, Meant: suggest.Names(name, namesOf(s))}
			p.answer(w, http.StatusNotFound, p.topology, l)
			return
		}
		var records []Record
		if p.records != nil {
			records = p.records(r.Context(), name)
		}
		s.Topologies = []daemon.TopologyStatus{t} // the page says nothing of others
		v := topologyViewOf(documentOf(s), t, records)
		v.Lags = lagViews(p.source.LagCurves(name, s.At), t.MaxLag, s.At)
		l.Title, l.Page = v.title(), v
		p.answer(w, http.StatusOK, p.topology, l)
	})
}

func namesOf(s daemon.Snapshot) []string {
	out := make([]string, 0, len(s.Topologies))
	for _, t := range s.Topologies {
		out = append(out, t.Name)
	}
	return out
}

// layout is what every page has.
type layout struct {
	Title, Class, Root, At string
	JSON                   string // the address of the same as JSON, below Root
	Style                  template.CSS
	Script                 template.JS
	Page                   any
}

func (p *Page) answer(w http.ResponseWriter, code int, t *template.Template, l layout) {
	l.Style, l.Script, l.JSON = p.style, p.script, cmp.Or(l.JSON, "api/v1/status")
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "layout.html", l); err != nil {
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(code)
	_, _ = io.Copy(w, &out) // the client is gone if this fails
}

// The colour classes, worst first.
const (
	toneBad  = "bad"
	toneWarn = "warn"
	toneGood = "good"
)

func urgency(class string) int { return slices.Index([]string{toneBad, toneWarn, toneGood}, class) }

// safe escapes control characters, but keeps line ends.
func safe(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = safetext.Safe(line)
	}
	return strings.Join(lines, "\n")
}

func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
