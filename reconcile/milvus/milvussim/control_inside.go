package milvussim

import (
	"fmt"
	"net/http"
	"reflect"
	"time"
)

// Broken is what a person or a test has broken inside a cluster. Nothing of it
// shows in Milvus' own interface but by what no longer happens.
type Broken struct {
	// Coordinator is "gone", "not_ready" or "starting"; "" while it is up.
	Coordinator string `json:"coordinator,omitempty"`
	// Callbacks: the ack callbacks are stuck.
	Callbacks bool `json:"callbacks,omitempty"`
	// CDC: the CDC component is absent.
	CDC bool `json:"cdc,omitempty"`
	// Channels take no broadcast message.
	Channels []string `json:"channels,omitempty"`
	// Promotion is "next" if the next forced promotion will stay half done, and
	// "half" while one is.
	Promotion string `json:"promotion,omitempty"`
	// Detached channels replicate nothing, whatever the coordinator stores.
	Detached []string `json:"detached,omitempty"`
}

func (c *cluster) broken() *Broken {
	b := Broken{Callbacks: c.callbacksHeld, CDC: c.cdcAbsent}
	if c.coordinator != CoordinatorUp {
		b.Coordinator = c.coordinator.String()
	}
	for _, ch := range c.channels {
		if ch.held {
			b.Channels = append(b.Channels, ch.name)
		}
		if c.source() != "" && !ch.secondary && !c.halfPromoted() {
			b.Detached = append(b.Detached, ch.name)
		}
	}
	switch {
	case c.halfPromoted():
		b.Promotion = "half"
	case c.half.next:
		b.Promotion = "next"
	}
	if reflect.ValueOf(b).IsZero() {
		return nil
	}
	return &b
}

// coordinatorNames are the states of a coordinator as the control API spells
// them.
var coordinatorNames = map[Coordinator]string{
	CoordinatorUp: "up", CoordinatorGone: "gone", CoordinatorNotReady: "not_ready", CoordinatorStarting: "starting",
}

// String is the state as the control API spells it.
func (s Coordinator) String() string { return coordinatorNames[s] }

// handleInside registers the calls that break a cluster from inside: what S09 of milvus.md,
// S43 to S45, S59 and S61 need.
func (w *World) handleInside(mux *http.ServeMux) {
	handle(mux, "POST /clusters/{id}/coordinator", func(id string, in struct {
		State string `json:"state"`
	},
	) (any, error) {
		for state, name := range coordinatorNames {
			if name == in.State {
				return nil, w.Coordinator(id, state)
			}
		}
		return nil, fmt.Errorf("%w: state %q is none of up, gone, not_ready, starting", ErrBadRequest, in.State)
	})
	handle(mux, "POST /clusters/{id}/callbacks", func(id string, in held) (any, error) {
		return nil, in.then(func(v bool) error { return w.HoldCallbacks(id, v) })
	})
	handle(mux, "POST /clusters/{id}/cdc", func(id string, in struct {
		Present *bool `json:"present"`
	},
	) (any, error) {
		if in.Present == nil {
			return nil, fmt.Errorf("%w: present is missing", ErrBadRequest)
		}
		return nil, w.SetCDC(id, *in.Present)
	})
	handle(mux, "POST /clusters/{id}/grow", func(id string, in struct {
		PChannels []string `json:"pchannels"`
	},
	) (any, error) {
		if len(in.PChannels) == 0 {
			return nil, fmt.Errorf("%w: pchannels is missing", ErrBadRequest)
		}
		return nil, w.Grow(id, in.PChannels...)
	})
	handle(mux, "POST /clusters/{id}/half-promotion", func(id string, in struct {
		Now   bool   `json:"now"`
		After string `json:"after"`
	},
	) (any, error) {
		after := time.Duration(0)
		if in.After != "" {
			var err error
			if after, err = time.ParseDuration(in.After); err != nil {
				return nil, fmt.Errorf("%w: after: %w", ErrBadRequest, err)
			}
		}
		return nil, w.HalfPromote(id, in.Now, after)
	})
	mux.HandleFunc("POST /clusters/{id}/channels/{pchannel}", func(rw http.ResponseWriter, r *http.Request) {
		var in struct {
			held
			Detached *bool `json:"detached"`
		}
		err := decode(r.Body, &in)
		id, pchannel := r.PathValue("id"), r.PathValue("pchannel")
		switch {
		case err != nil:
		case in.Detached != nil:
			err = w.DetachChannel(id, pchannel, *in.Detached)
		default:
			err = in.then(func(v bool) error { return w.HoldChannel(id, pchannel, v) })
		}
		conclude(rw, nil, err)
	})
}

// held is the body of a call that holds something back, or lets it go.
type held struct {
	Held *bool `json:"held"`
}

func (h held) then(f func(bool) error) error {
	if h.Held == nil {
		return fmt.Errorf("%w: held is missing", ErrBadRequest)
	}
	return f(*h.Held)
}
