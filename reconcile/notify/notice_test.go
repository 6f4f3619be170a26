package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/xeipuuv/gojsonschema"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/notify"
)

var update = flag.Bool("update", false, "write the golden files")

const page = "https://reconcile.example/topologies/orders"

// hostile is a text of somebody else that tries to leave its place in every format.
const hostile = "<!channel> <https://evil.example|here> [here](https://evil.example) **x** ``` & \r\nBcc: eve@evil.example\u202e"

var wanted = notify.Event{
	Kind: notify.KindWanted, Topology: "orders", Cluster: "cluster-b", Code: "QUORUM_NOT_MET", Severity: plan.SeverityCritical, Commit: "3f9c2d1e5b6a7081",
	Transition: plan.TransitionFailover, Message: "It promotes cluster-b by force, which cannot be undone. May lose up to 3 s of writes.\nFirst cut applications off cluster-a.\n" +
		"One more of these people must approve it, but not the author of the change or who approved it already: alice@example.com, bob@example.com, carol@example.com.\nQUORUM_NOT_MET: a failover needs 2 distinct people, and 1 approved: bob@example.com",
	Remedy: "Each of them types this in a clone that is up to date, with the reason. This daemon then carries it out.", Command: `reconcile approve orders/cluster-b --reason "WHY" --push`,
}

var noPrimary = plan.Finding{
	Code: plan.CodeNoPrimary, Severity: plan.SeverityCritical, Message: "no cluster that answers can take writes",
	Remedy: "bring the primary back; if it is lost for good, fail over: 'reconcile propose orders --failover'",
}

var unreachable = plan.Finding{
	Code: plan.CodeClusterUnreachable, Cluster: "cluster-a", Severity: plan.SeverityWarning,
	Message: "cluster-a does not answer: " + hostile, Remedy: "look at its network; `reconcile status orders` shows when it answers",
}

var twoWriters = plan.Finding{
	Code: plan.CodeSplitBrain, Severity: plan.SeverityBlocking, Message: "cluster-a and cluster-b can take writes at the same time",
	Remedy: "stop writes to cluster-a by network or load balancer now, and make it refuse them: 'reconcile fence orders/cluster-a'",
}

var staleA = plan.Finding{
	Code: plan.CodeStalePrimary, Cluster: "cluster-a", Severity: plan.SeverityCritical, Message: "cluster-a is stale and does not answer",
	Remedy: "keep it isolated, and see what only it holds once it is back: 'reconcile salvage orders'",
}

// stories are what happens between two passes, for each kind of event.
var stories = []struct {
	name   string
	passes []notify.Pass
}{
	{"finding-raised", []notify.Pass{{Findings: []plan.Finding{noPrimary, unreachable}}}},
	{"finding-resolved", []notify.Pass{{Findings: []plan.Finding{noPrimary, unreachable}}, {InSync: true}}},
	{"approval-wanted", []notify.Pass{{Wanted: &wanted, Findings: []plan.Finding{unreachable}}}},
	{"approval-settled", []notify.Pass{{Wanted: &wanted}, {Settled: "approved by bob@example.com and carol@example.com", News: []notify.Event{done("applied", plan.SeverityWarning, "")}}}},
	{"approval-lapsed", []notify.Pass{{News: []notify.Event{{
		Kind: notify.KindLapsed, Topology: "orders", Cluster: "cluster-a", Severity: plan.SeverityWarning,
		Message: "the approval to promote cluster-b lapsed: cluster-a was up in two rounds in a row", Remedy: "if the failover is still wanted, approve it again",
	}}}}},
	{"failover-done", []notify.Pass{{
		News:     []notify.Event{done("applied", plan.SeverityWarning, "cluster-b is the primary now; lost: up to 3 s of the writes to cluster-a")},
		Findings: []plan.Finding{staleA, {Code: plan.CodeNoStandbyLeft, Cluster: "cluster-b", Severity: plan.SeverityWarning, Message: "cluster-b has no standby", Remedy: "add one"}},
	}}},
	{"outage-with-approval", []notify.Pass{{Wanted: &wanted, Findings: []plan.Finding{noPrimary, unreachable}, Transition: plan.TransitionFailover}}},
	{"split-brain", []notify.Pass{{Findings: []plan.Finding{twoWriters, staleA}}}},
	{"change-blocked", []notify.Pass{{Findings: []plan.Finding{{
		Code: plan.CodePrimaryReachable, Cluster: "cluster-a", Severity: plan.SeverityBlocking, Message: "cluster-a answers and takes writes",
		Remedy: "take the failover back: 'reconcile propose orders --cancel'",
	}}, Transition: plan.TransitionFailover}}},
	{"apply-applied", []notify.Pass{{News: []notify.Event{done("applied", plan.SeverityWarning, "cluster-b takes writes")}}}},
	{"apply-unverified", []notify.Pass{{News: []notify.Event{done("unverified", plan.SeverityCritical, "no row could be written: "+hostile)}}}},
	{"apply-error-then-in-sync", []notify.Pass{{News: []notify.Event{done("error", plan.SeverityWarning, "the lock was lost")}}, {InSync: true}}},
}

func done(outcome string, s plan.Severity, message string) notify.Event {
	return notify.Event{
		Kind: notify.KindApplied, Topology: "orders", Cluster: "cluster-b", Severity: s, Transition: plan.TransitionFailover,
		Outcome: outcome, Message: message,
	}
}

// passed returns what a target of a format gets of the passes of one story.
func passed(t *testing.T, target notify.Target, passes []notify.Pass) []received {
	t.Helper()
	r := newReceiver(t, nil)
	target.Name, target.URL = "t", r.URL
	n := notify.New([]notify.Target{target}, notify.Options{
		Source: "/reconcile/host-1", Poster: newClock().poster(),
		Failed: func(_ string, _ notify.Event, err error) { t.Error(err) },
	})
	for _, p := range passes {
		p.Topology, p.Commit, p.Link = "orders", "3f9c2d1e5b6a7081", page
		n.Pass(p)
	}
	closed(t, n)
	return r.all()
}

// TestMessagesOfEachKind compares what each format gets of each kind of event with
// testdata/messages, which people read.
func TestMessagesOfEachKind(t *testing.T) {
	for _, format := range []notify.Format{notify.FormatCloudEvents, notify.FormatSlack, notify.FormatTeams, notify.FormatPagerDuty} {
		for _, s := range stories {
			t.Run(string(format)+"/"+s.name, func(t *testing.T) {
				var out bytes.Buffer
				for _, g := range passed(t, notify.Target{Format: format, Secret: secret("ROUTING-KEY")}, s.passes) {
					if err := json.Indent(&out, g.Body, "", "  "); err != nil {
						t.Fatal(err)
					}
					out.WriteString("\n")
				}
				golden(t, filepath.Join(string(format), s.name+".json"), out.Bytes())
			})
		}
	}
}

// TestMailsOfEachKind compares the mails of each kind of event, headers and decoded
// body, with testdata/messages/email.
func TestMailsOfEachKind(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			server := newMailServer(t, mailOptions{})
			mailed(t, server.target(t), s.passes)
			var out bytes.Buffer
			for _, m := range server.all() {
				out.WriteString(readable(t, m))
			}
			golden(t, filepath.Join("email", s.name+".txt"), out.Bytes())
		})
	}
}

// readable is a mail as a person sees it.
func readable(t *testing.T, m sentMail) string {
	t.Helper()
	parsed, err := mail.ReadMessage(strings.NewReader(m.data))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, h := range []string{"From", "To", "Subject", "Date", "References", "Auto-Submitted"} {
		value, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get(h))
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(h + ": " + value + "\n")
	}
	body, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n" + strings.ReplaceAll(string(body), "\r\n", "\n") + "\n"
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "messages", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // a golden file
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (renew it with -update):\n%s", path, d)
	}
}

// TestOneMessageForAllThatAPassFinds: people get one, machines one event each. PagerDuty
// has an alert for the findings, the approval and the apply, since each ends by itself.
func TestOneMessageForAllThatAPassFinds(t *testing.T) {
	pass := notify.Pass{Wanted: &wanted, Findings: []plan.Finding{noPrimary, unreachable}, News: []notify.Event{done("error", plan.SeverityWarning, "")}}
	for format, want := range map[notify.Format]int{notify.FormatSlack: 1, notify.FormatTeams: 1, notify.FormatPagerDuty: 3, notify.FormatCloudEvents: 4} {
		got := passed(t, notify.Target{Format: format, Secret: secret("key")}, []notify.Pass{pass, {Wanted: &wanted, Findings: []plan.Finding{noPrimary, unreachable}}})
		if len(got) != want {
			t.Errorf("%s: %d messages, want %d", format, len(got), want)
		}
	}
}

// TestApprovalIsWantedOnce for each commit and reason, and settled for those who heard
// of it.
func TestApprovalIsWantedOnce(t *testing.T) {
	missing, next := wanted, wanted
	missing.Code, next.Commit = "APPROVAL_MISSING", "other"
	got := passed(t, notify.Target{}, []notify.Pass{{Wanted: &missing}, {Wanted: &missing}, {Wanted: &wanted}, {Wanted: &wanted}, {Wanted: &next}, {}, {}})
	var kinds []string
	for _, g := range got {
		kinds = append(kinds, g.json(t)["type"].(string))
	}
	if d := cmp.Diff([]string{"reconcile.approval.wanted", "reconcile.approval.wanted", "reconcile.approval.wanted", "reconcile.approval.settled"}, kinds); d != "" {
		t.Error(d)
	}
}

// TestLargestMessagesFit: whatever the texts and their number, the limits of the
// receivers hold, and no secret form of markup comes through.
func TestLargestMessagesFit(t *testing.T) {
	var many []plan.Finding
	for i := range 60 {
		f := finding(plan.Code("CODE_"+strings.Repeat("X", i)), "cluster-a", plan.SeverityCritical)
		f.Message = strings.Repeat(hostile+"<&>", 100)
		f.Remedy = strings.Repeat("'reconcile plan orders' <&>", 300)
		many = append(many, f)
	}
	passes := []notify.Pass{{Findings: many}}

	for _, block := range blocks(t, passed(t, notify.Target{Format: notify.FormatSlack}, passes)[0]) {
		if text, ok := block["text"].(map[string]any); ok {
			limit := 3000
			if block["type"] == "header" {
				limit = 150
			}
			if got := utf8.RuneCountInString(text["text"].(string)); got > limit {
				t.Errorf("a %s of %d characters", block["type"], got)
			}
			if s := text["text"].(string); block["type"] != "header" && strings.ContainsAny(s, "<>") {
				t.Errorf("not escaped: %.100s", s)
			}
		}
	}
	if got := passed(t, notify.Target{Format: notify.FormatTeams}, passes)[0]; len(got.Body) > 28<<10 {
		t.Errorf("a card of %d bytes", len(got.Body))
	}
	page := passed(t, notify.Target{Format: notify.FormatPagerDuty, Secret: secret("key")}, passes)[0].json(t)
	if summary := page["payload"].(map[string]any)["summary"].(string); utf8.RuneCountInString(summary) > 1024 {
		t.Errorf("a summary of %d characters", len(summary))
	}
	if key := page["dedup_key"].(string); utf8.RuneCountInString(key) > 255 {
		t.Errorf("a key of %d characters", len(key))
	}
}

// blocks are those of a Slack message, at most 50.
func blocks(t *testing.T, g received) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, b := range g.json(t)["blocks"].([]any) {
		out = append(out, b.(map[string]any))
	}
	if len(out) > 50 {
		t.Errorf("%d blocks", len(out))
	}
	return out
}

// TestPayloadsFitTheirSchemas holds what is sent to what the receivers document. The
// schemas in testdata are those parts of it that are used, and refuse all else.
func TestPayloadsFitTheirSchemas(t *testing.T) {
	for format, file := range map[notify.Format]string{
		notify.FormatSlack: "slack.schema.json", notify.FormatTeams: "teams.schema.json", notify.FormatPagerDuty: "pagerduty.schema.json",
	} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stories {
			for _, g := range passed(t, notify.Target{Format: format, Secret: secret("key")}, s.passes) {
				result, err := schema.Validate(gojsonschema.NewBytesLoader(g.Body))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range result.Errors() {
					t.Errorf("%s %s: %s", format, s.name, e)
				}
			}
		}
	}
}

// TestRisksOfAChangeAreNotCalledOver: they end with the change, also when it was carried
// out and lost writes.
func TestRisksOfAChangeAreNotCalledOver(t *testing.T) {
	risk := finding(plan.CodePrimaryLivenessUnproven, "cluster-b", plan.SeverityWarning)
	passes := []notify.Pass{{Findings: []plan.Finding{risk}}, {}}
	for format, want := range map[notify.Format]int{notify.FormatSlack: 1, notify.FormatCloudEvents: 2, notify.FormatPagerDuty: 2} {
		if got := passed(t, notify.Target{Format: format, Secret: secret("key")}, passes); len(got) != want {
			t.Errorf("%s: %d messages, want %d", format, len(got), want)
		}
	}
}

// TestAFreezeOnlyWarnsPeople: that a change waits as the operator wants it is no fault. Programs
// are told the severity of the code.
func TestAFreezeOnlyWarnsPeople(t *testing.T) {
	passes := []notify.Pass{{Findings: []plan.Finding{finding(plan.CodeChangeFrozen, "", plan.SeverityBlocking)}}}
	for _, c := range []struct {
		format notify.Format
		least  plan.Severity
		want   int
	}{
		{notify.FormatSlack, plan.SeverityWarning, 1},
		{notify.FormatSlack, plan.SeverityCritical, 0},
		{notify.FormatPagerDuty, plan.SeverityCritical, 0},
		{notify.FormatCloudEvents, plan.SeverityBlocking, 1},
	} {
		if got := passed(t, notify.Target{Format: c.format, Secret: secret("key"), MinSeverity: c.least}, passes); len(got) != c.want {
			t.Errorf("%s from %s on: %d messages, want %d", c.format, c.least, len(got), c.want)
		}
	}
}
