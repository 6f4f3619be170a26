//go:build !linux

package heldport

import (
	"errors"
	"net"
)

// Port would be the port of a server that is down. This system cannot keep it.
type Port struct{}

func Hold(l net.Listener) *Port {
	_ = l.Close()
	return nil
}

func (*Port) Listen() (net.Listener, error) { return nil, errors.New("no port is held") }

func (*Port) Release() {}
