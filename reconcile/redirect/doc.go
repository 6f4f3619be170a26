// Package redirect points the traffic of applications at the primary, by four
// kinds of targets: exec starts a program, webhook posts a signed CloudEvent,
// file renders a template, haproxy uses HAProxy's runtime API.
//
// [Redirector.Set] is idempotent; its arguments name the primary and the stale
// clusters. [Redirector.Check] asks where the traffic goes and changes nothing.
// Targets are processed in parallel, each call within the target's own timeout. A
// failed target is tried again a few times and hides no other.
//
// Targets receive only data of the operator's configuration: no cluster id that it
// lacks, the addresses of its credentials, and never a token, neither in a program's
// environment nor in an event or template.
//
// The package does not decide which cluster is primary, never calls Milvus, and
// undoes nothing. An exec target or a webhook moves DNS and cloud load balancers.
package redirect
