package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Format is the body that a target gets.
type Format string

// The formats. The zero value is CloudEvents. The forges' get KindStatus
// alone, the others every event of their least severity and above.
const (
	FormatCloudEvents Format = "cloudevents"
	FormatSlack       Format = "slack"
	FormatGitHub      Format = "github"
	FormatGitLab      Format = "gitlab"
	FormatGitea       Format = "gitea"
)

func (f Format) forge() bool {
	return f == FormatGitHub || f == FormatGitLab || f == FormatGitea
}

// message makes the body of one event in the target's format.
func (t Target) message(e Event, source string) (Message, error) {
	switch {
	case t.Format == FormatSlack:
		return jsonMessage(e.ID, map[string]string{"text": slackText(e)})
	case t.Format.forge():
		return jsonMessage(e.ID, t.status(e))
	default:
		return e.cloudEvent(source).Message()
	}
}

func jsonMessage(id string, v any) (Message, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return Message{}, fmt.Errorf("encode the event: %w", err)
	}
	return Message{ID: id, ContentType: "application/json; charset=utf-8", Body: body}, nil
}

// slackEscape is what Slack asks of text outside its markup.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func slackText(e Event) string {
	var b strings.Builder
	switch e.Kind {
	case KindRaised:
		fmt.Fprintf(&b, "*%s* %s on %s", e.Severity, e.Code, e.subject())
	case KindResolved:
		fmt.Fprintf(&b, "resolved: %s on %s", e.Code, e.subject())
	case KindApplied:
		fmt.Fprintf(&b, "%s of %s: %s", e.Transition, e.subject(), e.Outcome)
	case KindLapsed:
		fmt.Fprintf(&b, "the approval for %s lapsed", e.subject())
	default:
		fmt.Fprintf(&b, "%s: %s", e.subject(), e.State)
	}
	if e.Message != "" {
		b.WriteString("\n" + e.Message)
	}
	if e.Remedy != "" {
		b.WriteString("\n→ " + e.Remedy)
	}
	return slackEscape.Replace(b.String())
}

// longestDescription is GitHub's limit; the other forges allow more.
const longestDescription = 140

// status is the body of a forge's commit status. GitHub and Gitea take the
// same; GitLab calls a failure failed and has no word for an error.
func (t Target) status(e Event) map[string]string {
	state := string(e.State)
	if t.Format == FormatGitLab && (e.State == StateFailure || e.State == StateError) {
		state = "failed"
	}
	description := []rune(e.Message)
	if len(description) > longestDescription {
		description = append(description[:longestDescription-1], '…')
	}
	out := map[string]string{"state": state, "context": "reconcile/" + e.Topology, "description": string(description)}
	if e.Link != "" {
		out["target_url"] = e.Link
	}
	return out
}

// address is the URL that an event goes to: the forges' name the commit.
func (t Target) address(e Event) (string, error) {
	if !t.Format.forge() {
		return t.URL, nil
	}
	if e.Commit == "" || strings.Trim(e.Commit, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not a commit id", e.Commit)
	}
	if !strings.Contains(t.URL, "{commit}") {
		return "", errors.New("the URL does not say where the commit stands (hint: write {commit} in it)")
	}
	return strings.ReplaceAll(t.URL, "{commit}", e.Commit), nil
}

// bearer gives a forge its token, over TLS or on this machine only.
func (t Target) bearer(h http.Header) error {
	u, err := url.Parse(t.URL)
	if err != nil {
		return errors.New("the URL is malformed")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && u.Hostname() != "localhost" && !(ip != nil && ip.IsLoopback()) {
		return errors.New("the token of a forge goes over https only (hint: write https://… as url)")
	}
	if t.Secret == nil {
		return nil
	}
	token, err := t.Secret()
	if err != nil {
		return fmt.Errorf("read the token of the forge: %w", err)
	}
	h.Set("Authorization", "Bearer "+token)
	return nil
}
