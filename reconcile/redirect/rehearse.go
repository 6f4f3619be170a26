package redirect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/program"
)

// Rehearse checks, for every target that serves the topology, what [Redirector.Set] needs
// to point it at primary. It moves no traffic. OK means that it found no obstacle.
func (r *Redirector) Rehearse(ctx context.Context, topology, primary string, stale []string) []plan.TrafficState {
	return r.forEachTarget(topology, primary, stale, func(t target, w desiredTraffic) (found, error) {
		return found{}, t.withTimeout(ctx, w, t.mover.rehearse)
	})
}

// rehearse checks that the programs can be started, and starts none.
func (c command) rehearse(_ context.Context, _ desiredTraffic) error {
	if err := program.Usable(c.conf.Command); err != nil {
		return err
	}
	if len(c.conf.Check) == 0 {
		return nil
	}
	if err := program.Usable(c.conf.Check); err != nil {
		return fmt.Errorf("its check: %w", err)
	}
	return nil
}

// rehearse renders the template into a temporary file next to the target, which also
// reveals a full disk.
func (f file) rehearse(_ context.Context, w desiredTraffic) error {
	content, err := f.render(w)
	if err != nil {
		return err
	}
	path := resolvePath(f.conf.Path)
	if f.differs(path, content) == nil {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("write %s: it is a folder", f.conf.Path)
	}
	temporary, err := writeTemporary(path, content, f.conf.Mode.Perm())
	if info, statErr := os.Stat(temporary); err == nil && statErr == nil && info.Mode().Perm() != f.conf.Mode.Perm() {
		err = fmt.Errorf("its disk does not keep the permissions %04o", f.conf.Mode.Perm())
	}
	if temporary != "" {
		err = errors.Join(err, os.Remove(temporary))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.conf.Path, err)
	}
	return nil
}

// rehearse reads the state of HAProxy, applies the effect of set to it in memory, and
// checks the result.
func (b backend) rehearse(ctx context.Context, w desiredTraffic) error {
	server, servers, err := b.state(ctx, w)
	if err != nil {
		return err
	}
	for _, id := range otherClusters(b.conf.Servers, "") {
		name := b.conf.Servers[id]
		if s, there := servers[name]; there {
			servers[name] = s.afterSet(name == server)
		}
	}
	if err := b.problems(servers, server, w); err != nil {
		return err
	}
	level, err := b.ask(ctx, "show cli level")
	if level = strings.TrimSpace(level); err == nil && (level == "operator" || level == "user") {
		err = fmt.Errorf("its runtime API has the level %s, which may not set a server (hint: 'level admin' at the stats socket)", level)
	}
	return err
}

// afterSet returns the state of a server after set: ready, or in maintenance. The result
// of its health check is not known while it is out of use.
func (s serverState) afterSet(ready bool) serverState {
	if !ready {
		s.admin |= adminForced
		return s
	}
	if s.maintenance() || s.admin&adminDrain != 0 {
		s.op = opStarting
	}
	s.admin &^= adminForced | adminDrainForced
	return s
}

// rehearse reads the secret, connects to the receiver without sending data, and requires
// an answer of the check URL, which a set needs too. The answer itself does not matter.
func (h hook) rehearse(ctx context.Context, w desiredTraffic) error {
	if h.conf.Secret != nil {
		if _, err := h.conf.Secret(); err != nil {
			return fmt.Errorf("read the secret of the signature: %w", err)
		}
	}
	if err := connect(ctx, h.conf.URL); err != nil || h.conf.CheckURL == "" {
		return err
	}
	if _, _, err := h.askPrimary(ctx, w); err != nil {
		return fmt.Errorf("its check: %w", err)
	}
	return nil
}

// connect connects to the host of a URL, or to its proxy, as a client does. Its errors name
// only the host, since the rest of the URL may be secret.
func connect(ctx context.Context, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return errors.New("the URL is malformed")
	}
	host := u.Host
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		u = proxy
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("reach %s: %w", host, err)
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	if u.Scheme != "https" {
		return nil
	}
	if err := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}).HandshakeContext(ctx); err != nil {
		return fmt.Errorf("reach %s: %w", host, err)
	}
	return nil
}
