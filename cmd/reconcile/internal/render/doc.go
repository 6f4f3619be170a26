// Package render turns one finished report into bytes: the plan's JSON and
// YAML, the table that an on-call engineer reads, the Markdown of a
// pull-request comment, JUnit and SARIF for other tools.
//
// It decides nothing. What blocks comes from plan.TopologyPlan.Blocked, what
// is approved from the document that the caller fills; a topology whose
// approval was not said is shown as not approved. It opens no file, asks no
// clock and knows no terminal: width and colour are options. Text that comes
// from a repository or a server is made safe to print here and nowhere else.
package render
