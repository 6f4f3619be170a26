package audit

import "context"

// Refusal is an answer in which the server itself refuses a request.
type Refusal struct{ Err error }

// Error returns the words of the server.
func (r Refusal) Error() string { return r.Err.Error() }

// Unwrap returns the error itself.
func (r Refusal) Unwrap() error { return r.Err }

// Cluster is one cluster as an audit reads it. It has no method that writes.
type Cluster interface {
	// Inventory reads what the cluster holds. What cannot be read is in Unread.
	Inventory(ctx context.Context) Inventory
	// Count counts the rows of a loaded collection with strong consistency.
	Count(ctx context.Context, c Collection) (int64, error)
	// Keys returns at most limit keys that a rule picks.
	Keys(ctx context.Context, c Collection, r Rule, limit int) ([]Key, error)
	// Rows reads the rows of keys with all their fields.
	Rows(ctx context.Context, c Collection, keys []Key) ([]Row, error)
}

// Pair is a standby with the primary that it replicates.
type Pair interface {
	Primary() Cluster
	Standby() Cluster
	// CatchUp waits until the standby holds all that the primary had written before the
	// call. Its error says what it lacks.
	CatchUp(ctx context.Context) error
	// Mark notes how far the standby has replicated.
	Mark(ctx context.Context) (Mark, error)
}

// Mark is how far a standby had replicated.
type Mark interface {
	// Written reads what the primary has written since, in each collection by its name. It
	// searches the keys of a collection that are given.
	Written(ctx context.Context, collections []Collection, keys map[string][]Key) map[string]Writes
}
