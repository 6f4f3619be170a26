// Package approval decides whether a change of a topology may be carried out.
//
// It takes facts as values (the plan, the commit that governs the topology,
// the messages and signatures that speak for it, what the ledger holds as
// spent, the time) and returns a Decision. It reads the failover trailers of
// a message as strictly as a lock reads a key: a message that is not exactly
// as the contract says claims nothing.
//
// It does not read Git, verify cryptography, look at a clock or write
// anything; gitsource brings the facts, and the caller records what is spent.
// It does not judge whether the plan is safe: that is plan.TopologyPlan.Blocked.
// Only Evaluate and ResumeGrant make a Grant that covers a plan.
package approval
