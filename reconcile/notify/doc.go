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
// People get one message for all findings of a pass; machines get an event for each.
//
// Delivery is at least once: each attempt of one event has the same Idempotency-Key. The
// notifier remembers what each target got, for each topology, code and cluster. So a
// finding is sent once, and its end is sent to the targets that got it. An event that could
// not be delivered is sent again by the next pass.
//
// [Poster] sends all signed events; redirect webhooks use it too. A receiver calls [Verify].
//
// This package decides nothing, reads no configuration and keeps nothing over a restart. It
// never follows an HTTP redirect, since that would give a signed body or a token to another
// server.
package notify
