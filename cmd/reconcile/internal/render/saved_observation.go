package render

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
)

// wireObservation is the rest of what a look at one cluster gave: nobody reads
// it, but `plan --observed` plans from it. Only a status has it.
type wireObservation struct {
	Credential         string         `json:"credential"` // missing, bound, mismatch, refused
	ErrorClass         *string        `json:"errorClass"`
	ReadsConfiguration *string        `json:"readsConfiguration"` // yes, no; null: not known
	ForcePromotes      *string        `json:"forcePromotes"`      // yes, no; null: not known
	DumpDenied         bool           `json:"dumpDenied,omitempty"`
	IdentityProven     bool           `json:"identityProven"`
	IdentityConflict   *string        `json:"identityConflict"`
	Progress           []wireProgress `json:"progress"`
}

// wireProgress has its tick as text, as wireMotion has.
type wireProgress struct {
	Channel       string             `json:"channel"`
	Known         bool               `json:"known"`
	Error         *string            `json:"error"`
	SourceCluster *string            `json:"sourceCluster"`
	SourceChannel *string            `json:"sourceChannel"`
	MessageID     *string            `json:"messageId"`
	TimeTick      string             `json:"timeTick"`
	Salvage       []wireSalvagePoint `json:"salvage"`
	CaughtUpAt    *string            `json:"caughtUpAt"`
	UnsentSince   *string            `json:"unsentSince"`
}

type wireSalvagePoint struct {
	SourceCluster string  `json:"sourceCluster"`
	SourceChannel string  `json:"sourceChannel"`
	MessageID     *string `json:"messageId"`
	TimeTick      string  `json:"timeTick"`
}

// credentialMissing is the word for the zero value of plan.Credential.
const credentialMissing = "missing"

func encodeObservation(v plan.View) *wireObservation {
	return &wireObservation{
		Credential: orElse(string(v.Credential), credentialMissing), ErrorClass: textOrNil(string(v.Class)),
		ReadsConfiguration: textOrNil(string(v.ReadsConfiguration)), ForcePromotes: textOrNil(string(v.ForcePromotes)),
		DumpDenied: v.DumpDenied, IdentityProven: v.IdentityProven, IdentityConflict: textOrNil(v.IdentityConflict),
		Progress: mapList(v.Progress, encodeProgress),
	}
}

func encodeProgress(p plan.ChannelProgress) wireProgress {
	out := wireProgress{
		Channel: p.Channel, Known: p.Known, Error: textOrNil(p.Error), SourceCluster: textOrNil(p.SourceCluster),
		SourceChannel: textOrNil(p.SourceChannel), MessageID: textOrNil(p.MessageID), TimeTick: tick(p.TimeTick),
		Salvage: mapList(p.Salvage, func(s plan.Salvage) wireSalvagePoint {
			return wireSalvagePoint{SourceCluster: s.SourceCluster, SourceChannel: s.SourceChannel, MessageID: textOrNil(s.MessageID), TimeTick: tick(s.TimeTick)}
		}),
	}
	if p.CaughtUpAt != nil {
		out.CaughtUpAt = timeOrNil(*p.CaughtUpAt)
	}
	if p.Unsent != nil {
		out.UnsentSince = timeOrNil(*p.Unsent)
	}
	return out
}

// observation puts back what encodeObservation took apart; a document without
// one leaves the view at its safe zero values.
func (r *decodeReader) observation(v *plan.View, w *wireObservation) {
	if w == nil {
		return
	}
	v.Credential = plan.Credential(zeroWord(w.Credential, credentialMissing))
	v.Class = plan.ErrorClass(text(w.ErrorClass))
	v.ReadsConfiguration, v.ForcePromotes = plan.Support(text(w.ReadsConfiguration)), plan.Support(text(w.ForcePromotes))
	v.DumpDenied, v.IdentityProven, v.IdentityConflict = w.DumpDenied, w.IdentityProven, text(w.IdentityConflict)
	for _, p := range w.Progress {
		v.Progress = append(v.Progress, r.progress(p))
	}
}

func (r *decodeReader) progress(w wireProgress) plan.ChannelProgress {
	out := plan.ChannelProgress{
		Channel: w.Channel, Known: w.Known, Error: text(w.Error), SourceCluster: text(w.SourceCluster),
		SourceChannel: text(w.SourceChannel), MessageID: text(w.MessageID), TimeTick: r.tick(w.TimeTick),
	}
	for _, s := range w.Salvage {
		out.Salvage = append(out.Salvage, plan.Salvage{
			SourceCluster: s.SourceCluster, SourceChannel: s.SourceChannel, MessageID: text(s.MessageID), TimeTick: r.tick(s.TimeTick),
		})
	}
	if w.CaughtUpAt != nil {
		at := r.time(w.CaughtUpAt)
		out.CaughtUpAt = &at
	}
	if w.UnsentSince != nil {
		at := r.time(w.UnsentSince)
		out.Unsent = &at
	}
	return out
}

// clockSkew is how far ahead another machine's clock may be.
const clockSkew = 5 * time.Minute

var clusterID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })

// DecodeObserved reads the views of somebody else's `status -o json`. It checks
// everything that the document itself can show to be wrong: every word is
// known; each cluster appears once, was observed by a live status and not in
// the future, and has the role that its stored configuration gives it. It
// reports all faults at once. Values that a status does not hold keep their
// safe zero value.
func DecodeObserved(r io.Reader, now time.Time) ([]plan.View, error) {
	d, err := Decode(r)
	if err != nil {
		return nil, err
	}
	if d.Kind != KindStatus || !d.Applicable() {
		return nil, errors.New("this is not the status of live clusters: save one by `reconcile status -o json`")
	}
	var out []plan.View
	var bad []error
	for _, t := range d.Plan.Topologies {
		for _, c := range t.Clusters {
			if err := checkView(c.View, now); err != nil {
				bad = append(bad, fmt.Errorf("cluster %q of topology %q: %w", c.ID, t.Name, err))
			}
			if slices.ContainsFunc(out, func(v plan.View) bool { return v.Cluster == c.ID }) {
				bad = append(bad, fmt.Errorf("cluster %q appears twice", c.ID))
			}
			out = append(out, c.View)
		}
	}
	if err := errors.Join(bad...); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b plan.View) int { return strings.Compare(a.Cluster, b.Cluster) })
	return out, nil
}

// The words that a view may hold, apart from the empty one.
var (
	reaches     = []plan.Reach{plan.ReachUp, plan.ReachDegraded, plan.ReachUnreachable}
	credentials = []plan.Credential{plan.CredentialBound, plan.CredentialMismatch, plan.CredentialRefused}
	supports    = []plan.Support{plan.SupportYes, plan.SupportNo}
	beliefs     = []plan.BeliefKind{plan.BeliefPrimary, plan.BeliefStandby, plan.BeliefStandalone, plan.BeliefUnconfigured}
	classes     = []plan.ErrorClass{
		plan.ClassRefused, plan.ClassTimeout, plan.ClassUnavailable, plan.ClassDNS, plan.ClassTLS, plan.ClassUnauthenticated,
		plan.ClassPermissionDenied, plan.ClassUnimplemented, plan.ClassNotReady, plan.ClassOther, plan.ClassNotCalled,
	}
)

func checkView(v plan.View, now time.Time) error {
	bad := []error{
		known("reach", reaches, v.Reach), known("credential", credentials, v.Credential), known("believedRole", beliefs, v.Belief.Kind),
		known("readsConfiguration", supports, v.ReadsConfiguration), known("forcePromotes", supports, v.ForcePromotes), known("errorClass", classes, v.Class),
		checkBelief(v),
	}
	if !clusterID().MatchString(v.Cluster) {
		bad = append(bad, errors.New("that is no cluster id"))
	}
	if v.At.IsZero() || v.At.After(now.Add(clockSkew)) {
		bad = append(bad, errors.New("observedAt is missing or in the future"))
	}
	for i, p := range v.Progress {
		if p.Channel == "" || strings.Trim(p.MessageID, "0123456789abcdef") != "" {
			bad = append(bad, fmt.Errorf("progress %d has no channel, or a messageId that is not hexadecimal", i))
		}
	}
	return errors.Join(bad...)
}

func known[T ~string](field string, words []T, word T) error {
	if word != "" && !slices.Contains(words, word) {
		return fmt.Errorf("%s is %q", field, string(word))
	}
	return nil
}

// checkBelief refuses a role that the configuration next to it does not give. A
// cluster that did not answer believes nothing that could have been read.
func checkBelief(v plan.View) error {
	b := v.Belief
	stored := plan.ClassifyBelief(v.Cluster, b.Configuration)
	switch {
	case b.Kind == plan.BeliefUnknown:
		return nil
	case v.Reach != plan.ReachUp:
		return fmt.Errorf("it is %s and yet believes to be %s", v.Reach, b.Kind)
	case b.Inferred && len(b.Configuration.Clusters) == 0:
		return nil
	case stored.Kind != b.Kind || stored.Source != b.Source:
		return fmt.Errorf("it stores the role %s, and its configuration makes it %s", b.Kind, stored.Kind)
	}
	return nil
}
