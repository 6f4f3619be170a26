// Package redirect points the traffic of applications at the primary, by five
// kinds of targets: exec starts a program, webhook posts a signed CloudEvent,
// file renders a template, haproxy uses HAProxy's runtime API, dns updates a record.
//
// [Redirector.Set] is idempotent; its arguments name the primary and the stale
// clusters. [Redirector.Check] asks where the traffic goes and changes nothing.
// Targets are processed in parallel, each call within the target's own timeout. If a
// target fails, it is tried again a few times, and the others are processed all the same.
//
// Targets receive only data of the operator's configuration: ids of clusters that it lists,
// and the addresses of their credentials. They never receive a token, neither in the
// environment of a program nor in an event or template.
//
// The package does not decide which cluster is primary, never calls Milvus, and undoes
// nothing. For cloud load balancers use an exec target or a webhook.
package redirect
