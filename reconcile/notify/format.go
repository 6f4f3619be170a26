package notify

import (
	"bytes"
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
// alone, the others every event of their least severity and above, people's
// without KindStatus.
const (
	FormatCloudEvents Format = "cloudevents"
	FormatSlack       Format = "slack"
	FormatTeams       Format = "teams"
	FormatPagerDuty   Format = "pagerduty"
	FormatEmail       Format = "email"
	FormatGitHub      Format = "github"
	FormatGitLab      Format = "gitlab"
	FormatGitea       Format = "gitea"
)

func (f Format) forge() bool {
	return f == FormatGitHub || f == FormatGitLab || f == FormatGitea
}

// people says whether a format is read by people, who get one message for all
// that a pass found.
func (f Format) people() bool {
	return f == FormatSlack || f == FormatTeams || f == FormatPagerDuty || f == FormatEmail
}

// messages makes the bodies of one bundle in the target's format. PagerDuty takes one
// for each alert; the others get one.
func (t Target) messages(b bundle, source string) ([]Message, error) {
	if t.Format == FormatPagerDuty {
		return t.pagerDuty(b)
	}
	m, err := t.message(b, source)
	return []Message{m}, err
}

func (t Target) message(b bundle, source string) (Message, error) {
	e := b.first()
	switch {
	case t.Format == FormatSlack:
		return jsonMessage(e.ID, slackMessage(noticeOf(b.events)))
	case t.Format == FormatTeams:
		return teamsMessage(e.ID, noticeOf(b.events))
	case t.Format == FormatEmail:
		return t.Email.message(e, noticeOf(b.events))
	case t.Format.forge():
		return jsonMessage(e.ID, t.status(e))
	default:
		return e.cloudEvent(source).Message()
	}
}

func jsonMessage(id string, v any) (Message, error) {
	body, err := encoded(v)
	if err != nil {
		return Message{}, err
	}
	return Message{ID: id, ContentType: "application/json; charset=utf-8", Body: body}, nil
}

// encoded is JSON in which <, > and & stand as they are: escaped they would count six
// times against a receiver's limits.
func encoded(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the event: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
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
		return "", errors.New("the URL does not say where the commit goes (hint: write {commit} in it)")
	}
	return strings.ReplaceAll(t.URL, "{commit}", e.Commit), nil
}

// overTLS refuses to send a secret but over TLS or to this machine.
func (t Target) overTLS(what string) error {
	u, err := url.Parse(t.URL)
	if err != nil {
		return errors.New("the URL is malformed")
	}
	if u.Scheme != "https" && !loopback(u.Hostname()) {
		return errors.New(what + " goes over https only (hint: write https://… as url)")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// bearer gives a forge its token, over TLS or on this machine only.
func (t Target) bearer(h http.Header) error {
	if err := t.overTLS("the token of a forge"); err != nil {
		return err
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
