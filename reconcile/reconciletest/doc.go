// Package reconciletest holds the fakes that tests of reconcile and of its daemon
// share: clusters, an actor, a ledger and a redirect target in memory, and a [Fixture]
// that puts them together. Only tests import it.
package reconciletest
