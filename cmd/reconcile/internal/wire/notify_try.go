package wire

import (
	"context"
	"errors"
	"net/url"
	"os"
	"slices"

	"milvus-reconcile/reconcile/notify"
	"milvus-reconcile/schema"
)

// Tried is the result of one test message.
type Tried struct {
	Target string
	Where  string // the format and the host; the rest of a URL may be secret
	Answer string
	Err    error
}

// ForNotify returns the environment of a command that needs only the receivers of
// notify, neither a cluster nor the ledger.
func (o Options) ForNotify() (*Environment, error) {
	config, err := o.ReadConfig()
	if err != nil {
		return nil, err
	}
	if len(config.Notify) == 0 {
		return nil, errors.New("the configuration has no receiver (hint: write one below notify; docs/notifications.md has examples)")
	}
	e := o.With(config)
	return e, e.checkFileTrust()
}

// TryNotify sends a test message to each of the named receivers, or to all, one after
// the other, and returns the result of each.
func (e *Environment) TryNotify(ctx context.Context, names []string, told func(Tried)) {
	test := notify.Test{From: hostName(), Link: e.Config.Serve.PublicURL, At: e.options.Clock()}
	options := notify.Options{Source: notifySource(), Poster: notify.Poster{Clock: e.options.Clock}}
	for _, t := range e.Config.Notify {
		if len(names) > 0 && !slices.Contains(names, t.Name) {
			continue
		}
		out := Tried{Target: t.Name, Where: NotifyWhere(t)}
		done := e.options.Messages.Doing("waiting for " + t.Name)
		if t.Format.Forge() && test.Commit == "" {
			test.Commit, out.Err = e.trackedCommit(ctx)
		}
		if out.Err == nil {
			out.Answer, out.Err = notify.Try(ctx, notifyTarget(t), test, options)
		}
		done()
		told(out)
	}
}

// trackedCommit is the tip of the tracked ref.
func (e *Environment) trackedCommit(ctx context.Context) (string, error) {
	at, err := e.options.Prepare()
	if err != nil {
		return "", err
	}
	defer at.Close()
	if err := at.Fetch(ctx); err != nil {
		return "", err
	}
	return at.Repo.Resolve("")
}

// NotifyWhere names the format and the host of a receiver.
func NotifyWhere(t schema.NotifyTarget) string {
	host := "its receiver"
	if u, err := url.Parse(t.URL); err == nil && u.Host != "" {
		host = u.Host
	}
	return string(t.Format) + " to " + host
}

func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return "a machine without a name"
	}
	return host
}
