package schema

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// field is a decoded value and where it stands. Its readers return the zero
// value for a wrong type, which the structure stage has reported.
type field struct {
	doc   *document
	base  string // its path without key, if it has one
	key   string
	keyed bool
	value any
	set   bool // the key is there
}

// path is its JSON pointer. Most fields are never asked for it.
func (f field) path() string {
	if f.keyed {
		return pointer(f.base, f.key)
	}
	return f.base
}

func (d *document) field() field { return field{doc: d, value: d.value, set: true} }

func (f field) get(key string) field {
	m, _ := f.value.(map[string]any)
	v, ok := m[key]
	return field{doc: f.doc, base: f.path(), key: key, keyed: true, value: v, set: ok}
}

func (f field) items() []field {
	list, _ := f.value.([]any)
	out, base := make([]field, len(list)), f.path()
	for i, v := range list {
		out[i] = field{doc: f.doc, base: base, key: strconv.Itoa(i), keyed: true, value: v, set: true}
		if _, has := v.(map[string]any); has { // its own fields begin with it
			out[i].base, out[i].keyed = out[i].path(), false
		}
	}
	return out
}

// entries returns the fields of a mapping, sorted by key.
func (f field) entries() ([]string, []field) {
	m, _ := f.value.(map[string]any)
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]field, len(keys))
	for i, k := range keys {
		out[i] = f.get(k)
	}
	return keys, out
}

func (f field) fail(message, hint string) { f.doc.fail(f.path(), message, hint) }

func (f field) text() string {
	s, _ := f.value.(string)
	return s
}

func (f field) textOr(fallback string) string {
	if !f.set {
		return fallback
	}
	return f.text()
}

func (f field) flagOr(fallback bool) bool {
	if !f.set {
		return fallback
	}
	b, _ := f.value.(bool)
	return b
}

func (f field) numberOr(fallback int64) int64 {
	if !f.set {
		return fallback
	}
	n, _ := f.value.(json.Number)
	i, _ := n.Int64()
	return i
}

func (f field) texts() []string {
	var out []string
	for _, item := range f.items() {
		out = append(out, item.text())
	}
	return out
}

// position is where the value stands, for the model.
func (f field) position() plan.Position {
	at := f.doc.find(f.path())
	return plan.Position{File: f.doc.file, Line: at.line, Column: at.column}
}

// maxDuration bounds every duration of the files: longer than a year is a
// mistake, and sums of a few stay far from overflow.
const maxDuration = 8760 * time.Hour

const durationHint = "write a Go duration such as 30s, 10m or 1h30m"

func (f field) durationOr(fallback time.Duration) time.Duration {
	if !f.set {
		return fallback
	}
	v, _ := f.duration()
	return v
}

// intervalOr is durationOr for what must not be zero, such as a timeout.
func (f field) intervalOr(fallback time.Duration) time.Duration {
	if !f.set {
		return fallback
	}
	v, ok := f.duration()
	if ok && v == 0 {
		f.fail("it must be more than 0", durationHint)
	}
	return v
}

func (f field) duration() (v time.Duration, ok bool) {
	s, isText := f.value.(string)
	if !isText {
		return 0, false
	}
	v, err := time.ParseDuration(s)
	switch {
	case err != nil:
		f.fail(quoted(s)+" is not a duration", durationHint)
	case v < 0:
		f.fail(quoted(s)+" is negative", durationHint)
	case v > maxDuration:
		f.fail(quoted(s)+" is longer than a year", "write at most "+maxDuration.String())
	default:
		return v, true
	}
	return 0, false
}

func (f field) time() time.Time {
	s, ok := f.value.(string)
	if !ok {
		return time.Time{}
	}
	t, err := plan.ParseTime(s)
	if err != nil {
		f.fail(quoted(s)+" is not an RFC 3339 time", "write date, time and zone, such as 2026-11-01T09:00:00Z")
		return time.Time{}
	}
	if t.Year() < 2000 || t.Year() > 9998 {
		f.fail(quoted(s)+" is not a plausible time", "write date and time with the year, such as 2026-11-01T09:00:00Z")
	}
	return t
}

var clusterID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })

var hostName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?$`) })

func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= 253 && hostName().MatchString(host) && !strings.Contains(host, "..")
}

func isPort(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535 && port == strconv.Itoa(n)
}

// address checks host:port.
func (f field) address() string {
	s := f.text()
	if s == "" {
		return ""
	}
	hint := "write host:port, such as cluster-a.example:19530"
	host, port, err := net.SplitHostPort(s)
	switch {
	case strings.Contains(s, "@"):
		f.fail("it holds a user or password", "secrets never belong here; "+hint)
	case strings.Contains(s, "://"):
		f.fail(quoted(s)+" has a scheme", hint)
	case err != nil && strings.Contains(err.Error(), "missing port"):
		f.fail(quoted(s)+" has no port", hint)
	case err != nil || !isHost(host):
		f.fail(quoted(s)+" is not an address", hint)
	case !isPort(port):
		f.fail(quoted(s)+" has no port from 1 to 65535", hint)
	default:
		return s
	}
	return ""
}

// clusterScheme reports whether a uri begins as every client of Milvus takes it. The
// Go client, by which Milvus replicates, takes nothing but these two, in lower
// case; it reads anything else as a host and the rest as the name of a database.
func clusterScheme(uri string) bool {
	return strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://")
}

// clusterURI checks a connection_param.uri as strictly as Milvus and its clients
// do, and in addition demands a scheme and a host and refuses anything like a
// secret. ok says whether the parsed form can be used.
func (f field) clusterURI() (parsed *url.URL, ok bool) {
	s := f.text()
	if s == "" {
		return nil, false
	}
	hint := "write http://host:port or https://host:port, such as http://cluster-a.example:19530"
	u, err := url.ParseRequestURI(s)
	if strings.Contains(s, "@") {
		f.fail("the uri holds a user or password", "secrets never belong here: the operator's configuration refers to the token; "+hint)
		return nil, false
	}
	message := ""
	switch {
	case !strings.Contains(s, "://"):
		message = quoted(s) + " has no scheme"
	case err != nil:
		message = quoted(s) + " is not a URI"
	case !clusterScheme(s):
		message = quoted(s) + " has a scheme that the clients of Milvus do not take"
	case u.Hostname() == "":
		message = quoted(s) + " has no host"
	case !isHost(u.Hostname()):
		message = quoted(u.Hostname()) + " is not a host"
	case u.Port() != "" && !isPort(u.Port()):
		message = quoted(u.Port()) + " is not a port from 1 to 65535"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		message = "the uri has a query or fragment"
	case strings.ContainsAny(s, " \t"):
		message = "the uri holds blanks"
	default:
		return u, true
	}
	f.fail(message, hint)
	return nil, false
}

// webURL checks an http or https URL that a configuration names.
func (f field) webURL() string {
	s := f.text()
	if s == "" {
		return s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		f.fail("it is not an http or https URL", "write https://host/path")
	case u.User != nil:
		f.fail("the URL holds a user or password", "remove it; refer to the secret with secretFrom")
	}
	return s
}

// mailURL is a mail server: smtp for STARTTLS, smtps for TLS from the first byte.
func (f field) mailURL() string {
	s := f.text()
	if s == "" {
		return s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps":
		f.fail("it is not the URL of a mail server", "write smtp://host:587, or smtps://host:465")
	case u.User != nil:
		f.fail("the URL holds a user or password", "remove it; refer to them with email.usernameFrom and secretFrom")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "":
		f.fail("the URL of a mail server ends with its port", "write smtp://host:587, or smtps://host:465")
	}
	return s
}

// uriKey is the form in which two uris count as the same server.
func uriKey(u *url.URL) string {
	return fmt.Sprintf("%s://%s%s", strings.ToLower(u.Scheme), strings.ToLower(u.Host), strings.TrimRight(u.EscapedPath(), "/"))
}
