package render

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// clockSkew is how far ahead another machine's clock may be.
const clockSkew = 5 * time.Minute

var clusterID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// DecodeObserved reads the views of somebody else's `status -o json`. It takes
// nothing on trust that the document itself can show to be wrong: every word is
// a known one, each cluster stands once, was looked at by a live status and not
// in the future, and believes what its stored configuration says. Everything
// wrong is told at once. What a status does not tell keeps its safe zero value.
func DecodeObserved(r io.Reader, now time.Time) ([]plan.View, error) {
	d, err := Decode(r)
	if err != nil {
		return nil, err
	}
	if d.Kind != KindStatus || !d.Applicable() {
		return nil, errors.New("this is not what a live look found: save one by `reconcile status -o json`")
	}
	var out []plan.View
	var bad []error
	for _, t := range d.Plan.Topologies {
		for _, c := range t.Clusters {
			if err := checkView(c.View, now); err != nil {
				bad = append(bad, fmt.Errorf("cluster %q of topology %q: %w", c.ID, t.Name, err))
			}
			if slices.ContainsFunc(out, func(v plan.View) bool { return v.Cluster == c.ID }) {
				bad = append(bad, fmt.Errorf("cluster %q stands twice", c.ID))
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
	if !clusterID.MatchString(v.Cluster) {
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

// checkBelief refuses a role that the configuration beside it does not give. A
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
		return fmt.Errorf("it believes to be %s, and its configuration makes it %s", b.Kind, stored.Kind)
	}
	return nil
}
