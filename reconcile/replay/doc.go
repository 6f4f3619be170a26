// Package replay holds the rules by which 'salvage --replay' writes lost rows into the
// promoted cluster (contract.md §8.15). Start with [Judge], which says what becomes of each
// lost write, and with [Decide], which says whether a replay may begin.
//
// What this package does not do: it reads no log and no file, sends nothing, and has no
// clock. Package milvus reads the logs and writes the rows; package salvage of the command
// line keeps what was read on disk.
package replay
