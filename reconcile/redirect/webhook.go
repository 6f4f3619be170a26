package redirect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/foreign"
	"milvus-reconcile/reconcile/notify"
)

// eventKind ends the type of the CloudEvent that a webhook gets.
const eventKind = "traffic.redirect"

// hook is a webhook target.
type hook struct {
	conf   Webhook
	poster notify.Poster
}

func (hook) concerns(desiredTraffic) bool { return true }

// redirectEvent is the data of the CloudEvent.
type redirectEvent struct {
	Target   string     `json:"target"`
	Topology string     `json:"topology"`
	Primary  endpoint   `json:"primary"`
	Stale    []endpoint `json:"stale"`
}

func (h hook) set(ctx context.Context, w desiredTraffic) error {
	o := redirectEvent{Target: w.target, Topology: w.topology, Primary: w.primary, Stale: append([]endpoint{}, w.stale...)}
	now := time.Now
	if h.poster.Clock != nil {
		now = h.poster.Clock
	}
	m, err := notify.NewCloudEvent(w.id, "/reconcile", eventKind, w.topology, now(), o).Message()
	if err != nil {
		return err
	}
	once := h.poster
	once.Attempts = 1 // the redirector tries again, and checks each time
	return once.Post(ctx, h.conf.URL, m, h.conf.Secret)
}

// check asks the check URL, with the topology as a query parameter, whether the
// traffic goes to the primary.
func (h hook) check(ctx context.Context, w desiredTraffic) (plan.Stay, error) {
	if h.conf.CheckURL == "" {
		return plan.Stay{}, errCannotAsk
	}
	host, answered, err := h.askPrimary(ctx, w)
	if err == nil && answered != w.primary.Cluster {
		err = fmt.Errorf("%s says that traffic goes to %q, not to %s", host, bounded(answered, h.key()), w.primary.Cluster)
	}
	return plan.Stay{}, err
}

// askPrimary asks the check URL to which cluster the traffic goes.
func (h hook) askPrimary(ctx context.Context, w desiredTraffic) (host, answered string, err error) {
	u, err := url.Parse(h.conf.CheckURL)
	if err != nil {
		return "", "", errors.New("checkUrl is malformed")
	}
	query := u.Query()
	query.Set("topology", w.topology)
	u.RawQuery = query.Encode()
	body, err := h.poster.Get(ctx, u.String(), h.conf.Secret)
	if err != nil {
		return u.Host, "", err
	}
	var answer struct {
		Primary string `json:"primary"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return u.Host, "", fmt.Errorf("%s did not answer with JSON (hint: it should answer {\"primary\": \"CLUSTER\"})", u.Host)
	}
	return u.Host, answer.Primary, nil
}

// key returns the key of the signature, to remove it from answers; empty: none.
func (h hook) key() string {
	if h.conf.Secret == nil {
		return ""
	}
	key, _ := h.conf.Secret() // one that cannot be read was not sent
	return key
}

// bounded cuts a foreign text for a message, and removes secrets from it.
func bounded(s string, secrets ...string) string {
	s = foreign.Text(s, secrets...)
	if r := []rune(s); len(r) > 63 {
		return string(r[:63]) + "…"
	}
	return s
}
