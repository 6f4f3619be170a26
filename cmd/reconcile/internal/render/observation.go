package render

import (
	"milvus-reconcile/plan"
)

// wireObservation is the rest of what a look at one cluster gave: nobody reads
// it, but `plan --observed` plans from it. Only a status has it.
type wireObservation struct {
	Credential         string         `json:"credential"` // missing, bound, mismatch, refused
	ErrorClass         *string        `json:"errorClass"`
	ReadsConfiguration *string        `json:"readsConfiguration"` // yes, no; null: not known
	ForcePromotes      *string        `json:"forcePromotes"`      // yes, no; null: not known
	DumpDenied         bool           `json:"dumpDenied,omitempty"`
	IdentityProven     bool           `json:"identityProven"`
	IdentityConflict   *string        `json:"identityConflict"`
	Progress           []wireProgress `json:"progress"`
}

// wireProgress has its tick as text, as wireMotion has.
type wireProgress struct {
	Channel       string             `json:"channel"`
	Known         bool               `json:"known"`
	Error         *string            `json:"error"`
	SourceCluster *string            `json:"sourceCluster"`
	SourceChannel *string            `json:"sourceChannel"`
	MessageID     *string            `json:"messageId"`
	TimeTick      string             `json:"timeTick"`
	Salvage       []wireSalvagePoint `json:"salvage"`
	CaughtUpAt    *string            `json:"caughtUpAt"`
	UnsentSince   *string            `json:"unsentSince"`
}

type wireSalvagePoint struct {
	SourceCluster string  `json:"sourceCluster"`
	SourceChannel string  `json:"sourceChannel"`
	MessageID     *string `json:"messageId"`
	TimeTick      string  `json:"timeTick"`
}

// credentialMissing is the word for the zero value of plan.Credential.
const credentialMissing = "missing"

func encodeObservation(v plan.View) *wireObservation {
	return &wireObservation{
		Credential: orElse(string(v.Credential), credentialMissing), ErrorClass: textOrNil(string(v.Class)),
		ReadsConfiguration: textOrNil(string(v.ReadsConfiguration)), ForcePromotes: textOrNil(string(v.ForcePromotes)),
		DumpDenied: v.DumpDenied, IdentityProven: v.IdentityProven, IdentityConflict: textOrNil(v.IdentityConflict),
		Progress: mapList(v.Progress, encodeProgress),
	}
}

func encodeProgress(p plan.ChannelProgress) wireProgress {
	out := wireProgress{
		Channel: p.Channel, Known: p.Known, Error: textOrNil(p.Error), SourceCluster: textOrNil(p.SourceCluster),
		SourceChannel: textOrNil(p.SourceChannel), MessageID: textOrNil(p.MessageID), TimeTick: tick(p.TimeTick),
		Salvage: mapList(p.Salvage, func(s plan.Salvage) wireSalvagePoint {
			return wireSalvagePoint{SourceCluster: s.SourceCluster, SourceChannel: s.SourceChannel, MessageID: textOrNil(s.MessageID), TimeTick: tick(s.TimeTick)}
		}),
	}
	if p.CaughtUpAt != nil {
		out.CaughtUpAt = timeOrNil(*p.CaughtUpAt)
	}
	if p.Unsent != nil {
		out.UnsentSince = timeOrNil(*p.Unsent)
	}
	return out
}

// observation puts back what encodeObservation took apart; a document without
// one leaves the view at its safe zero values.
func (r *decodeReader) observation(v *plan.View, w *wireObservation) {
	if w == nil {
		return
	}
	v.Credential = plan.Credential(zeroWord(w.Credential, credentialMissing))
	v.Class = plan.ErrorClass(text(w.ErrorClass))
	v.ReadsConfiguration, v.ForcePromotes = plan.Support(text(w.ReadsConfiguration)), plan.Support(text(w.ForcePromotes))
	v.DumpDenied, v.IdentityProven, v.IdentityConflict = w.DumpDenied, w.IdentityProven, text(w.IdentityConflict)
	for _, p := range w.Progress {
		v.Progress = append(v.Progress, r.progress(p))
	}
}

func (r *decodeReader) progress(w wireProgress) plan.ChannelProgress {
	out := plan.ChannelProgress{
		Channel: w.Channel, Known: w.Known, Error: text(w.Error), SourceCluster: text(w.SourceCluster),
		SourceChannel: text(w.SourceChannel), MessageID: text(w.MessageID), TimeTick: r.tick(w.TimeTick),
	}
	for _, s := range w.Salvage {
		out.Salvage = append(out.Salvage, plan.Salvage{
			SourceCluster: s.SourceCluster, SourceChannel: s.SourceChannel, MessageID: text(s.MessageID), TimeTick: r.tick(s.TimeTick),
		})
	}
	if w.CaughtUpAt != nil {
		at := r.time(w.CaughtUpAt)
		out.CaughtUpAt = &at
	}
	if w.UnsentSince != nil {
		at := r.time(w.UnsentSince)
		out.Unsent = &at
	}
	return out
}
