package approval

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

// evaluation is a request with the values that the checks of all carriers share.
type evaluation struct {
	Request
	now        time.Time
	need       int           // number of distinct people
	maxAge     time.Duration // of a carrier
	acceptable []plan.Code   // findings that block unless accepted
}

func newEvaluation(r Request) *evaluation {
	e := &evaluation{
		Request: r,
		now:     latest(r.Now, r.NewestRecord),
		need:    r.Policy.QuorumFor(r.Plan.Transition),
		maxAge:  r.Policy.MaxAgeFor(r.Plan.Transition),
	}
	for _, f := range r.Plan.Blocking(nil) {
		if f.Acceptable {
			e.acceptable = appendNew(e.acceptable, f.Code)
		}
	}
	return e
}

// vote is a carrier with its claim, while it is checked and after it passed.
type vote struct {
	carrier Carrier
	claim   Claim
	lines   []AllowedLine // that name the signer and apply
	counts  bool          // for a quorum
}

// rankedDenial is a denial with the number of checks that its carrier passed. The denial
// with the highest rank explains the most.
type rankedDenial struct {
	Denial
	rank int
}

// check is one rule for one carrier. An empty code means that the carrier passes.
type check func(*evaluation, *vote) (code, detail string)

// authenticityRules returns the rules that prove that a person gave this approval for this
// change, in their order.
func authenticityRules() []check {
	return []check{
		(*evaluation).checkPurpose,
		(*evaluation).checkTarget,
		(*evaluation).checkRepository,
		(*evaluation).checkSignature,
		(*evaluation).checkSigner,
		(*evaluation).checkUnused,
		(*evaluation).checkDate,
	}
}

// termRules returns the rules for the newest approval of a person.
func termRules() []check {
	return []check{
		(*evaluation).checkWithdrawn,
		(*evaluation).checkTime,
		(*evaluation).checkLapse,
		(*evaluation).checkAuthor,
		(*evaluation).checkPlan,
		(*evaluation).checkCovered,
		(*evaluation).checkLoss,
	}
}

// judgement is the result of checking all carriers of a change.
type judgement struct {
	votes    []vote
	replaced []vote // by a newer approval of the same person
	denials  []rankedDenial
	site     Site // that an authentic approval covers the topology in; zero: none
}

// judgeAll checks every carrier. The result does not depend on their order. The denial
// with the highest rank comes first.
func (e *evaluation) judgeAll() judgement {
	var out judgement
	var authenticVotes []vote
	for _, c := range e.Change.Carriers {
		v, denial := e.judge(c)
		if denial.Code != "" {
			out.denials = append(out.denials, denial)
			continue
		}
		authenticVotes = append(authenticVotes, v)
	}
	for _, v := range authenticVotes {
		if slices.ContainsFunc(authenticVotes, v.replacedBy) {
			out.replaced = append(out.replaced, v)
			continue
		}
		if !v.withdraws() && v.claim.Site.Name > out.site.Name {
			out.site = v.claim.Site
		}
		if denial := e.applyRules(&v, termRules(), len(authenticityRules())); denial.Code != "" {
			out.denials = append(out.denials, denial)
			continue
		}
		out.votes = append(out.votes, v)
	}
	slices.SortFunc(out.votes, byPayload)
	slices.SortFunc(out.replaced, byPayload)
	sortDenials(out.denials)
	return out
}

func byPayload(a, b vote) int {
	return cmp.Or(strings.Compare(a.carrier.PayloadHash, b.carrier.PayloadHash), strings.Compare(a.describe(), b.describe()))
}

// replacedBy reports whether o is a newer approval of the same person. Only the newest
// counts, whatever it allows. An unsigned approval replaces no signed one, and an approval
// that does not count replaces none that counts.
func (v vote) replacedBy(o vote) bool {
	if !v.claim.By.SameEmail(o.claim.By) || v.signed() && !o.signed() || v.counts && !o.counts {
		return false
	}
	a, b := v.carrier, o.carrier
	return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(len(a.Ref), len(b.Ref)), strings.Compare(a.Ref, b.Ref), strings.Compare(a.PayloadHash, b.PayloadHash)) < 0
}

func (v vote) signed() bool { return v.carrier.Signature.Kind != SignatureNone }

func sortDenials(denials []rankedDenial) {
	slices.SortFunc(denials, func(a, b rankedDenial) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), strings.Compare(a.Carrier, b.Carrier), strings.Compare(a.Detail, b.Detail))
	})
}

func (e *evaluation) judge(c Carrier) (vote, rankedDenial) {
	v := vote{carrier: c}
	var err error
	v.claim, err = claimOf(c.Message)
	switch {
	case c.Kind == CarrierTag && c.Problem != "":
		return v, e.denied(c, 1, CodeMalformed, carrierProblem(c))
	case errors.Is(err, ErrNoClaim) && c.Kind != CarrierTag:
		return v, e.denied(c, 0, CodeMissing, e.missingText())
	case err != nil:
		return v, e.denied(c, 1, CodeMalformed, err.Error()+". "+e.howTo())
	}
	if problem := carrierProblem(c); problem != "" {
		return v, e.denied(c, 1, CodeMalformed, problem)
	}
	return v, e.applyRules(&v, authenticityRules(), 0)
}

// applyRules applies rules to a carrier; before is the number of rules it passed already.
func (e *evaluation) applyRules(v *vote, rules []check, before int) rankedDenial {
	for i, rule := range rules {
		if code, detail := rule(e, v); code != "" {
			return e.denied(v.carrier, before+i+2, code, detail)
		}
	}
	return rankedDenial{}
}

func (e *evaluation) denied(c Carrier, rank int, code, detail string) rankedDenial {
	name := c.label()
	if code != CodeMissing {
		detail = name + ": " + detail
	}
	return rankedDenial{Denial: Denial{Code: code, Carrier: name, Detail: detail}, rank: rank}
}

// label returns the name of a carrier for messages.
func (c Carrier) label() string {
	if c.Kind == CarrierTag {
		return "tag " + fmt.Sprintf("%+q", strings.TrimPrefix(c.Ref, "refs/tags/"))
	}
	return "commit " + short(c.Commit)
}

func carrierProblem(c Carrier) string {
	switch {
	case c.Problem != "":
		return "the object cannot carry an approval: " + c.Problem
	case len(c.UnknownHeaders) > 0:
		return fmt.Sprintf("the object has unknown headers (%+q): sign it again with plain git or `reconcile approve`", c.UnknownHeaders)
	case c.PayloadHash == "":
		return "the hash of its payload is not known, so its use could not be recorded"
	}
	return ""
}

// checkPurpose keeps approvals of changes and of replays apart. One of the other kind is as
// good as none: every failover leaves one behind.
func (e *evaluation) checkPurpose(v *vote) (string, string) {
	if (e.Replay == "") != (v.claim.Replay == "") {
		return CodeMissing, e.missingText()
	}
	return "", ""
}

func (e *evaluation) checkTarget(v *vote) (string, string) {
	t, ok := v.claim.target(e.Plan.Name)
	switch {
	case !ok:
		return CodeWrongTarget, fmt.Sprintf("it approves %s and not %s/%s. %s", v.claim.Approved[0], e.Plan.Name, e.Plan.Primary, e.howTo())
	case t.Cluster != e.Plan.Primary:
		return CodeWrongTarget, fmt.Sprintf("it approves %s, but the change makes %s the primary. %s", t, e.Plan.Primary, e.howTo())
	case v.carrier.Kind == CarrierCommit, v.carrier.Kind == CarrierTag:
		return "", ""
	}
	return CodeMalformed, "it is neither a commit nor a tag"
}

// checkRepository requires that the approval is for this repository. An approval that
// names a repository does not count where the configuration names none.
func (e *evaluation) checkRepository(v *vote) (string, string) {
	here, said := e.Policy.Repository, v.claim.Repository
	switch {
	case here == said:
		return "", ""
	case here == "":
		return CodeWrongRepository, fmt.Sprintf("it is for the repository %s, and the operator's configuration does not say which one this is: set approval.repository. %s", said, e.approveAgain())
	case said == "":
		return CodeWrongRepository, fmt.Sprintf("it names no repository, and only approvals for %s count here (approval.repository). %s", here, e.approveAgain())
	}
	return CodeWrongRepository, fmt.Sprintf("it is for the repository %s, and this one is %s. %s", said, here, e.approveAgain())
}

func (e *evaluation) checkUnused(v *vote) (string, string) {
	used := func(m SpentMark) bool {
		return m.Topology == e.Plan.Name && m.PayloadHash == v.carrier.PayloadHash
	}
	switch {
	case slices.ContainsFunc(e.Spent, used):
		return CodeAlreadyUsed, "this same approval was used before. A new commit is needed, with a greater generation and its own approval"
	case e.LedgerKnows != nil && v.carrier.Date.Before(*e.LedgerKnows):
		return CodeAlreadyUsed, fmt.Sprintf("it is dated before the oldest knowledge of this ledger (%s), and older records are lost, so it may have been used. %s", stamp(*e.LedgerKnows), e.approveAgain())
	case e.LedgerBorn != nil && v.carrier.Date.Before(*e.LedgerBorn):
		return CodeAlreadyUsed, fmt.Sprintf("it is dated before this ledger was made (%s), so it may have been used under an earlier one. %s, or let a person run `reconcile apply %s`", stamp(*e.LedgerBorn), e.approveAgain(), e.Plan.Name)
	}
	return "", ""
}

func (e *evaluation) checkDate(v *vote) (string, string) {
	date := v.carrier.Date
	switch {
	case date.IsZero():
		return CodeExpired, "it has no date"
	case date.After(e.now.Add(FutureSkew)):
		return CodeExpired, fmt.Sprintf("it is dated %s, more than %s ahead of now (%s): set the clocks right and sign again", stamp(date), plan.DurationText(FutureSkew), stamp(e.now))
	}
	return "", ""
}

// withdrawalSpan is how long git may take to date a withdrawal. A vote that ended earlier
// before its date was written with a wrong time.
const withdrawalSpan = time.Minute

// withdraws says whether a vote ended when it was signed.
func (v vote) withdraws() bool {
	end := v.claim.Expires
	return !end.IsZero() && !end.After(v.carrier.Date) && v.carrier.Date.Sub(end) <= withdrawalSpan
}

// checkWithdrawn denies a vote that ended when it was signed. As the newest of a person, it
// takes back all earlier ones, also where a forge lets nobody delete their tags.
func (e *evaluation) checkWithdrawn(v *vote) (string, string) {
	if !v.withdraws() {
		return "", ""
	}
	return CodeWithdrawn, fmt.Sprintf("%s took the approval back at %s. If the change is still needed: `%s`", v.claim.By, stamp(v.carrier.Date), e.command())
}

func (e *evaluation) checkTime(v *vote) (string, string) {
	date := v.carrier.Date
	switch {
	case !e.now.Before(date.Add(e.maxAge)):
		return CodeExpired, fmt.Sprintf("it was signed at %s, and approvals are valid for %s (approval.maxAge). %s", stamp(date), plan.DurationText(e.maxAge), e.approveAgain())
	case !v.claim.Expires.IsZero() && !e.now.Before(v.claim.Expires):
		return CodeExpired, fmt.Sprintf("its %s was %s. %s", KeyExpires, stamp(v.claim.Expires), e.approveAgain())
	}
	return "", ""
}

// validUntil returns when a vote expires.
func (e *evaluation) validUntil(v vote) time.Time {
	end := v.carrier.Date.Add(e.maxAge)
	if x := v.claim.Expires; !x.IsZero() && x.Before(end) {
		end = x
	}
	return end
}

func (e *evaluation) checkLapse(v *vote) (string, string) {
	if slices.Contains(e.Lapsed, v.carrier.PayloadHash) {
		return CodeLapsed, "the old primary was seen up after it was given, so it no longer applies to the present state. " + e.approveAgain() + ", or let a person run `reconcile apply " + e.Plan.Name + "`"
	}
	return "", ""
}

func (e *evaluation) checkPlan(v *vote) (string, string) {
	if v.claim.Replay != e.Replay {
		return CodePlanChanged, fmt.Sprintf("it approves the replay %s, but the lost rows now give %s: read the dry run and approve that digest. %s", v.claim.Replay, e.Replay, e.howTo())
	}
	for _, p := range v.claim.Plans {
		if p != e.Plan.Digest {
			return CodePlanChanged, fmt.Sprintf("it pins plan %s, but the plan is now %s: read it and approve that one, or leave %s out", p, e.Plan.Digest, KeyPlan)
		}
	}
	return "", ""
}

func (e *evaluation) checkLoss(v *vote) (string, string) {
	limit := v.claim.MaxDataLoss
	if limit == nil {
		return "", ""
	}
	w := e.Plan.DataLoss
	switch {
	case w == nil || w.Upper == nil:
		return CodeLossTooLarge, fmt.Sprintf("it allows a loss of %s, but the upper bound of the window is not known: approve without %s if you accept the loss", plan.DurationText(*limit), KeyMaxDataLoss)
	case *w.AtRisk() > *limit:
		return CodeLossTooLarge, fmt.Sprintf("it allows a loss of %s, but up to %s may be lost%s: if you accept that, approve with '%s: %s'",
			plan.DurationText(*limit), plan.UpperBoundText(*w.AtRisk()), unwatched(w), KeyMaxDataLoss, w.Bound())
	}
	return "", ""
}

// unwatched says how much of the window is time in which nobody probed the old primary.
func unwatched(w *plan.Window) string {
	if w.Unwatched == 0 {
		return ""
	}
	return fmt.Sprintf(", %s of it while nobody probed the old primary", plan.UpperBoundText(w.Unwatched))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func short(id string) string { return id[:min(len(id), 12)] }
