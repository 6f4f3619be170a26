package plan

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"milvus-reconcile/plan/release"
)

// Reach says how far a cluster answered (contract.md §1).
type Reach string

// The zero value is ReachUnknown: not proven up and not proven gone.
const (
	ReachUnknown     Reach = ""            // name resolution or TLS failed, or nothing was asked
	ReachUp          Reach = "up"          // its control plane answered, or a Milvus process refused us
	ReachDegraded    Reach = "degraded"    // the transport answers, the coordinator does not
	ReachUnreachable Reach = "unreachable" // refused, timed out or Unavailable at connect
)

// String gives the contract's word.
func (r Reach) String() string { return wordOr(string(r), "unknown") }

// ErrorClass is the kind of failure of a probe or read.
type ErrorClass string

// The classes of failure. Only ClassRefused, ClassTimeout and
// ClassUnavailable count as evidence of loss.
//
//	refused            nothing listens at the port
//	timeout            nothing came within the deadline
//	unavailable        the host or network is unreachable, or the connection broke
//	name_resolution    DNS gave no address
//	tls                the handshake failed, or another protocol was spoken
//	unauthenticated    the server refused the token
//	permission_denied  it knows the token, and our user lacks the privilege
//	unimplemented      it does not know the call: an old version
//	not_ready          it says that it does not serve (yet)
//	not_called         the operator's configuration does not let us call it
const (
	ClassNone             ErrorClass = ""
	ClassRefused          ErrorClass = "refused"
	ClassTimeout          ErrorClass = "timeout"
	ClassUnavailable      ErrorClass = "unavailable"
	ClassDNS              ErrorClass = "name_resolution"
	ClassTLS              ErrorClass = "tls"
	ClassUnauthenticated  ErrorClass = "unauthenticated"
	ClassPermissionDenied ErrorClass = "permission_denied"
	ClassUnimplemented    ErrorClass = "unimplemented"
	ClassNotReady         ErrorClass = "not_ready"
	ClassOther            ErrorClass = "other"
	ClassNotCalled        ErrorClass = "not_called"
)

// BeliefKind is what a cluster's own stored configuration says of itself.
type BeliefKind string

// The kinds of belief; the zero value is unknown.
const (
	BeliefUnknown      BeliefKind = ""
	BeliefPrimary      BeliefKind = "primary"
	BeliefStandby      BeliefKind = "standby"
	BeliefStandalone   BeliefKind = "standalone"
	BeliefUnconfigured BeliefKind = "unconfigured"
)

// String gives the contract's word.
func (k BeliefKind) String() string { return wordOr(string(k), "unknown") }

// Belief is the topology as one cluster stores it. Beliefs of different clusters are
// never merged: two clusters that both store the role primary must stay visible.
type Belief struct {
	Kind          BeliefKind
	Configuration Configuration // empty when Kind is unknown or unconfigured
	// Inferred says that no answer states it: the read ran into its deadline
	// while the coordinator answered (milvus.md §1.2, #52686), or, on
	// servers without GetReplicateConfiguration, GetReplicateInfo named the
	// source (Configuration is then empty and Source set).
	Inferred bool
	Source   string // for a standby: the cluster it replicates from
}

// ClassifyBelief derives the role that a stored configuration gives to the cluster
// self, as the server does: a cluster is a standby if some edge targets it (milvus.md
// §2.1).
func ClassifyBelief(self string, c Configuration) Belief {
	if source, ok := c.SourceOf(self); ok {
		return Belief{Kind: BeliefStandby, Configuration: c, Source: source}
	}
	switch {
	case len(c.Clusters) == 0:
		return Belief{Kind: BeliefUnconfigured}
	case len(c.Clusters) == 1 && len(c.Edges) == 0:
		return Belief{Kind: BeliefStandalone, Configuration: c}
	default:
		return Belief{Kind: BeliefPrimary, Configuration: c}
	}
}

// Support says whether a server has a feature. The zero value is not known.
type Support string

// The states of a feature probe.
const (
	SupportUnknown Support = ""
	SupportYes     Support = "yes"
	SupportNo      Support = "no"
)

// Credential says whether the operator's configuration lets us call a
// cluster. The zero value is missing: not configured is not allowed.
type Credential string

// The states of a credential.
const (
	CredentialMissing  Credential = ""
	CredentialBound    Credential = "bound"    // a token, or a declared server without authentication
	CredentialMismatch Credential = "mismatch" // the topology names another address or uri
	CredentialRefused  Credential = "refused"  // the server refused the token
)

// ChannelProgress is GetReplicateInfo on one of a cluster's own channels
// (milvus.md §1.3).
type ChannelProgress struct {
	Channel       string
	Known         bool   // the call answered
	Error         string // why not, when Known is false
	SourceCluster string // checkpoint.cluster_id; empty on a primary
	SourceChannel string
	MessageID     string     // hex of the checkpoint's message id; empty: nothing replicated yet
	TimeTick      uint64     // source tick of the last replicated message; 0: nothing replicated yet
	Salvage       []Salvage  // by source, sorted
	CaughtUpAt    *time.Time // when a probe showed that nothing was unsent
	// Unsent is the source's time of the oldest message that it holds and this
	// channel has not replicated; nil: none was seen, or nobody looked.
	Unsent *time.Time
}

// Salvage is the checkpoint that a force promote left behind for one source.
type Salvage struct {
	SourceCluster string // the primary that was replaced
	SourceChannel string // its pchannel
	MessageID     string // of the last message that was replicated, in hex
	TimeTick      uint64 // of that message, by the clock of the source
}

// Contents is what a cluster is known to hold.
type Contents struct {
	Known       bool     // ListDatabases and ListCollections of each answered with sufficient rights
	Collections []string // "database/collection", sorted
	Hidden      string   // why it is not known, where our user's rights are the reason
}

// View is one cluster as it answered in one observation. The zero view knows nothing:
// reach and belief are unknown, which never counts as down or empty.
type View struct {
	Cluster    string
	At         time.Time // when the read began, by our own clock
	Reach      Reach
	Class      ErrorClass // why Reach is not up, or why it is up and its configuration is not known
	Error      string     // what the read ended with, for people; never holds a token
	Version    string     // build tag; empty: not known
	Credential Credential
	Belief     Belief
	// ReadsConfiguration: GetReplicateConfiguration is served (≥ 2.6.17).
	ReadsConfiguration Support
	// ForcePromotes: DumpMessages is known to the server, hence force_promote
	// is honoured (≥ 2.6.14; milvus.md S06).
	ForcePromotes Support
	// DumpDenied: the server knows DumpMessages and does not let our user call it
	// (the privilege ManageOwnership). What takes a dump is then unknown.
	DumpDenied bool
	// IdentityProven: GetReplicateInfo answered on an own channel, the stored
	// list names it, or a collection's physical channels do.
	IdentityProven bool
	// IdentityConflict names the cluster that answered, if it is not this one.
	IdentityConflict string
	Progress         []ChannelProgress // by channel in numeric order; empty: not read
	// SourceAt is the time of the cluster that a standby replicates from, by its own
	// clock, up to which it was asked what it has not sent; zero: it was not asked.
	SourceAt time.Time
	Contents Contents
	// Readiness is read only for a change of the primary that is planned: of the cluster to
	// promote, and of the old primary of a switchover.
	Readiness Readiness
	// Unlisted are channels that it was found to serve and that neither the file
	// nor its stored list has; nil: none, or nobody asked.
	Unlisted []string
}

// version is what the build tag of the cluster says.
func (v View) version() release.Version { return release.Parse(v.Version) }

// Observed is everything that one observation found. A cluster without a view was not
// asked.
type Observed struct {
	Views    []View     // sorted by cluster
	Evidence []Evidence // rounds of probes, sorted by cluster
	// Traffic is what the redirect targets that can be asked were found to do.
	Traffic []TrafficState
	// Before holds earlier views of standbys that lacked messages, to compare their
	// progress with Views. Empty: no standby was watched.
	Before []View
	// Logs holds what stale clusters that take writes hold alone.
	Logs []StaleLog
	// Wipes holds what shows whether stale clusters that are to be rebuilt were wiped.
	Wipes []WipeProof
	// assumedLost is the primary that [Rehearse] takes to be lost and that was not observed
	// to be: no text may say that it was.
	assumedLost string
}

// Depth says what an observation reads of each cluster beyond reach, version,
// identity and the stored configuration.
type Depth struct {
	// Progress: channel progress of every cluster, what its source has not sent,
	// and whether it could be promoted by force.
	Progress bool
	Contents bool // databases and collections, for clusters that join
	// Readiness: what is not in place to serve, of clusters whose change of role is planned.
	Readiness bool
	Fresh     bool // over new connections: a name may lead elsewhere by now
	// Hanging is a cluster that let the deadline pass in every round of evidence: the
	// observation waits for it only a part of the deadline. Empty: none.
	Hanging string
	// InFlight is what probes of Hanging that are in flight show at this time: Hanging
	// is then not asked. Nil: there are none.
	InFlight *Round
	// Unlisted: whether a cluster serves channels that nobody lists. One that does
	// not is waited for a little.
	Unlisted bool
	// AtRest: the topology was in sync when it was observed last. Its collections are not
	// read again if this observation proves that none came or went since. Nothing is done
	// to a cluster on such an observation alone.
	AtRest bool
}

// TrafficState is what one redirect target was found to do.
type TrafficState struct {
	Topology string
	Target   string
	OK       bool   // it sends traffic where it was asked whether it does
	Unasked  bool   // it has no check: nothing is known of where it sends traffic, and OK is true
	Detail   string // why not; never holds a token
	Stay     Stay
	// Seen is what a set measured: within which time the target was seen to lead to the
	// primary, and what was left of the old way then. Empty: it cannot be asked.
	Seen string
}

// View returns the view of a cluster, or the zero view for a cluster that was not
// observed.
func (o Observed) View(cluster string) View {
	if i := placeOf(cluster, len(o.Views), func(i int) string { return o.Views[i].Cluster }); i >= 0 {
		return o.Views[i]
	}
	return View{Cluster: cluster}
}

// placeOf returns where a name first is among n, or -1. Views and plans are nearly always
// sorted, so it is looked for where it would be then, and one by one only if it is not
// there.
func placeOf(name string, n int, nameAt func(i int) string) int {
	if i := sort.Search(n, func(i int) bool { return nameAt(i) >= name }); i < n && nameAt(i) == name {
		return i
	}
	for i := range n {
		if nameAt(i) == name {
			return i
		}
	}
	return -1
}

// sourceTime is the time of a view by the clock of the source, whose ticks are held
// against it; without it, by our own.
func (v View) sourceTime() time.Time {
	if v.SourceAt.IsZero() {
		return v.At
	}
	return v.SourceAt
}

// Lacks says whether the source is known to hold a message that a channel has not
// replicated.
func (p ChannelProgress) Lacks() bool { return p.Known && p.Unsent != nil }

// Unanswered says whether the source was asked what its standby lacks, and did not say it
// of some channel that has replicated something.
func (v View) Unanswered() bool {
	for _, p := range v.Progress {
		if v.unanswered(p) {
			return true
		}
	}
	return false
}

// unanswered says whether the source did not say of one channel what it lacks.
func (v View) unanswered(p ChannelProgress) bool {
	return !v.SourceAt.IsZero() && p.Known && p.MessageID != "" && p.SourceChannel != "" && p.Unsent == nil && p.CaughtUpAt == nil
}

// NotCaughtUpError is the error of a proof that replication flows: channels of target
// that did not get in time what source wrote.
type NotCaughtUpError struct {
	Source, Target string
	Behind         []string // channels of target
	Channels       int      // how many it has
	Within         time.Duration
	NoneMoved      bool // every channel was read, before and after, and none moved
}

// Error says which channels stand behind, and the likely cause where nothing
// moved at all.
func (e NotCaughtUpError) Error() string {
	if e.NoneMoved {
		return fmt.Sprintf("nothing that %s wrote reached %s within %s: not one of its %d channels moved (%s)",
			e.Source, e.Target, DurationText(e.Within), e.Channels, noReplicationCause(e.Source, e.Target))
	}
	return fmt.Sprintf("%d of %d channels of %s did not receive the writes of %s within %s: %s",
		len(e.Behind), e.Channels, e.Target, e.Source, DurationText(e.Within), ChannelNames(e.Behind))
}

// noReplicationCause names the likely causes when nothing at all is replicated.
func noReplicationCause(source, target string) string {
	return "probably no CDC process runs on " + source + "; or it cannot reach " + target +
		" at the uri of the topology, or its token is refused there"
}

// NoneMoved says whether every channel was read twice and none moved. False if some
// channel is missing from one of the readings: then nothing is proven.
func NoneMoved(before, after []ChannelProgress) bool {
	for _, b := range before {
		i := slices.IndexFunc(after, func(a ChannelProgress) bool { return a.Channel == b.Channel })
		if i < 0 || !b.Known || !after[i].Known {
			return false
		}
		if a := after[i]; a.SourceCluster != b.SourceCluster || a.MessageID != b.MessageID || a.TimeTick != b.TimeTick {
			return false
		}
	}
	return len(before) > 0 && len(before) == len(after)
}

// NotFollowingError is the error of a proof whose target does not, or no longer,
// replicate from source.
type NotFollowingError struct {
	Source, Target string
	Belief         Belief // of target
}

// Error says what the target is instead.
func (e NotFollowingError) Error() string {
	return fmt.Sprintf("%s does not follow %s: it stores the role %s", e.Target, e.Source, e.Belief.Kind)
}

// FellBackError is the error of a change that was read back and did not stay: a
// cluster stores something else seconds later.
type FellBackError struct {
	Topology string
	Cluster  string
	Wanted   Configuration
	Belief   Belief // of Cluster, as last read
}

// Error says what the cluster became, and what to do.
func (e FellBackError) Error() string {
	source, follows := e.Wanted.SourceOf(e.Cluster)
	switch {
	case follows && e.Belief.Kind == BeliefStandalone:
		return fmt.Sprintf("%s followed %s and has fallen back: it is alone and takes writes, and no message of %s reaches it, because an older removal was replayed to it (Milvus #52727) (hint: keep applications away from %s; 'reconcile apply %s' configures it once more; if it falls back again, detach it with 'role: detached' and have it join later)",
			e.Cluster, source, source, e.Cluster, e.Topology)
	case follows && e.Belief.Kind == BeliefPrimary:
		return fmt.Sprintf("%s followed %s and is a primary again: two clusters take writes, because an older change of the topology was replayed to it (hint: keep applications away from %s by network and load balancer now, and rebuild it: neither call undoes this)",
			e.Cluster, source, e.Cluster)
	default:
		return fmt.Sprintf("%s stored the wanted configuration, but now stores another one: it stores the role %s (hint: 'reconcile status %s' shows the role of each cluster)",
			e.Cluster, e.Belief.Kind, e.Topology)
	}
}
