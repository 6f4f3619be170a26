// Package testkit holds what the black-box tests of the program share, once: how the
// real program is run, signed commits are made, and etcd, simulated clusters, bad
// networks and daemons are started.
//
// A package of such tests has a TestMain that calls Main. The programs reconcile and
// sshsign are then in the PATH of its tests.
//
// Tests that have a short and a full form ask testing.Short: `make test` runs the
// short forms, `make test-all` the full ones.
package testkit
