// Package badwire is a TCP proxy for tests that disturbs connections as bad networks do.
// Toxics (delays, losses) cannot be changed while connections are open, since the proxy
// might wait for ever. To disturb an open connection, close a Gate.
package badwire

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// Start starts a proxy to upstream, with toxics on all its connections.
func Start(address, upstream string, toxics []string) (*toxiproxy.Proxy, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "wire", address, upstream)
	for _, text := range toxics {
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			return nil, err
		}
	}
	return proxy, proxy.Start()
}

// Toxic is a toxic in one direction: upstream or downstream.
func Toxic(kind, direction, attributes string) string {
	return fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, direction, attributes)
}

// Gate drops everything once it is closed, on open connections too.
type Gate struct{ closed atomic.Bool }

// Close makes the gate drop everything.
func (g *Gate) Close() { g.closed.Store(true) }

// Open ends that, for what is sent from now on.
func (g *Gate) Open() { g.closed.Store(false) }

// Toxic is the gate in one direction of all connections.
func (g *Gate) Toxic(direction string) string {
	name := fmt.Sprintf("%p", g)
	gates.Store(name, g)
	return Toxic("gate", direction, fmt.Sprintf(`"name":%q`, name))
}

var gates sync.Map // by the name that a toxic knows

func init() { toxics.Register("gate", new(gateToxic)) }

// gateToxic is a gate in one direction of one connection.
type gateToxic struct {
	Name string `json:"name"`
}

// Pipe lets through until the gate is closed.
func (t *gateToxic) Pipe(stub *toxics.ToxicStub) {
	g, _ := gates.Load(t.Name)
	for {
		select {
		case <-stub.Interrupt:
			return
		case c := <-stub.Input:
			if c == nil {
				stub.Close()
				return
			}
			if !g.(*Gate).closed.Load() {
				stub.Output <- c
			}
		}
	}
}
