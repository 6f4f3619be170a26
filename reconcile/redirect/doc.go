// Package redirect points the traffic of applications at the primary, by four
// kinds of targets: exec starts a program, webhook posts a signed CloudEvent,
// file renders a template, haproxy speaks to HAProxy's runtime API.
//
// [Redirector.Set] is idempotent and is told who is primary and who is stale;
// [Redirector.Check] asks where the traffic goes and changes nothing. Targets
// are worked on side by side, each call within the target's own timeout; a
// failed one is tried again a few times and never hides another.
//
// What targets are told comes from the operator's configuration alone: a
// cluster id that it does not hold is not passed on, addresses are those of
// its credentials, and there is never a token, neither in a program's
// environment nor in an event or template.
//
// What this package does not do: it does not know which cluster should be
// primary, never talks to Milvus, and undoes nothing. DNS and cloud load
// balancers are moved by an exec target or a webhook.
package redirect
