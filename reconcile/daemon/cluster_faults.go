package daemon

import (
	"strconv"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/release"
)

// clusterFault says what keeps us from judging a cluster, as an operator would name it.
type clusterFault struct {
	kind     string // names the cause, for a filter of logs
	text     string
	severity plan.Severity
}

// faultOf returns what is wrong with how a cluster answers us. ok is false if nothing is,
// or if something else tells of it: a stale cluster may be away, and a token file that
// cannot be read is told with its name.
func faultOf(c plan.ClusterPlan) (f clusterFault, ok bool) {
	f, ok = viewFault(c.View)
	switch {
	case !ok || c.DesiredRole == plan.RoleStale && c.View.Reach == plan.ReachUnreachable:
		return clusterFault{}, false
	case f.severity == "":
		f.severity = plan.SeverityWarning
		if c.DesiredRole == plan.RolePrimary {
			f.severity = plan.SeverityCritical
		}
	}
	f.text = c.ID + " " + f.text
	if c.View.Error != "" {
		f.text += ": " + c.View.Error
	}
	return f, true
}

// viewFault returns the cause that a view shows. What only an operator can mend is
// critical; without a severity it depends on the role.
func viewFault(v plan.View) (clusterFault, bool) {
	critical := plan.SeverityCritical
	switch {
	case v.Class == plan.ClassNotCalled || v.At.IsZero():
		return clusterFault{}, false
	case v.Credential == plan.CredentialRefused || v.Class == plan.ClassUnauthenticated:
		return clusterFault{tokenFault, "refuses our token", critical}, true
	case v.Class == plan.ClassPermissionDenied:
		return clusterFault{"rights", "denies our user a right", critical}, true
	case v.Class == plan.ClassTLS:
		return clusterFault{"tls", "cannot be reached", critical}, true
	case v.Class == plan.ClassDNS:
		return clusterFault{"name", "cannot be reached: its name is not resolved", ""}, true
	case v.IdentityConflict != "":
		return clusterFault{"identity", "does not answer at its address: the cluster there is " + v.IdentityConflict, critical}, true
	case v.Reach == plan.ReachUnreachable:
		return clusterFault{"unreachable", "does not answer", ""}, true
	case v.Reach == plan.ReachDegraded:
		return clusterFault{"not_serving", "answers, but does not serve", ""}, true
	case v.Reach == plan.ReachUnknown:
		return clusterFault{"unknown", "is not known to answer", ""}, true
	case v.Belief.Kind == plan.BeliefUnknown:
		return clusterFault{"unreadable", "is up, but its role cannot be read", ""}, true
	case v.DumpDenied:
		return clusterFault{"rights", "denies our user the privilege " + release.PrivilegeDump + ": the lag of its standbys is not known", ""}, true
	default:
		return progressFault(v)
	}
}

// progressFault returns why channels of a standby could not be read.
func progressFault(v plan.View) (clusterFault, bool) {
	unread, why := 0, ""
	for _, p := range v.Progress {
		if !p.Known {
			unread++
			why = p.Error
		}
	}
	if unread == 0 {
		return clusterFault{}, false
	}
	text := "did not say how far " + strconv.Itoa(unread) + " of " + strconv.Itoa(len(v.Progress)) + " channels are"
	if why != "" {
		text += ": " + why
	}
	return clusterFault{"progress", text, plan.SeverityWarning}, true
}

// clusterKey is the key of the fault of a cluster.
func clusterKey(cluster string) string { return "cluster/" + cluster }

// tokenFault is the kind of the fault that a cluster refuses our token.
const tokenFault = "token"

// tokenPrefix begins the key of the fault that a token is refused. Its holders are clusters,
// as [worker.holderOf] names them.
const tokenPrefix = "token/"

// holderOf is a cluster as the holder of a fault that clusters share.
func (w *worker) holderOf(cluster string) string { return w.name + "/" + cluster }

// tokenOf names where the token of a cluster comes from; empty: it is not known.
func (w *worker) tokenOf(cluster string) string {
	s, done := w.loop.use()
	defer done()
	if s.TokenOf == nil {
		return ""
	}
	return s.TokenOf(cluster)
}

// tellClusters tells of the clusters of a topology that cannot be judged any more, or can
// be again. faulty says that some cannot.
func (w *worker) tellClusters(t plan.TopologyPlan, commit string) (faulty bool) {
	for _, c := range t.Clusters {
		e := Event{Kind: EventFault, Topology: w.name, Cluster: c.ID, Commit: commit, Trace: w.trace}
		f, ok := faultOf(c)
		if _, down := viewFault(c.View); !ok && down {
			continue // it is stale by now, and does not answer all the same
		}
		if !ok {
			e.Kind, e.Severity, e.Text = EventFaultOver, plan.SeverityInfo, c.ID+" can be judged again"
			w.loop.faults.endFor(clusterKey(c.ID), w.name, e)
			if token := w.refused[c.ID]; token != "" {
				e.Text = c.ID + " takes our token again, and no other cluster refuses it: " + token
				w.loop.faults.endFor(tokenPrefix+token, w.holderOf(c.ID), e)
				delete(w.refused, c.ID)
			}
			continue
		}
		faulty = true
		w.tellCluster(c.ID, f, e)
	}
	return faulty
}

// tellCluster tells of the fault of one cluster.
func (w *worker) tellCluster(cluster string, f clusterFault, e Event) {
	e.Severity, e.Code, e.Text = f.severity, f.kind, f.text
	token := ""
	if f.kind == tokenFault {
		token = w.tokenOf(cluster)
	}
	if before := w.refused[cluster]; before != "" && before != token {
		w.loop.faults.leave(tokenPrefix+before, w.holderOf(cluster))
		delete(w.refused, cluster)
	}
	if token == "" {
		w.loop.faults.meets(clusterKey(cluster), w.name, f.kind, e)
		return
	}
	if w.refused == nil {
		w.refused = map[string]string{}
	}
	w.refused[cluster] = token
	w.loop.faults.leave(clusterKey(cluster), w.name)
	e.Text += " (the token is that of the " + token + "; of other clusters that refuse it too nothing is logged)"
	w.loop.faults.meets(tokenPrefix+token, w.holderOf(cluster), f.kind, e)
}
