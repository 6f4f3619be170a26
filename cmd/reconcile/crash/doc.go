// Package crash kills, stops and cuts off the real program in the middle of failovers, and
// fails its disk, and demands that each failover ends with one force promote.
package crash
