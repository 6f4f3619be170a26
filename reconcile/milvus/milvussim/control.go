package milvussim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// maxControlBody bounds the body of a control request.
const maxControlBody = 1 << 20

// controlServer is the HTTP side of a World.
type controlServer struct {
	http *http.Server
	done chan struct{}
}

func (s *controlServer) close() {
	if s == nil {
		return
	}
	_ = s.http.Close()
	<-s.done
}

// Serve offers the control API at a loopback address and returns its URL. It
// serves until Close.
func (w *World) Serve(address string) (string, error) {
	if err := loopback(address); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	s := &controlServer{http: &http.Server{Handler: w.ControlHandler(), ReadHeaderTimeout: 10 * time.Second}, done: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.control != nil {
		_ = l.Close()
		return "", errors.New("world is closed, or serves its control API already")
	}
	w.control = s
	go func() {
		defer close(s.done)
		// Serve ends with ErrServerClosed, by close.
		_ = s.http.Serve(l)
	}()
	return "http://" + l.Addr().String(), nil
}

// ControlHandler is the control API: JSON over HTTP. A request that makes no
// sense is a 4xx with {"error"}.
func (w *World) ControlHandler() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, f func() any) {
		mux.HandleFunc("GET "+path, func(rw http.ResponseWriter, _ *http.Request) { reply(rw, http.StatusOK, f()) })
	}
	get("/world", func() any { return w.Snapshot() })
	get("/calls", func() any { return w.Calls() })
	get("/connections", func() any { return map[string]int64{"accepted": w.accepted.Load()} })
	handle(mux, "POST /clusters/{id}/stop", func(id string, _ struct{}) (any, error) { return nil, w.Stop(id) })
	handle(mux, "POST /clusters/{id}/start", func(id string, in starting) (any, error) { return nil, in.then(id, w.ReviveNotReady) })
	handle(mux, "POST /clusters/{id}/restart", func(id string, in starting) (any, error) { return nil, in.then(id, w.RestartNotReady) })
	handle(mux, "POST /clusters/{id}/write", w.controlWrite)
	handle(mux, "POST /clusters/{id}/faults", w.controlFault)
	handle(mux, "DELETE /clusters/{id}/faults", func(id string, _ struct{}) (any, error) { return nil, w.ClearFaults(id) })
	handle(mux, "POST /clusters/{id}/profile", func(id string, in struct {
		Version string `json:"version"`
	},
	) (any, error) {
		return nil, w.SetProfile(id, in.Version)
	})
	w.handleInside(mux)
	mux.HandleFunc("POST /links/{from}/{to}", w.controlLink)
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		reply(rw, http.StatusNotFound, problem(fmt.Errorf("no such call: %s %s", r.Method, r.URL.Path)))
	})
	return mux
}

// starting is the body of a call that starts a cluster: for how long it is not
// ready afterwards.
type starting struct {
	NotReady string `json:"notReady"`
}

func (s starting) then(id string, start func(string, time.Duration) error) error {
	if s.NotReady == "" {
		return start(id, 0)
	}
	d, err := time.ParseDuration(s.NotReady)
	if err != nil || d < 0 {
		return fmt.Errorf("%w: notReady: %q is no duration, as 20s", ErrBadRequest, s.NotReady)
	}
	return start(id, d)
}

func (w *World) controlWrite(id string, in struct {
	Rows *int `json:"rows"`
},
) (any, error) {
	if in.Rows == nil {
		return nil, fmt.Errorf("%w: rows is missing", ErrBadRequest)
	}
	accepted, refusal, err := w.Write(id, *in.Rows)
	out := struct {
		Accepted int    `json:"accepted"`
		Error    string `json:"error"`
	}{Accepted: accepted}
	if refusal != nil {
		out.Error = refusal.Error()
	}
	return out, err
}

func (w *World) controlFault(id string, in struct {
	Method string `json:"method"`
	Kind   string `json:"kind"`
	For    string `json:"for"`
	Times  int    `json:"times"`
	Code   string `json:"code"`
},
) (any, error) {
	f := Fault{Method: in.Method, Kind: FaultKind(in.Kind), Times: in.Times}
	var err error
	if in.For != "" {
		if f.For, err = time.ParseDuration(in.For); err != nil {
			return nil, fmt.Errorf("%w: for: %w", ErrBadRequest, err)
		}
	}
	if in.Code != "" {
		if f.Code, err = codeNamed(in.Code); err != nil {
			return nil, err
		}
	}
	return nil, w.AddFault(id, f)
}

// codeNamed is the gRPC code of that name, as String writes it.
func codeNamed(name string) (codes.Code, error) {
	for c := codes.OK + 1; c <= codes.Unauthenticated; c++ {
		if strings.EqualFold(c.String(), name) {
			return c, nil
		}
	}
	return codes.OK, fmt.Errorf("%w: %q is no gRPC error code", ErrBadRequest, name)
}

func (w *World) controlLink(rw http.ResponseWriter, r *http.Request) {
	var in struct {
		Up  *bool   `json:"up"`
		Lag *string `json:"lag"`
	}
	err := decode(r.Body, &in)
	if err == nil && in.Up == nil && in.Lag == nil {
		err = fmt.Errorf("%w: one of up and lag is needed", ErrBadRequest)
	}
	var lag time.Duration
	if err == nil && in.Lag != nil {
		if lag, err = time.ParseDuration(*in.Lag); err != nil {
			err = fmt.Errorf("%w: lag: %w", ErrBadRequest, err)
		}
	}
	if err == nil && in.Lag != nil {
		err = w.SetLag(r.PathValue("from"), r.PathValue("to"), lag)
	}
	if err == nil && in.Up != nil {
		err = w.SetLink(r.PathValue("from"), r.PathValue("to"), *in.Up)
	}
	conclude(rw, nil, err)
}

// handle registers a call about one cluster whose body is an In.
func handle[In any](mux *http.ServeMux, pattern string, f func(id string, in In) (any, error)) {
	mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
		var in In
		var out any
		err := decode(r.Body, &in)
		if err == nil {
			out, err = f(r.PathValue("id"), in)
		}
		conclude(rw, out, err)
	})
}

// decode reads a JSON body; an empty one is an empty object.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(io.LimitReader(body, maxControlBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil && d.More() {
		err = errors.New("more than one JSON value")
	}
	if err != nil {
		return fmt.Errorf("%w: body: %w", ErrBadRequest, err)
	}
	return nil
}

func conclude(rw http.ResponseWriter, out any, err error) {
	switch {
	case errors.Is(err, ErrUnknownCluster):
		reply(rw, http.StatusNotFound, problem(err))
	case errors.Is(err, ErrBadRequest):
		reply(rw, http.StatusBadRequest, problem(err))
	case err != nil:
		reply(rw, http.StatusInternalServerError, problem(err))
	case out == nil:
		reply(rw, http.StatusOK, struct{}{})
	default:
		reply(rw, http.StatusOK, out)
	}
}

func problem(err error) any {
	return struct {
		Error string `json:"error"`
	}{err.Error()}
}

func reply(rw http.ResponseWriter, status int, body any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	// A reader that has gone is no error of ours.
	_ = json.NewEncoder(rw).Encode(body)
}

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
	case c.halfPromotion.next:
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
	w.handlePromotionAndContent(mux)
	w.handleRebuild(mux)
	w.handleChannels(mux)
}

// handlePromotionAndContent serves the calls that leave a promotion half done and that damage
// what a cluster holds.
func (w *World) handlePromotionAndContent(mux *http.ServeMux) {
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
	handle(mux, "POST /clusters/{id}/content", func(id string, in struct {
		Kind       string `json:"kind"`
		Collection string `json:"collection"`
		Rows       int    `json:"rows"`
	},
	) (any, error) {
		return nil, w.DamageContent(id, Damage{Kind: DamageKind(in.Kind), Collection: in.Collection, Rows: in.Rows})
	})
	handle(mux, "POST /clusters/{id}/import", func(id string, in struct {
		Rows   int  `json:"rows"`
		Commit bool `json:"commit"`
	},
	) (any, error) {
		if in.Commit {
			return nil, w.CommitImport(id)
		}
		return nil, w.Import(id, in.Rows)
	})
}

// handleChannels serves the call that detaches or holds one channel.
func (w *World) handleChannels(mux *http.ServeMux) {
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
