package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"milvus-reconcile/plan"
)

var (
	alice = Person{Name: "Alice Smith", Email: "alice@example.com"}
	bob   = Person{Name: "Bob Jones", Email: "bob@example.com"}
	carol = Person{Name: "Carol Lee", Email: "carol@example.com"}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// message approves orders/cluster-b as a person, with further trailers.
func message(by Person, extra ...string) string {
	c := Claim{Approved: []Target{{"orders", "cluster-b"}}, By: by, Reason: "eu-1 lost power"}
	return "Fail over orders\n\n" + c.Trailers() + strings.Join(append(extra, ""), "\n")
}

// lineOf is the allowed-signers line of one person's one key.
func lineOf(p Person) AllowedLine {
	return AllowedLine{ID: "line of " + p.Email, Patterns: []string{p.Email}}
}

// signedBy is a signature that holds, by a person's own key.
func signedBy(p Person) Signature {
	return Signature{Kind: SignatureSSH, Valid: true, Fingerprint: "SHA256:" + p.Email, Principals: []AllowedLine{lineOf(p)}}
}

// tagOf is a good approval by a person.
func tagOf(p Person, extra ...string) Carrier {
	c := Carrier{
		Kind: CarrierTag, Ref: "refs/tags/failover/orders/8/" + p.Email, Object: "t-" + p.Email,
		Commit: "c8", Message: message(p, extra...), Date: noon, Signature: signedBy(p),
	}
	return hashed(c)
}

// hashed sets the payload hash by what the carrier says.
func hashed(c Carrier) Carrier {
	sum := sha256.Sum256([]byte(c.Commit + c.Message + c.Date.String()))
	c.PayloadHash = hex.EncodeToString(sum[:])
	return c
}

// request is a failover of orders to cluster-b by Bob, with these carriers.
func request(carriers ...Carrier) Request {
	loss := 60 * time.Second
	return Request{
		Plan: plan.TopologyPlan{
			Name: "orders", Generation: 8, Transition: plan.TransitionFailover, Primary: "cluster-b",
			OldPrimary: "cluster-a", Digest: digestA, DataLoss: &plan.Window{Upper: &loss},
			Findings: []plan.Finding{
				{Code: "NOT_MOST_CAUGHT_UP", Severity: plan.SeverityBlocking, Acceptable: true},
				{Code: "SPLIT_BRAIN", Severity: plan.SeverityBlocking},
			},
		},
		Change: Change{Topology: "orders", Commit: "c8", Generation: 8, Authors: []Person{bob}, Carriers: carriers},
		Policy: Policy{Configured: true},
		Now:    noon.Add(time.Minute),
	}
}

// newer dates a carrier later, under a tag of its own.
func newer(c Carrier, by time.Duration) Carrier {
	c.Date, c.Ref = c.Date.Add(by), c.Ref+"-2"
	return hashed(c)
}

// with returns a carrier after a change.
func with(c Carrier, change func(*Carrier)) Carrier {
	change(&c)
	return c
}

// withdrawn returns the tag by which a person takes back what tagOf approves.
func withdrawn(p Person) Carrier {
	return newer(tagOf(p, KeyExpires+": "+noon.Add(time.Second).Format(time.RFC3339)), time.Second)
}
