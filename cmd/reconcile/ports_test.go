package main

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that a test may stop listening at and take again lie below those
// that the kernel gives to outgoing connections (Linux: from 32768): one of
// these could take the port of a cluster that is stopped for a moment.
const firstPort, ports = 15000, 17000

// listenFree listens at a free loopback port.
func listenFree() (net.Listener, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(ports))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}
