package kubeview_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/daemon"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/reconciletest/kubeserver"
)

// TestKubernetesView runs the writer against a real API server.
func TestKubernetesView(t *testing.T) {
	server := kubeserver.Start(t)
	definition, err := os.ReadFile(filepath.Join("..", "..", "schema", "replicationtopologystatus.crd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	server.Apply(t, string(definition))
	for name, test := range map[string]func(*testing.T, *lab){
		"TopologiesAreObjectsWithConditions": topologiesAreObjectsWithConditions,
		"TimesOfConditionsOutliveAProcess":   timesOfConditionsOutliveAProcess,
		"SchemaRefusesWhatContradictsItself": schemaRefusesWhatContradictsItself,
		"ObjectsGoWithTheirDocuments":        objectsGoWithTheirDocuments,
		"EventsTellOfATopology":              eventsTellOfATopology,
		"OnlyTheLeaderWrites":                onlyTheLeaderWrites,
		"FieldsOfOthersAreNotTaken":          fieldsOfOthersAreNotTaken,
		"RightsAreTheLeast":                  rightsAreTheLeast,
	} {
		t.Run(name, func(t *testing.T) { test(t, newLab(t, server)) })
	}
}

func topologiesAreObjectsWithConditions(t *testing.T, l *lab) {
	for _, c := range []struct {
		state                      daemon.State
		ready, reconciling, stuck  string
		reason, health, transition string
	}{
		{daemon.StateInSync, "True", "False", "False", "InSync", "Current", "none"},
		{daemon.StatePending, "False", "True", "False", "Pending", "InProgress", "failover"},
		{daemon.StateApplying, "False", "True", "False", "Applying", "InProgress", "failover"},
		{daemon.StateBlocked, "False", "False", "True", "Blocked", "Failed", "failover"},
		{daemon.StateDrifted, "False", "False", "True", "Drifted", "Failed", "none"},
		{daemon.StateSuspended, "Unknown", "False", "False", "Suspended", "InProgress", "none"},
		{daemon.StateUnknown, "Unknown", "True", "False", "NotJudged", "InProgress", "none"},
	} {
		s := topology("orders", c.state)
		if c.transition == "failover" {
			s.Plan.Transition = plan.TransitionFailover
		}
		l.publish(leading(s))
		l.await(t, "the state "+c.state.String(), func() bool { return l.get(t, "orders").Status.State == c.state.String() })
		o := l.get(t, "orders")
		got := []string{o.condition("Ready").Status, o.condition("Reconciling").Status, o.condition("Stalled").Status, o.condition("Ready").Reason, o.health(), o.Status.Transition}
		want := []string{c.ready, c.reconciling, c.stuck, c.reason, c.health, c.transition}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", c.state, got, want)
		}
	}
	if o := l.get(t, "orders"); o.Status.Primary != "cluster-b" || len(o.Status.Clusters) != 2 || o.Status.Clusters[0].LagSeconds == nil || o.Status.Commit != "c0ffee" {
		t.Errorf("got %+v", o.Status)
	}
	if got := l.table(t); !strings.Contains(got, "Name State Primary Ready Change Generation Observed") || !strings.Contains(got, "orders unknown cluster-b Unknown none 8") {
		t.Errorf("kubectl get shows %q", got)
	}
}

// timesOfConditionsOutliveAProcess: a process that takes over keeps since when it is so.
func timesOfConditionsOutliveAProcess(t *testing.T, l *lab) {
	l.publish(leading(topology("orders", daemon.StateInSync)))
	l.await(t, "the object", func() bool { return l.get(t, "orders").Status.State == "in_sync" })
	first := l.get(t, "orders")
	next := newLab(t, l.server)
	next.namespace, next.later = l.namespace, time.Hour
	next.start(t)
	next.publish(leading(topology("orders", daemon.StateInSync)))
	next.await(t, "another writer", func() bool { return l.get(t, "orders").Status.ObservedAt != first.Status.ObservedAt })
	if got := l.get(t, "orders").condition("Ready"); got.LastTransitionTime != first.condition("Ready").LastTransitionTime {
		t.Errorf("Ready since %s, and before since %s", got.LastTransitionTime, first.condition("Ready").LastTransitionTime)
	}
}

// schemaRefusesWhatContradictsItself: the rules of the schema, one by one.
func schemaRefusesWhatContradictsItself(t *testing.T, l *lab) {
	path := l.path("orders")
	l.server.Do(t, http.MethodPost, l.path(""), map[string]any{"apiVersion": "reconcile.milvus.io/v1alpha1", "kind": "ReplicationTopologyStatus", "metadata": map[string]any{"name": "orders"}}, nil)
	good := `{"topology":"orders","state":"in_sync","observedGeneration":1,"observedAt":"2026-11-30T12:00:00Z","conditions":[
		{"type":"Ready","status":"True","reason":"InSync","message":"m","lastTransitionTime":"2026-11-30T12:00:00Z","observedGeneration":1},
		{"type":"Stalled","status":"False","reason":"InSync","message":"m","lastTransitionTime":"2026-11-30T12:00:00Z","observedGeneration":1}],
		"clusters":[{"id":"a","desiredRole":"primary"},{"id":"b","desiredRole":"standby"}]}`
	for _, c := range []struct{ old, new, say string }{
		{"", "", ""},
		{`"topology":"orders"`, `"topology":"users"`, "the object has the name of its topology"},
		{`"type":"Stalled","status":"False"`, `"type":"Stalled","status":"True"`, "what is ready neither changes nor is stalled"},
		{`"type":"Ready","status":"True"`, `"type":"Ready","status":"False"`, "what is in sync is ready"},
		{`"b","desiredRole":"standby"`, `"b","desiredRole":"primary"`, "Git names at most one primary"},
		{`"in_sync"`, `"splendid"`, "Unsupported value"},
		{`"id":"b"`, `"id":"a"`, "Duplicate value"},
		{`"topology":"orders",`, ``, "status.topology: Required value"},
	} {
		var status any
		if err := json.Unmarshal([]byte(strings.Replace(good, c.old, c.new, 1)), &status); err != nil {
			t.Fatal(err)
		}
		var live map[string]any
		l.server.Do(t, http.MethodGet, path, nil, &live)
		live["status"] = status
		code, answer := l.server.Call(t, l.server.Token, http.MethodPut, path+"/status", live)
		if c.say == "" && code != http.StatusOK || !strings.Contains(string(answer), c.say) {
			t.Errorf("%s for %s: %d %s", c.new, c.old, code, answer)
		}
	}
}

// objectsGoWithTheirDocuments: the object of a topology that no document names is removed,
// but not while a document cannot be read, and none of another shard.
func objectsGoWithTheirDocuments(t *testing.T, l *lab) {
	both := leading(topology("orders", daemon.StateInSync), topology("users", daemon.StateInSync))
	l.publish(both)
	l.await(t, "both objects", func() bool { return l.exists(t, "orders") && l.exists(t, "users") })
	l.server.Apply(t, fmt.Sprintf("apiVersion: reconcile.milvus.io/v1alpha1\nkind: ReplicationTopologyStatus\nmetadata: {name: elsewhere, namespace: %s, labels: {app.kubernetes.io/managed-by: reconcile, reconcile.milvus.io/shard: us}}\n", l.namespace))
	broken := leading(topology("orders", daemon.StateInSync))
	broken.Problems = []string{"users.yaml: it is broken"}
	l.publish(broken)
	l.rounds(t, 3)
	if !l.exists(t, "users") {
		t.Fatal("the object of a topology whose document is broken is gone")
	}
	l.publish(leading(topology("orders", daemon.StateInSync)))
	l.await(t, "the object of users to go", func() bool { return !l.exists(t, "users") })
	if !l.exists(t, "orders") || !l.exists(t, "elsewhere") {
		t.Error("another object is gone, too")
	}
}

func eventsTellOfATopology(t *testing.T, l *lab) {
	l.publish(leading(topology("orders", daemon.StateInSync)))
	l.await(t, "the object", func() bool { return l.exists(t, "orders") })
	l.writer.OnEvent(daemon.Event{At: l.now(), Kind: daemon.EventLost, Severity: plan.SeverityCritical, Topology: "orders", Commit: "c0ffee", Text: "cluster-a is lost", Remedy: "approve it"})
	l.writer.OnEvent(daemon.Event{At: l.now(), Kind: daemon.EventResult, Severity: plan.SeverityInfo, Topology: "orders", Text: strings.Repeat("ü", 2000)})
	l.writer.OnEvent(daemon.Event{At: l.now(), Kind: daemon.EventLeader, Text: "of no topology"})
	var list struct {
		Items []struct {
			Reason, Type, Note, ReportingController string
			Regarding                               struct{ Kind, Name, UID string }
		}
	}
	l.await(t, "two events", func() bool {
		l.server.Do(t, http.MethodGet, "/apis/events.k8s.io/v1/namespaces/"+l.namespace+"/events", nil, &list)
		return len(list.Items) == 2
	})
	for _, e := range list.Items {
		if e.Regarding.Kind != "ReplicationTopologyStatus" || e.Regarding.Name != "orders" || e.Regarding.UID != l.get(t, "orders").Metadata.UID {
			t.Errorf("it is about %+v", e.Regarding)
		}
		if e.Reason == "PrimaryLost" && (e.Type != "Warning" || e.Note != "cluster-a is lost; approve it (commit c0ffee)") || e.Reason == "ChangeEnded" && e.Type != "Normal" {
			t.Errorf("got %+v", e)
		}
	}
}

// onlyTheLeaderWrites: a process that waits for the leader writes neither objects nor events.
func onlyTheLeaderWrites(t *testing.T, l *lab) {
	waiting := leading(topology("orders", daemon.StateInSync))
	waiting.Leader = false
	l.publish(waiting)
	l.writer.OnEvent(daemon.Event{At: l.now(), Kind: daemon.EventLost, Topology: "orders", Text: "lost"})
	l.rounds(t, 3)
	if l.exists(t, "orders") {
		t.Error("it wrote")
	}
	l.publish(leading(topology("orders", daemon.StateInSync)))
	l.await(t, "the object", func() bool { return l.exists(t, "orders") })
}

// fieldsOfOthersAreNotTaken: what somebody else wrote stays, and the log says so once.
func fieldsOfOthersAreNotTaken(t *testing.T, l *lab) {
	l.publish(leading(topology("orders", daemon.StateInSync)))
	l.await(t, "the object", func() bool { return l.get(t, "orders").Status.State == "in_sync" })
	var live map[string]any
	l.server.Do(t, http.MethodGet, l.path("orders"), nil, &live)
	live["status"].(map[string]any)["primary"] = "cluster-z"
	l.server.Do(t, http.MethodPut, l.path("orders")+"/status?fieldManager=somebody", live, nil)
	l.publish(leading(topology("orders", daemon.StateDrifted)))
	l.await(t, "the log", func() bool { return strings.Contains(l.log.String(), "another manager wrote to the object") })
	if got := l.get(t, "orders").Status.Primary; got != "cluster-z" {
		t.Errorf("it took the field over: %s", got)
	}
	l.server.Do(t, http.MethodDelete, l.path("orders"), nil, nil)
	l.await(t, "a new object", func() bool { return l.exists(t, "orders") && l.get(t, "orders").Status.State == "drifted" })
}

// rightsAreTheLeast: without any verb of docs/kubernetes.md the log names the missing right.
func rightsAreTheLeast(t *testing.T, l *lab) {
	l.publish(leading(topology("orders", daemon.StateInSync)))
	l.await(t, "the object", func() bool { return l.exists(t, "orders") })
	role := l.role(t)
	for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
		l.server.Apply(t, regexp.MustCompile(`\b`+verb+`\b`).ReplaceAllString(role, "watch"))
		n := 0
		l.await(t, "a failure without "+verb, func() bool {
			n++ // each time there is something to make and something to remove
			l.publish(leading(topology(fmt.Sprintf("t%d", n), daemon.StateInSync)))
			l.rounds(t, 1)
			return strings.Contains(l.log.String(), "cannot "+verb+" resource")
		})
	}
}

// TestAServerThatHangsHoldsNothingUp: events are taken, and the end of the daemon ends it.
func TestAServerThatHangsHoldsNothingUp(t *testing.T) {
	hung := make(chan struct{})
	l := &lab{namespace: "apps"}
	l.access = kubeapi.Config{Kubeconfig: hangingServer(t, hung), Context: "tests", Wait: 50 * time.Millisecond}
	l.start(t)
	l.publish(leading(topology("orders", daemon.StateInSync)))
	for range 1000 {
		l.writer.OnEvent(daemon.Event{At: l.now(), Kind: daemon.EventState, Topology: "orders", Text: "x"})
	}
	l.await(t, "a failed round", func() bool { return l.failed.Load() > 0 })
	l.stop()
	if l.written.Load() != 0 {
		t.Error("a round that wrote nothing counts as written")
	}
}
