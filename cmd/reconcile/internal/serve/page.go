package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"time"
)

//go:embed page
var assets embed.FS

// Record is an entry of the ledger as the page shows it.
type Record struct {
	At   time.Time
	Text string
}

// Page answers GET / with the status of every topology: HTML that is complete
// without JavaScript and follows changes with it. It loads nothing from
// elsewhere, and its policy lets it load nothing.
type Page struct {
	source  Source
	records func(context.Context) map[string][]Record
	shell   *template.Template
	style   template.CSS
	script  template.JS
	policy  string
}

// NewPage makes the page of a source. records returns the newest entries of
// the ledger by topology, newest first; nil: none are shown.
func NewPage(source Source, records func(context.Context) map[string][]Record) *Page {
	style, script := asset("page/page.css"), asset("page/page.js")
	return &Page{
		source: source, records: records,
		shell:  template.Must(template.ParseFS(assets, "page/page.html")),
		style:  template.CSS(style), //nolint:gosec // embedded
		script: template.JS(script), //nolint:gosec // embedded
		policy: "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
			"; style-src " + hashOf(style) + "; script-src " + hashOf(script),
	}
}

// asset reads an embedded file; that it is there is part of the build.
func asset(name string) string {
	raw, err := assets.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// hashOf is the source expression of an inline element (CSP level 2, 4.2.5).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// ServeHTTP renders the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var records map[string][]Record
	if p.records != nil {
		records = p.records(r.Context())
	}
	v := viewOf(p.source.Snapshot(), records)
	v.Style, v.Script = p.style, p.script
	var out bytes.Buffer
	if err := p.shell.Execute(&out, v); err != nil {
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(out.Bytes()) // the client is gone if this fails
}
