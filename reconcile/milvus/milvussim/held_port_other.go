//go:build !linux

package milvussim

import (
	"errors"
	"net"
)

// heldPort would be the port of a cluster that is down. This system cannot keep it.
type heldPort struct{}

func holdPort(l net.Listener) *heldPort {
	_ = l.Close()
	return nil
}

func (*heldPort) listen() (net.Listener, error) { return nil, errors.New("no port is held") }

func (*heldPort) release() {}
