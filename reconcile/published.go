package reconcile

// Published is what clients of a topology are told: which clusters they may
// use, as of a generation that was seen to be live and verified. The zero
// value tells nothing.
type Published struct {
	Version  int64    `json:"version"` // the generation
	Primary  string   `json:"primary"`
	Standbys []string `json:"standbys"` // sorted
}
