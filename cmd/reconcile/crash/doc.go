// Package crash kills, stops and cuts off the real program in the middle of failovers, and
// makes its disk fail. Each failover must end with exactly one force promote.
package crash
