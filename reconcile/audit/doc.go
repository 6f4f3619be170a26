// Package audit says whether a standby holds what its primary holds.
//
// It compares what public calls tell of both clusters, and changes nothing: its ports have
// no method that writes. Compare takes two inventories and JudgeCount two counts with what
// was written meanwhile: values in, values out. Run reads what they need.
//
// A standby is never quite at the moment of its primary, so each difference must hold
// against that. Metadata that differ are read again on the primary, after the standby had
// all that the primary had written before: what the primary changed meanwhile is no
// difference. Counts and rows that differ are judged by what the log of the primary holds
// behind the checkpoints that the standby had before anything was read. A difference that
// these writes cannot explain is reported once it was found twice.
package audit
