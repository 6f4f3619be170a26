// Package testkit has the helpers of the tests that run the program. They run it, make
// signed commits, and start etcd, simulated clusters, bad networks and daemons.
//
// A package of such tests has a TestMain that calls Main. The programs reconcile and
// sshsign are then in the PATH of its tests.
//
// Some tests have a short form, for testing.Short. `make test` runs the short forms,
// `make test-all` the full ones.
package testkit
