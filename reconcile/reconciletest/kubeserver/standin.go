package kubeserver

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// StartStandIn starts a server that answers for ConfigMaps and Leases as Kubernetes does, in
// this process: CI has no time to build the real one. It proves nothing alone: what
// it serves by Each also runs on the real one (`make test-kubernetes`), and
// TestStandInAnswersAsKubernetes compares the two. Only it can lose an answer or fall silent when
// a test asks for that.
func StartStandIn(t testing.TB) *Server {
	t.Helper()
	in := &standIn{objects: map[string]map[string]any{}, grants: map[string]Grants{}}
	server := httptest.NewTLSServer(in)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &Server{URL: server.URL, CA: ca, Token: token, roots: roots, client: server.Client(), standIn: in}
}

// LoseAnswers makes the stand-in do what a request asks, and then break the connection, if
// lose returns true.
func (s *Server) LoseAnswers(lose func(*http.Request) bool) {
	s.standIn.mu.Lock()
	defer s.standIn.mu.Unlock()
	s.standIn.lose = lose
}

// Intercept makes the stand-in ask about each request before it does anything. If before returns
// true, it breaks the connection; until it returns, the request waits.
func (s *Server) Intercept(before func(*http.Request) bool) {
	s.standIn.mu.Lock()
	defer s.standIn.mu.Unlock()
	s.standIn.before = before
}

// standIn holds objects by their paths.
type standIn struct {
	mu      sync.Mutex
	objects map[string]map[string]any
	last    int               // resourceVersion
	grants  map[string]Grants // by token and namespace
	lose    func(*http.Request) bool
	before  func(*http.Request) bool
}

// mostInConfigMap is what Kubernetes takes in a ConfigMap.
const mostInConfigMap = 1 << 20

func (in *standIn) grant(namespace, account string, g Grants) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.grants[account+" "+namespace] = g
	return account
}

// call is a request to the stand-in.
type call struct {
	*http.Request
	bearer, namespace, resource, name string
	verb                              string
	body                              map[string]any
}

var verbs = map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodDelete: "delete"}

func parseCall(r *http.Request) (call, bool) {
	c := call{Request: r, bearer: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), verb: verbs[r.Method]}
	rest, ok := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/")
	if !ok {
		rest, ok = strings.CutPrefix(r.URL.Path, "/apis/coordination.k8s.io/v1/namespaces/")
	}
	words := append(strings.Split(rest, "/"), "", "")
	c.namespace, c.resource, c.name = words[0], words[1], words[2]
	if c.verb == "get" && c.name == "" {
		c.verb = "list"
	}
	raw, err := io.ReadAll(r.Body)
	if len(raw) > 0 && err == nil {
		err = json.Unmarshal(raw, &c.body)
	}
	return c, ok && err == nil
}

// ServeHTTP answers one request.
func (in *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in.mu.Lock()
	before := in.before
	in.mu.Unlock()
	if before != nil && before(r) {
		panic(http.ErrAbortHandler)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	c, ok := parseCall(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	code, answer := in.answer(c)
	if in.lose != nil && in.lose(r) {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // who asked is gone, else
}

func refusal(code int, reason, format string, args ...any) (int, map[string]any) {
	return code, map[string]any{"kind": "Status", "status": "Failure", "reason": reason, "message": fmt.Sprintf(format, args...), "code": code}
}

func (in *standIn) answer(c call) (int, map[string]any) {
	g, known := in.grants[c.bearer+" "+c.namespace]
	switch {
	case c.bearer != token && !known:
		return refusal(http.StatusUnauthorized, "Unauthorized", "Unauthorized")
	case c.bearer != token && !slices.Contains(g[c.resource], c.verb):
		return refusal(http.StatusForbidden, "Forbidden", "%s is forbidden: User %q cannot %s resource %q in API group %q in the namespace %q",
			c.resource, c.bearer, c.verb, c.resource, groups[c.resource], c.namespace)
	}
	switch c.verb {
	case "list":
		return in.list(c)
	case "create":
		return in.create(c)
	}
	present := in.objects[Path(c.namespace, c.resource, c.name)]
	switch {
	case present == nil && c.verb == "update" && c.resource == "leases":
		return in.create(c) // Kubernetes makes a Lease that is not there
	case present == nil:
		return refusal(http.StatusNotFound, "NotFound", "%s %q not found", c.resource, c.name)
	}
	switch c.verb {
	case "update":
		return in.update(c, present)
	case "delete":
		delete(in.objects, Path(c.namespace, c.resource, c.name))
	}
	return http.StatusOK, present
}

// list answers with the objects that have the labels, by name, from where the page before ended.
func (in *standIn) list(c call) (int, map[string]any) {
	query := c.URL.Query()
	limit, _ := strconv.Atoi(query.Get("limit")) // none is 0
	page, items, last := map[string]any{}, []any{}, ""
	for _, path := range slices.Sorted(maps.Keys(in.objects)) {
		if !strings.HasPrefix(path, Path(c.namespace, c.resource, "")+"/") || path <= query.Get("continue") || !selected(in.objects[path], query.Get("labelSelector")) {
			continue
		}
		if limit > 0 && len(items) == limit {
			page["continue"] = last
			break
		}
		items, last = append(items, in.objects[path]), path
	}
	return http.StatusOK, map[string]any{"items": items, "metadata": page}
}

// selected reports whether an object has labels, such as a=b,c.
func selected(o map[string]any, selector string) bool {
	labels, _ := metadata(o)["labels"].(map[string]any)
	for one := range strings.SplitSeq(selector, ",") {
		label, value, valued := strings.Cut(one, "=")
		if present, ok := labels[label]; selector != "" && (!ok || valued && present != value) {
			return false
		}
	}
	return true
}

func metadata(o map[string]any) map[string]any {
	m, _ := o["metadata"].(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

func (in *standIn) create(c call) (int, map[string]any) {
	name, _ := metadata(c.body)["name"].(string)
	path := Path(c.namespace, c.resource, name)
	if in.objects[path] != nil {
		return refusal(http.StatusConflict, "AlreadyExists", "%s %q already exists", c.resource, name)
	}
	metadata(c.body)["uid"] = fmt.Sprintf("uid-%d", in.last+1)
	return in.store(c, path, http.StatusCreated)
}

func (in *standIn) update(c call, present map[string]any) (int, map[string]any) {
	asked, is := metadata(c.body), metadata(present)
	for _, field := range []string{"uid", "resourceVersion"} {
		if v, _ := asked[field].(string); v != "" && v != is[field] {
			return refusal(http.StatusConflict, "Conflict", "the object has been modified")
		}
		asked[field] = is[field]
	}
	if present["immutable"] == true && !reflect.DeepEqual(c.body, present) {
		return refusal(http.StatusUnprocessableEntity, "Invalid", "field is immutable when `immutable` is set")
	}
	if reflect.DeepEqual(c.body, present) {
		return http.StatusOK, present // no new version, either
	}
	return in.store(c, Path(c.namespace, c.resource, c.name), http.StatusOK)
}

// store keeps the object of a request, unless that only asks whether it could be kept.
func (in *standIn) store(c call, path string, code int) (int, map[string]any) {
	if sizeOf(c.body) > mostInConfigMap {
		return refusal(http.StatusUnprocessableEntity, "Invalid", "Too long: may not be more than %d bytes", mostInConfigMap)
	}
	if c.URL.Query().Get("dryRun") != "" {
		return code, c.body
	}
	in.last++
	metadata(c.body)["resourceVersion"] = strconv.Itoa(in.last)
	in.objects[path] = c.body
	return code, c.body
}

// sizeOf counts as Kubernetes does for a ConfigMap.
func sizeOf(o map[string]any) int {
	n := 0
	data, _ := o["data"].(map[string]any)
	for _, text := range data {
		n += len(text.(string))
	}
	packed, _ := o["binaryData"].(map[string]any)
	for _, text := range packed {
		n += len(text.(string)) / 4 * 3
	}
	return n
}
