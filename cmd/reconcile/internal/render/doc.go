// Package render turns one finished report into bytes: the plan's JSON and
// YAML, the table that an on-call engineer reads, the Markdown of a
// pull-request comment, JUnit and SARIF for other tools.
//
// It decides nothing. plan.TopologyPlan.Blocked says what blocks, and the caller says what
// is approved; without that, a topology is shown as not approved. It opens no file, reads
// no clock and knows no terminal: width and colour are options. This package, and no other,
// makes text from a repository or a server safe to print.
package render
