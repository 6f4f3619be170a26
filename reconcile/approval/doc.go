// Package approval decides whether a change of a topology may be carried out.
//
// Its input is the plan, the commit that governs the topology, the messages and
// signatures that may approve it, the spent approvals of the ledger, and the time. Its
// result is a Decision. It parses the failover trailers of a message strictly: a message
// that differs from the contract approves nothing.
//
// It does not read Git, verify signatures, read a clock or write anything: gitsource
// provides the facts, and the caller records spent approvals. It does not decide whether
// the plan is safe; plan.TopologyPlan.Blocked does.
// Only Evaluate and ResumeGrant make a Grant that covers a plan.
package approval
