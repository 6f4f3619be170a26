package redirect_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reason"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
	"milvus-reconcile/reconcile/redirect"
)

// kube is one namespace of a real API server, in which reconcile has the documented role.
type kube struct {
	server    *kubeserver.Server
	namespace string
	access    kubeapi.Config
	seen      string // by the newest set
}

var unwanted = regexp.MustCompile(`[^a-z0-9]+`)

func newKube(t *testing.T, server *kubeserver.Server) *kube {
	t.Helper()
	k := &kube{server: server, namespace: "t" + unwanted.ReplaceAllString(strings.ToLower(t.Name()), "")}
	k.namespace = k.namespace[:min(len(k.namespace), 60)]
	token := server.Account(t, k.namespace, "reconcile")
	server.Apply(t, strings.ReplaceAll(documentedRole(t), "milvus", k.namespace))
	k.access = kubeapi.Config{Kubeconfig: server.Kubeconfig(t, token), Context: "tests"}
	return k
}

// documentedRole is the manifest of docs/redirect.md, for the account reconcile of the
// namespace milvus.
func documentedRole(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "redirect.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "<!-- role -->\n```yaml\n")
	manifest, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("docs/redirect.md holds no role")
	}
	return manifest
}

func (k *kube) service(t *testing.T, spec string) {
	t.Helper()
	k.server.Apply(t, fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: %s}\nspec: %s\n", k.namespace, spec))
}

const ports = "ports: [{name: milvus, port: 19530}]"

func (k *kube) selectors() redirect.Target {
	return k.target(redirect.Kubernetes{Selectors: map[string]map[string]string{"cluster-a": {"db": "a"}, "cluster-b": {"db": "b"}}})
}

func (k *kube) endpoints() redirect.Target {
	at := func(texts ...string) (out []netip.AddrPort) {
		for _, text := range texts {
			out = append(out, netip.MustParseAddrPort(text))
		}
		return out
	}
	return k.target(redirect.Kubernetes{Endpoints: map[string][]netip.AddrPort{
		"cluster-a": at("10.1.0.1:19530", "10.1.0.2:19530"), "cluster-b": at("10.2.0.1:29530"), "cluster-c": at("[2001:db8::5]:19530"),
	}})
}

func (k *kube) names() redirect.Target {
	return k.target(redirect.Kubernetes{ExternalNames: map[string]string{"cluster-a": "a.example", "cluster-b": "b.example"}})
}

func (k *kube) target(c redirect.Kubernetes) redirect.Target {
	c.API, c.Namespace, c.Service = k.access, k.namespace, "db"
	return redirect.Target{Name: "svc", Timeout: 20 * time.Second, Kubernetes: &c}
}

func (k *kube) set(t *testing.T, target redirect.Target, primary string, stale ...string) plan.TrafficState {
	t.Helper()
	r, _ := made(t, target)
	ctx := reason.With(t.Context(), reason.Reason{Commit: "c0ffee", Transition: plan.TransitionFailover})
	return only(t, r.Set(ctx, "orders", primary, stale))
}

func (k *kube) check(t *testing.T, target redirect.Target, primary string) plan.TrafficState {
	t.Helper()
	r, _ := made(t, target)
	return only(t, r.Check(t.Context(), "orders", primary, nil))
}

// mustSet demands that a set succeeds.
func (k *kube) mustSet(t *testing.T, target redirect.Target, primary string) {
	t.Helper()
	s := k.set(t, target, primary)
	if !s.OK {
		t.Fatalf("set to %s: %s", primary, s.Detail)
	}
	k.seen = s.Seen
	if s := k.check(t, target, primary); !s.OK {
		t.Fatalf("check of %s: %s", primary, s.Detail)
	}
}

func refused(t *testing.T, s plan.TrafficState, says ...string) {
	t.Helper()
	for _, say := range says {
		if s.OK || !strings.Contains(s.Detail, say) {
			t.Errorf("got %t %q, want %q", s.OK, s.Detail, say)
		}
	}
}

type kubeObject struct {
	Metadata struct {
		Name, ResourceVersion string
		Labels, Annotations   map[string]string
	}
	Spec struct {
		Selector           map[string]string
		Type, ExternalName string
	}
	Endpoints []struct{ Addresses []string }
	Ports     []struct {
		Name string
		Port int
	}
}

func (k *kube) get(t *testing.T) kubeObject {
	t.Helper()
	var o kubeObject
	k.server.Do(t, http.MethodGet, "/api/v1/namespaces/"+k.namespace+"/services/db", nil, &o)
	return o
}

func (k *kube) slicesPath() string {
	return "/apis/discovery.k8s.io/v1/namespaces/" + k.namespace + "/endpointslices"
}

// history returns what the endpoints of the namespace were, one entry for each change since
// a version: the addresses of all slices at that moment.
func (k *kube) history(t *testing.T, since string) []string {
	t.Helper()
	_, answer := k.server.Call(t, k.server.Token, http.MethodGet, k.slicesPath()+"?watch=1&timeoutSeconds=1&resourceVersion="+since, nil)
	now := map[string][]string{}
	var out []string
	lines := bufio.NewScanner(strings.NewReader(string(answer)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct{ Object kubeObject }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		o := event.Object
		now[o.Metadata.Name] = nil
		for _, e := range o.Endpoints {
			now[o.Metadata.Name] = append(now[o.Metadata.Name], e.Addresses...)
		}
		all := slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(now))...)))
		if text := strings.Join(all, " "); len(out) == 0 || out[len(out)-1] != text {
			out = append(out, text)
		}
	}
	return out
}

func (k *kube) version(t *testing.T) string {
	t.Helper()
	var list kubeObject
	k.server.Do(t, http.MethodGet, k.slicesPath(), nil, &list)
	return list.Metadata.ResourceVersion
}

// controller maintains the endpoints of the Service until stop, as the endpointslice-controller
// does from the pods: selector label db to address. A cleanup would be too late to stop it: the
// context of its requests ends before that.
func (k *kube) controller(t *testing.T, pods map[string]string) (stop func()) {
	t.Helper()
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for last := "?"; ; {
			if now := k.get(t).Spec.Selector["db"]; now != last {
				k.slice(t, "db-x1", "endpointslice-controller.k8s.io", pods[now])
				last = now
			}
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() { close(end); <-done }
}

// slice writes an EndpointSlice of the Service; an empty address: without endpoints.
func (k *kube) slice(t *testing.T, name, manager, address string) {
	t.Helper()
	endpoints := "[]"
	if address != "" {
		endpoints = "[{addresses: [" + address + "], conditions: {ready: true}}]"
	}
	k.server.Apply(t, fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s, namespace: %s, labels: {kubernetes.io/service-name: db, endpointslice.kubernetes.io/managed-by: %s}}
addressType: IPv4
endpoints: %s
ports: [{name: milvus, port: 19530}]
`, name, k.namespace, manager, endpoints))
}

var inQuotes = regexp.MustCompile(`echo '([^']*)'`)

// byHand does what the hint of a refusal says.
func (k *kube) byHand(t *testing.T, detail string) {
	t.Helper()
	found := inQuotes.FindStringSubmatch(detail)
	if found == nil || !strings.Contains(detail, "kubectl -n "+k.namespace+" apply --server-side --force-conflicts --field-manager=reconcile -f -") {
		t.Fatalf("no command in %q", detail)
	}
	k.applyAs(t, kubeapi.New(kubeapi.Config{Kubeconfig: k.server.Kubeconfig(t, k.server.Token), Context: "tests"}), true, found[1])
}

// applyAs applies the Service as the field manager reconcile, as kubectl does.
func (k *kube) applyAs(t *testing.T, api *kubeapi.Client, force bool, object string) {
	t.Helper()
	if err := api.Do(t.Context(), kubeapi.Request{
		Method: http.MethodPatch, Path: "/api/v1/namespaces/" + k.namespace + "/services/db", Type: "application/apply-patch+yaml",
		Query: map[string][]string{"fieldManager": {"reconcile"}, "force": {strconv.FormatBool(force)}}, Body: json.RawMessage(object),
	}, nil); err != nil {
		t.Fatal(err)
	}
}

// role gives reconcile the documented role without one verb.
func (k *kube) role(t *testing.T, resource, verb string) {
	t.Helper()
	manifest := strings.ReplaceAll(documentedRole(t), "milvus", k.namespace)
	lines := strings.Split(manifest, "\n")
	for i, line := range lines {
		if resource != "" && strings.Contains(line, "["+resource+"]") {
			lines[i] = regexp.MustCompile(`\b`+verb+`\b`).ReplaceAllString(line, "watch")
		}
	}
	k.server.Apply(t, strings.Join(lines, "\n"))
}

// await asks until an answer is as wanted.
func (k *kube) await(t *testing.T, ask func() string, wanted func(string) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		got := ask()
		if wanted(got) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %q", got)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
