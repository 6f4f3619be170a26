// Package schema turns topology files and the operator's configuration into
// values, and reports everything that is wrong with them at once.
//
// It reads bytes (or an fs.FS) and returns values: plan.Topology with every
// default filled in, Config, and Problems with file, line, column, path,
// message and hint. A document with problems is left out; the others are
// read. Edit changes roles, generation and provisioned in the text of a file, and
// leaves every comment where it is. The JSON Schemas that it checks with are
// embedded and printed by JSON.
//
// It does not compare a document with an earlier version or with a live
// cluster (package plan does), does not resolve secrets, does not open the
// paths that a configuration names, and knows nothing of Git.
//
// One document passes four stages: the raw text (size, characters), the YAML
// nodes (anchors, tags, duplicate keys, depth), the JSON Schema (structure),
// and the rules in Go (everything that a schema cannot say). A later stage
// reports nothing about a place that an earlier one has reported.
package schema
