package conformance

// Side says whom a scenario speaks of.
type Side int

const (
	// Server: it is a case of this suite.
	Server Side = 1 << iota
	// Reconciler: it is a case for the planner, for apply or for the loop.
	Reconciler
)

// Scenario is one row of the contract's conformance tables (milvus.md §10).
type Scenario struct {
	ID    string
	Title string
	Side  Side
}

// Scenarios lists S01 to S63 in order.
func Scenarios() []Scenario {
	const both = Server | Reconciler
	return []Scenario{
		{"S01", "diverged clusters may be linked again, and nobody stops it", both},
		{"S02", "failback without a rebuild demotes the promoted cluster", both},
		{"S03", "a reachable stale primary is fenced by a call to it alone", Server},
		{"S04", "a switchover whose standby is cut off leaves no primary", both},
		{"S05", "no primary: wait or force, never act alone", Reconciler},
		{"S06", "2.6.12 and 2.6.13 ignore the force flag", both},
		{"S07", "a healthy primary is never failed over", Reconciler},
		{"S08", "a dead primary's standby is promoted once and reads alone", both},
		{"S09", "a force promote that runs into its deadline completes later", both},
		{"S10", "a second force promote is told that the cluster is primary", both},
		{"S11", "of two standbys the one that is ahead is chosen", Reconciler},
		{"S12", "standbys that cannot be compared need a human", Reconciler},
		{"S13", "another standby waits for a promoted one in vain", Server},
		{"S14", "a removed standby becomes writable", both},
		{"S15", "an unreachable standby is removed and learns it on its return", Server},
		{"S16", "two clusters that each replicate to the other are a split brain", Reconciler},
		{"S17", "no primary, two primaries, chains and loops are refused", both},
		{"S18", "a primary that cannot be read is no switchover", Reconciler},
		{"S19", "a primary that reads and cannot write is in doubt", Reconciler},
		{"S20", "an approval for another plan does nothing", Reconciler},
		{"S21", "a returning old primary is reported, listed or not", Reconciler},
		{"S22", "a standby that is not empty joins without a word", both},
		{"S23", "a switchover sent to the standby alone changes nothing", Server},
		{"S24", "the old primary answers first, the standby when all is fenced", Server},
		{"S25", "a switchover sent to both at once succeeds on both", Server},
		{"S26", "the same configuration again is a success on any role", Server},
		{"S27", "another order of the list is a change", Server},
		{"S28", "a standby refuses a malformed configuration at once", Server},
		{"S29", "an attach told to the primary alone replicates nothing", Server},
		{"S30", "an attach told to both demotes the new standby and replicates", Server},
		{"S31", "a standby attached before its primary is freed by force only", Server},
		{"S32", "one of two standbys is detached, the other stays", Server},
		{"S33", "a switchover of a star resets the other standby's source", Server},
		{"S34", "a blank token of a known cluster is a change", Server},
		{"S35", "newer servers fill blank tokens in", Server},
		{"S36", "uri and channels of a known cluster are fixed", Server},
		{"S37", "fewer channels than live are refused, by force too", Server},
		{"S38", "growth together with a removal never arrives", both},
		{"S39", "an empty configuration is refused", Server},
		{"S40", "force on a primary is refused", Server},
		{"S41", "force takes exactly one cluster and no edge", Server},
		{"S42", "force uses the stored uri and token", Server},
		{"S43", "a deadline in the wait for the lock leaves nothing behind", Server},
		{"S44", "a broadcast outlives the caller who cancels", Server},
		{"S45", "a broadcast outlives a restart", Server},
		{"S46", "reading an unconfigured cluster blocks up to 2.6.22", both},
		{"S47", "reading an unconfigured cluster answers with the fix", Server},
		{"S48", "2.6.12 to 2.6.16 do not forward the read", both},
		{"S49", "older servers do not know the methods", Server},
		{"S50", "tokens are blank in a read and the order is kept", Server},
		{"S51", "a standby tells its checkpoint by its own channel", Server},
		{"S52", "a standby asked by its source's channel waits", Server},
		{"S53", "a primary has no checkpoint, or waits before 2.6.19", Server},
		{"S54", "a promoted cluster tells what it kept for salvage", Server},
		{"S55", "a wrong password and a missing privilege are gRPC errors", Server},
		{"S56", "a standby refuses writes and answers reads", Server},
		{"S57", "an idle channel's checkpoint stands still", both},
		{"S58", "tick 0 means that nothing was replicated", both},
		{"S59", "in the middle of a switchover channels disagree", Server},
		{"S60", "an edge whose checkpoint is frozen", both},
		{"S61", "without CDC every call succeeds and nothing replicates", Server},
		{"S62", "a standby that was away longer than retention has a gap", both},
		{"S63", "ids within ids, uris without a scheme, channels out of order", Reconciler},
	}
}
