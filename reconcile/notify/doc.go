// Package notify tells people and machines what happened. Machines get CloudEvents
// 1.0 in structured JSON, signed with HMAC-SHA256. People get Slack blocks, Teams
// cards, PagerDuty alerts or mails. GitHub, GitLab and Gitea get commit statuses.
//
// A [Notifier] is made once and lives as long as its process. Its methods only
// put events into bounded queues, one for each target, so that a receiver that
// hangs delays neither a pass nor another receiver:
//
//	n := notify.New(targets, notify.Options{Source: "/reconcile/host-1"})
//	n.Pass(notify.Pass{Topology: "orders", Findings: findings, …}) // after each pass that could judge
//	n.Notify(notify.Event{Kind: notify.KindApplied, …})
//	err := n.Close(ctx)                     // sends what is queued, or says what was not sent
//
// People get all that a pass tells as one message; machines get one event each.
//
// Delivery is at least once: each attempt of one event carries the same id as
// its Idempotency-Key. What a target was told is kept for each topology, code
// and cluster, so that a finding that stands is told once and its end is told
// to those who heard of it. An event that could not be delivered counts as not
// told, so that the next pass tells it again.
//
// [Poster] is the one sender of signed events; redirect webhooks use it too.
// [Verify] is what a receiver does.
//
// What this package does not do: it decides nothing, reads no configuration,
// keeps nothing across restarts, and never follows an HTTP redirect, since
// that would hand a signed body or a token to somebody else.
package notify
