package approval_test

import (
	"fmt"
	"strings"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
)

// Alice approves a failover that Bob wrote, by a signed tag on his commit. The same
// tag a day later is too old.
func ExampleEvaluate() {
	signed := time.Date(2026, 11, 22, 20, 40, 0, 0, time.UTC)
	request := approval.Request{
		Plan: plan.TopologyPlan{
			Name: "orders", Generation: 8, Transition: plan.TransitionFailover,
			Primary: "cluster-b", Digest: "sha256:3f9c",
		},
		Change: approval.Change{
			Topology: "orders", Generation: 8, Commit: strings.Repeat("1", 40),
			Authors: []approval.Person{{Name: "Bob", Email: "bob@example.com"}},
			Carriers: []approval.Carrier{{
				Kind: approval.CarrierTag, Ref: "refs/tags/failover/orders/8/alice@example.com",
				Object: strings.Repeat("2", 40), Commit: strings.Repeat("1", 40), PayloadHash: strings.Repeat("a", 64),
				Date: signed,
				Message: "Fail over to cluster-b\n\n" +
					"Failover-Approved: orders/cluster-b\n" +
					"Failover-Approved-By: Alice Smith <alice@example.com>\n" +
					"Failover-Reason: eu-1 lost power, INC-4211\n",
				Signature: approval.Signature{
					Kind: approval.SignatureSSH, Valid: true, Fingerprint: "SHA256:alice",
					Principals: []approval.AllowedLine{{ID: "allowed_signers:1", Patterns: []string{"alice@example.com"}}},
				},
			}},
		},
		Policy: approval.Policy{Configured: true},
		Now:    signed.Add(time.Minute),
	}

	d := approval.Evaluate(request)
	fmt.Println(d.Verdict, d.By, d.Grant().Covers(request.Plan))

	request.Now = signed.Add(24 * time.Hour)
	d = approval.Evaluate(request)
	fmt.Println(d.Verdict, d.Code, d.Grant().Covers(request.Plan))

	// Output:
	// approved [Alice Smith <alice@example.com>] true
	// denied EXPIRED false
}
