// Package audit says whether a standby holds the same data as its primary.
//
// It compares what public calls tell of both clusters, and changes nothing: its ports have
// no method that writes. Compare takes two inventories and JudgeCount two counts with what
// was written meanwhile: values in, values out. Run reads what they need.
//
// A standby is always a little behind its primary, so not every difference counts:
//
//   - Metadata that differ are read again on the primary. If the primary changed them
//     meanwhile, they are no difference.
//   - Counts and rows that differ are compared with the log of the primary. The log holds the
//     writes that the standby may not have had when it was read. If these writes explain a
//     difference, it does not count. If they do not, it is read once more, and reported if it
//     is found again.
package audit
