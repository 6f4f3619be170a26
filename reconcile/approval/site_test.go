package approval

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
)

// movesOfEU1 are the failovers of two topologies of a site; that of orders is the one of request.
func movesOfEU1() []siteplan.Move {
	return []siteplan.Move{
		{Topology: "orders", Generation: 8, Transition: plan.TransitionFailover, From: "cluster-a", To: "cluster-b", Digest: digestA},
		{Topology: "users", Generation: 3, Transition: plan.TransitionSwitchover, From: "users-a", To: "users-b", Digest: digestB},
	}
}

// siteTag is a person's approval of moves of eu-1.
func siteTag(p Person, moves []siteplan.Move, extra ...string) Carrier {
	c := tagOf(p)
	claim := Claim{Site: SiteOf("eu-1", moves), By: p, Reason: "eu-1 lost power"}
	c.Ref = "refs/tags/failover/site/eu-1/" + p.Email
	c.Message = "Fail over eu-1\n\n" + claim.Trailers() + strings.Join(append(extra, ""), "\n")
	return hashed(c)
}

func TestSiteTrailersAreReadAsTheyWereWritten(t *testing.T) {
	loss := 2 * time.Minute
	want := Claim{
		Approved: []Target{{"orders", "cluster-b"}, {"users", "users-b"}}, Site: SiteOf("eu-1", movesOfEU1()),
		By: alice, Reason: "why", Repository: "platform/topologies", MaxDataLoss: &loss,
	}
	got, err := ParseTrailers("Fail over\n\n" + want.Trailers())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if title := got.Title(); title != "the failover and switchover of 2 topologies at site eu-1" {
		t.Error(title)
	}
}

func TestMalformedSiteTrailersApproveNothing(t *testing.T) {
	good := siteTag(alice, movesOfEU1()).Message
	one := movesOfEU1()[:1]
	without := func(prefix string) string {
		var out []string
		for _, l := range strings.Split(good, "\n") {
			if !strings.HasPrefix(l, prefix) {
				out = append(out, l)
			}
		}
		return strings.Join(out, "\n")
	}
	for name, c := range map[string]struct{ message, says string }{
		"a move was taken out":      {without("Failover-Covers: users"), "the list was changed"},
		"a move was added":          {good + "Failover-Covers: " + siteplan.Move{Topology: "pay", Generation: 1, Transition: plan.TransitionFailover, From: "a", To: "b", Digest: digestA}.String() + "\n", "the list was changed"},
		"another cluster":           {strings.Replace(good, "cluster-b generation", "cluster-c generation", 1), "the list was changed"},
		"another digest":            {strings.Replace(good, digestA, digestB, 1), "the list was changed"},
		"another site":              {strings.Replace(good, "site/eu-1", "site/eu-2", 1), "the list was changed"},
		"no moves":                  {without("Failover-Covers"), "for each topology"},
		"no site":                   {without("Failover-Approved: "), "without 'Failover-Approved"},
		"a topology twice":          {siteTag(alice, append(one, one...)).Message, "covered twice"},
		"a topology next to it":     {good + "Failover-Approved: pay/pay-b\n", "one Failover-Approved"},
		"a topology before it":      {strings.Replace(good, "Failover-Approved: site", "Failover-Approved: pay/pay-b\nFailover-Approved: site", 1), "one Failover-Approved"},
		"two sites":                 {good + "Failover-Approved: site/eu-2 " + digestA + "\n", "one Failover-Approved"},
		"an accepted finding":       {good + "Failover-Accept: NOT_MOST_CAUGHT_UP\n", "approve such a topology alone"},
		"a pinned plan":             {good + "Failover-Plan: " + digestA + "\n", "approve such a topology alone"},
		"a replay":                  {good + "Failover-Replay: " + digestA + "\n", "approve such a topology alone"},
		"a transition of no site":   {strings.Replace(good, "switchover from", "detach from", 1), "is not TOPOLOGY/CLUSTER generation"},
		"a generation of 0":         {strings.Replace(good, "generation 8", "generation 0", 1), "is not TOPOLOGY/CLUSTER generation"},
		"a generation too large":    {strings.Replace(good, "generation 8", "generation 9999999999999999999", 1), "generation"},
		"a key that is spelt alike": {strings.Replace(good, "Failover-Covers", "Failover-covers", 1), "not a trailer that we know"},
	} {
		t.Run(name, func(t *testing.T) {
			claim, err := ParseTrailers(c.message)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if len(claim.Approved) > 0 {
				t.Errorf("it approves %v", claim.Approved)
			}
		})
	}
}

func TestTheDigestOfASiteDoesNotDependOnTheOrder(t *testing.T) {
	m := movesOfEU1()
	if siteplan.Digest("eu-1", m) != siteplan.Digest("eu-1", []siteplan.Move{m[1], m[0]}) {
		t.Error("the order of the moves changes it")
	}
}

func TestSiteApprovalCoversExactlyTheListedPlan(t *testing.T) {
	blockless := func(change func(*Request)) Decision {
		r := request(siteTag(alice, movesOfEU1()))
		r.Plan.Findings = nil
		change(&r)
		return Evaluate(r)
	}
	same := blockless(func(*Request) {})
	if same.Verdict != VerdictApproved || !same.Grant().Covers(request().Plan) || same.Site.Name != "eu-1" {
		t.Fatalf("the listed plan: %+v", same)
	}
	for name, c := range map[string]struct {
		change func(*Request)
		code   string
	}{
		"another digest":      {func(r *Request) { r.Plan.Digest = digestB }, CodePlanChanged},
		"another transition":  {func(r *Request) { r.Plan.Transition = plan.TransitionSwitchover }, CodePlanChanged},
		"another old primary": {func(r *Request) { r.Plan.OldPrimary = "cluster-c" }, CodePlanChanged},
		"another generation":  {func(r *Request) { r.Plan.Generation, r.Change.Generation = 9, 9 }, CodePlanChanged},
		"another cluster":     {func(r *Request) { r.Plan.Primary = "cluster-c" }, CodeWrongTarget},
		"an unlisted topology": {func(r *Request) {
			r.Plan.Name, r.Change.Topology = "payments", "payments"
		}, CodeWrongTarget},
		"a topology that is called site": {func(r *Request) {
			r.Plan.Name, r.Change.Topology, r.Plan.Primary = "site", "site", "eu-1"
		}, CodeWrongTarget},
		"its use":          {func(r *Request) { r.Spent = []SpentMark{{Topology: "orders", Generation: 8}} }, CodeAlreadyUsed},
		"the use of users": {func(r *Request) { r.Spent = []SpentMark{{Topology: "users", Generation: 3}} }, ""},
		"its payload": {func(r *Request) {
			r.Spent = []SpentMark{{Topology: "orders", PayloadHash: r.Change.Carriers[0].PayloadHash}}
		}, CodeAlreadyUsed},
		"its age":         {func(r *Request) { r.Now = noon.Add(3 * time.Hour) }, CodeExpired},
		"its author":      {func(r *Request) { r.Change.Authors = []Person{alice} }, CodeSelfApproved},
		"its signature":   {func(r *Request) { r.Change.Carriers[0].Signature = Signature{} }, CodeUnsigned},
		"a quorum of two": {func(r *Request) { r.Policy.Quorum.Failover = 2 }, CodeQuorumNotMet},
		"a later withdrawal": {func(r *Request) {
			r.Change.Carriers = append(r.Change.Carriers, newer(siteTag(alice, movesOfEU1(), KeyExpires+": "+noon.Add(time.Second).Format(time.RFC3339)), time.Second))
		}, CodeWithdrawn},
		"a withdrawal, and the same tag pushed again": {func(r *Request) {
			taken := newer(siteTag(alice, movesOfEU1()[:1], KeyExpires+": "+noon.Add(time.Second).Format(time.RFC3339)), time.Second)
			r.Change.Carriers = []Carrier{taken, r.Change.Carriers[0]}
		}, CodeWithdrawn},
		"a withdrawal of a list that has changed since": {func(r *Request) {
			moves := movesOfEU1()
			moves[0].Digest = digestB
			r.Change.Carriers = append(r.Change.Carriers, newer(siteTag(alice, moves, KeyExpires+": "+noon.Add(time.Second).Format(time.RFC3339)), time.Second))
		}, CodeWithdrawn},
		"its words in the commit of its author": {func(r *Request) {
			forged := r.Change.Carriers[0]
			forged.Kind, forged.Ref, forged.Signature = CarrierCommit, "", Signature{}
			r.Change.Carriers = []Carrier{hashed(forged)}
		}, CodeUnsigned},
		"its words in a signed commit of its author": {func(r *Request) {
			forged := r.Change.Carriers[0]
			forged.Kind, forged.Ref = CarrierCommit, ""
			r.Change.Carriers, r.Change.Authors = []Carrier{hashed(forged)}, []Person{alice}
		}, CodeSelfApproved},
		"its words signed by another than it names": {func(r *Request) {
			forged := siteTag(alice, movesOfEU1())
			forged.Signature = siteTag(carol, movesOfEU1()).Signature
			r.Change.Carriers = []Carrier{forged}
		}, CodeSignerMismatch},
		"a later withdrawal of it alone": {func(r *Request) { r.Change.Carriers = append(r.Change.Carriers, withdrawn(alice)) }, CodeWithdrawn},
		"a later approval of others": {func(r *Request) {
			r.Change.Carriers = append(r.Change.Carriers, newer(siteTag(alice, movesOfEU1()[1:]), time.Second))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := blockless(c.change)
			if d.Code != c.code || (d.Verdict == VerdictApproved) != (c.code == "") {
				t.Errorf("got %q %s: %s", d.Verdict, d.Code, d.Detail)
			}
		})
	}
}

func TestSiteApprovalAcceptsNoFinding(t *testing.T) {
	d := Evaluate(request(siteTag(alice, movesOfEU1())))
	if len(d.Accepted) > 0 || !request().Plan.Blocked(d.Accepted) {
		t.Errorf("accepts %v", d.Accepted)
	}
}

func TestSiteAndSingleApprovalsMakeAQuorumTogether(t *testing.T) {
	r := request(siteTag(alice, movesOfEU1()), tagOf(carol))
	r.Policy.Quorum.Failover, r.Plan.Findings = 2, nil
	if d := Evaluate(r); d.Verdict != VerdictApproved || d.Site.Name != "eu-1" || d.Given != 2 {
		t.Errorf("by both: %+v", d)
	}
	r.Change.Carriers = append(r.Change.Carriers, newer(tagOf(alice), time.Second))
	if d := Evaluate(r); d.Verdict != VerdictApproved || d.Site.Name != "" {
		t.Errorf("by two people alone, it waits for no wave: %+v", d)
	}
}

func TestALaterSiteApprovalIsTheNewestOfItsPerson(t *testing.T) {
	other := movesOfEU1()
	other[0].Digest = digestB
	r := request(tagOf(alice), newer(siteTag(alice, other), time.Second))
	r.Plan.Findings = nil
	if d := Evaluate(r); d.Code != CodePlanChanged {
		t.Errorf("an older approval came back: %+v", d)
	}
}

func TestTheSiteOfAChangeNeedsASignature(t *testing.T) {
	c := request(siteTag(alice, movesOfEU1())).Change
	if c.Site() != "eu-1" {
		t.Errorf("got %q", c.Site())
	}
	c.Carriers[0].Signature = Signature{}
	if c.Site() != "" {
		t.Errorf("without one: %q", c.Site())
	}
}
