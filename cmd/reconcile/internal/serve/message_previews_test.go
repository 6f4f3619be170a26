package serve

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// messageLink is the page that the messages of notify's golden files link to.
const messageLink = "https://reconcile.example/topologies/orders"

// kindsOfMessages are the golden files of notify, and a command that their message says to
// type; empty: there is nothing to do.
var kindsOfMessages = []struct{ name, title, command string }{
	{"approval-wanted", "APPROVAL WANTED for the failover to cluster-b", `reconcile approve orders/cluster-b --reason "WHY" --push`},
	{"finding-raised", "CRITICAL: no reachable cluster can take writes", "reconcile propose orders --failover"},
	{"outage-with-approval", "APPROVAL WANTED for the failover to cluster-b", `reconcile approve orders/cluster-b --reason "WHY" --push`},
	{"split-brain", "CRITICAL: two clusters can take writes", "reconcile fence orders/cluster-a"},
	{"change-blocked", "the failover is blocked: the old primary", "reconcile propose orders --cancel"},
	{"failover-done", "the failover is done: cluster-b is the primary now", ""},
	{"apply-unverified", "the failover to cluster-b is NOT VERIFIED", "reconcile status orders --verify"},
	{"apply-error-then-in-sync", "the failover to cluster-b FAILED", "reconcile plan orders"},
	{"approval-lapsed", "the approval lapsed, since cluster-a answers", "reconcile plan orders"},
	{"apply-applied", "the failover is done: cluster-b is the primary now", ""},
	{"finding-resolved", "RESOLVED: no reachable cluster can take writes", ""},
}

// preview is one message as its receiver shows it, more or less.
type preview struct {
	Format, Kind string
	Body         template.HTML
}

// testMessages looks at the messages that people get, wide and on a phone: each says what
// happened and what to type, whole and on a line of its own, and links to the page.
func testMessages(t *testing.T, b browser) {
	formats := []string{"slack", "teams", "pagerduty", "email"}
	var all []preview
	for _, k := range kindsOfMessages {
		for format, shown := range map[string]func(*testing.T, []byte) []string{"slack": slackShown, "teams": teamsShown, "pagerduty": pagerDutyShown, "email": mailShown} {
			file := filepath.Join("..", "..", "..", "..", "reconcile", "notify", "testdata", "messages", format, k.name)
			raw, err := os.ReadFile(file + map[bool]string{true: ".txt", false: ".json"}[format == "email"])
			if err != nil {
				t.Fatal(err)
			}
			for _, body := range shown(t, raw) {
				all = append(all, preview{format, k.name, template.HTML(body)}) //nolint:gosec // what it shows is escaped
			}
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := messagePage.Execute(w, map[string]any{"All": all, "Formats": formats}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	b.scheme("light")
	b.open(server.URL)
	for _, size := range [][2]int{{1280, 800}, {360, 740}} {
		b.device(size[0], size[1])
		for _, format := range formats {
			b.keep(fmt.Sprintf("message-%s-%d", format, size[0]), "#"+format)
		}
		if wide := b.text("document.documentElement.scrollWidth"); wide != fmt.Sprint(size[0]) {
			t.Errorf("the messages are %s wide on a device of %d", wide, size[0])
		}
		if cut := b.text(`[...document.querySelectorAll("article *")].filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline").map((e) => e.textContent).join("; ")`); cut != "" {
			t.Errorf("cut at %d: %s", size[0], cut)
		}
	}
	type message struct {
		Format, Kind, Text string
		Commands, Links    []string
	}
	var seen []message
	b.eval(`[...document.querySelectorAll("article")].map((a) => ({Format: a.dataset.format, Kind: a.dataset.kind, Text: a.innerText,
		Commands: [...a.querySelectorAll("pre, .mono")].flatMap((e) => e.innerText.split("\n")).map((l) => l.trim()), Links: [...a.querySelectorAll("a")].map((l) => l.href)}))`, &seen)
	for _, m := range seen {
		if !slices.Contains(m.Links, messageLink) || slices.ContainsFunc(m.Links, func(l string) bool { return l != messageLink }) {
			t.Errorf("%s, %s links to %q", m.Format, m.Kind, m.Links)
		}
	}
	for _, format := range formats {
		for _, k := range kindsOfMessages {
			if format == "pagerduty" && k.command == "" { // it calls nobody
				continue
			}
			at := slices.IndexFunc(seen, func(m message) bool {
				return m.Format == format && m.Kind == k.name && strings.Contains(m.Text, "orders: "+k.title)
			})
			switch {
			case format == "pagerduty" && k.name == "approval-lapsed":
			case at < 0:
				t.Errorf("%s: no message of %s says %q", format, k.name, k.title)
			case k.command != "" && !slices.Contains(seen[at].Commands, k.command):
				t.Errorf("%s, %s does not say on a line of its own to type %q, but %q", format, k.name, k.command, seen[at].Commands)
			}
		}
	}
}

var messagePage = template.Must(template.New("").Parse(`<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Messages</title><style>
*{box-sizing:border-box}body{margin:0;font:15px/1.45 system-ui,sans-serif;background:#fff;color:#1d1c1d}p{margin:.35em 0}
section{padding:8px;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(36rem,100%),1fr));gap:16px;background:#f4f5f6}
article{background:#fff;padding:12px;border:1px solid #ddd;border-radius:6px;min-width:0;overflow-wrap:anywhere;align-self:start}
h2{grid-column:1/-1;margin:0;font-size:14px;color:#555}h3{margin:0 0 .3em;font-size:18px}
pre{font:12.5px/1.5 ui-monospace,monospace;white-space:pre-wrap;margin:.3em 0}a{color:#1264a3}
#slack pre{background:#f8f8f8;border:1px solid #ddd;border-radius:4px;padding:8px}#slack small{color:#616061;font-size:13px}
#teams .Large{font-size:18px;line-height:1.3}#teams .Bolder{font-weight:600}#teams .Attention{color:#c4314b}#teams .Warning{color:#8a5a00}#teams .Good{color:#237b4b}
#teams .Subtle{color:#616161;font-size:12px}#teams .separator{border-top:1px solid #ddd;padding-top:.35em}#teams .mono{font:13px ui-monospace,monospace}
.button{display:inline-block;margin-top:.6em;padding:4px 12px;border:1px solid #bbb;border-radius:4px;text-decoration:none;font-weight:600}
#pagerduty dl{display:grid;grid-template-columns:minmax(0,1fr);margin:.5em 0;border:1px solid #ddd}#pagerduty dt{font-weight:600;padding:4px 8px;background:#f4f5f6}#pagerduty dd{margin:0;padding:4px 8px}
#pagerduty .critical{background:#c4314b;color:#fff;padding:1px 8px;border-radius:8px;font-size:12px}
#pagerduty .push{background:#e8e8ed;border-radius:10px;padding:6px 10px;font-size:13px;display:-webkit-box;-webkit-line-clamp:4;-webkit-box-orient:vertical;overflow:hidden}
#email .subject{font-weight:600;font-size:17px}#email .from{color:#555;font-size:13px}
</style>{{range $format := .Formats}}<section id="{{$format}}"><h2>{{$format}}</h2>{{range $.All}}{{if eq .Format $format}}<article data-format="{{.Format}}" data-kind="{{.Kind}}">{{.Body}}</article>{{end}}{{end}}</section>{{end}}`))

func escaped(s string) string { return template.HTMLEscapeString(s) }

// documents decodes JSON values that follow each other.
func documents[T any](t *testing.T, raw []byte) []T {
	t.Helper()
	var out []T
	for d := json.NewDecoder(strings.NewReader(string(raw))); ; {
		var one T
		switch err := d.Decode(&one); {
		case err == io.EOF:
			return out
		case err != nil:
			t.Fatal(err)
		}
		out = append(out, one)
	}
}

var (
	slackLinks  = regexp.MustCompile(`<(https?://[^|>]+)\|([^>]+)>`)
	slackFences = regexp.MustCompile("(?s)```\n?(.*?)\n?```")
	slackBold   = regexp.MustCompile(`(?m)(^|\s)\*([^*\n]+)\*`)
	slackCode   = regexp.MustCompile("`([^`\n]+)`")
)

// slackShown shows the blocks of messages. Their text is escaped already.
func slackShown(t *testing.T, raw []byte) (out []string) {
	for _, m := range documents[struct {
		Blocks []struct {
			Type     string
			Text     struct{ Text string }
			Elements []struct{ Text string }
		}
	}](t, raw) {
		var b strings.Builder
		for _, block := range m.Blocks {
			switch block.Type {
			case "header":
				fmt.Fprintf(&b, "<h3>%s</h3>", escaped(block.Text.Text))
			case "section":
				text := slackFences.ReplaceAllString(block.Text.Text, "<pre>$1</pre>")
				if !strings.Contains(text, "<pre>") {
					text = strings.ReplaceAll(slackCode.ReplaceAllString(slackBold.ReplaceAllString(text, "$1<b>$2</b>"), "<code>$1</code>"), "\n", "<br>")
				}
				fmt.Fprintf(&b, "<div>%s</div>", text)
			case "context":
				fmt.Fprintf(&b, "<small>%s</small>", slackLinks.ReplaceAllString(block.Elements[0].Text, `<a href="$1">$2</a>`))
			default:
				t.Errorf("a block of type %s", block.Type)
			}
		}
		out = append(out, b.String())
	}
	return out
}

// teamsShown shows text runs and buttons of adaptive cards.
func teamsShown(t *testing.T, raw []byte) (out []string) {
	type card struct {
		Body []struct {
			Separator bool
			Inlines   []struct {
				Text, Size, Weight, Color, FontType string
				IsSubtle                            bool
			}
		}
		Actions []struct{ Title, URL string }
	}
	for _, m := range documents[struct{ Attachments []struct{ Content card } }](t, raw) {
		var b strings.Builder
		for _, block := range m.Attachments[0].Content.Body {
			run := block.Inlines[0]
			class := strings.Join([]string{run.Size, run.Weight, run.Color}, " ")
			for name, is := range map[string]bool{" separator": block.Separator, " mono": run.FontType == "Monospace", " Subtle": run.IsSubtle} {
				if is {
					class += name
				}
			}
			fmt.Fprintf(&b, `<p class="%s">%s</p>`, class, escaped(run.Text))
		}
		for _, a := range m.Attachments[0].Content.Actions {
			fmt.Fprintf(&b, `<a class="button" href="%s">%s</a>`, escaped(a.URL), escaped(a.Title))
		}
		out = append(out, b.String())
	}
	return out
}

// pagerDutyShown shows what an incident has: the notification on a phone, and its page.
func pagerDutyShown(t *testing.T, raw []byte) (out []string) {
	for _, e := range documents[struct {
		Payload *struct {
			Summary, Severity, Source string
			Details                   map[string]string `json:"custom_details"`
		}
		Links     []struct{ Href, Text string }
		ClientURL string `json:"client_url"`
	}](t, raw) {
		if e.Payload == nil { // the end of an incident
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, `<div class="push">%s</div><h3>%s</h3><span class="critical">%s</span> %s<dl>`, escaped(e.Payload.Summary), escaped(e.Payload.Summary), escaped(e.Payload.Severity), escaped(e.Payload.Source))
		var names []string
		for name := range e.Payload.Details {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&b, "<dt>%s</dt><dd><pre>%s</pre></dd>", escaped(name), escaped(e.Payload.Details[name]))
		}
		fmt.Fprintf(&b, `</dl><a href="%s">View in reconcile</a> `, escaped(e.ClientURL))
		for _, l := range e.Links {
			fmt.Fprintf(&b, `<a class="button" href="%s">%s</a>`, escaped(l.Href), escaped(l.Text))
		}
		out = append(out, b.String())
	}
	return out
}

var mailLinks = regexp.MustCompile(`(?m)^(Status page: )(https://\S+)$`)

// mailShown shows mails as a reader of plain text does.
func mailShown(t *testing.T, raw []byte) (out []string) {
	for _, one := range strings.Split("\n"+string(raw), "\nFrom: ")[1:] {
		head, body, _ := strings.Cut("From: "+one, "\n\n")
		header := func(name string) string {
			found := regexp.MustCompile(`(?m)^` + name + `: (.*)$`).FindStringSubmatch(head)
			if found == nil {
				t.Fatalf("a mail without %s: %s", name, one)
			}
			return found[1]
		}
		out = append(out, fmt.Sprintf(`<div class="subject">%s</div><div class="from">%s to %s</div><pre>%s</pre>`,
			escaped(header("Subject")), escaped(header("From")), escaped(header("To")), mailLinks.ReplaceAllString(escaped(strings.TrimSpace(body)), `$1<a href="$2">$2</a>`)))
	}
	return out
}
