package heldport

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// Port is the port of a server that is down. Its socket stays bound and does not
// listen: a connection is refused, and the kernel gives the port to no other socket that
// asks for any port, such as an outgoing connection.
type Port struct{ socket *os.File }

// Hold ends a listener and keeps its port; nil: the port cannot be kept.
func Hold(l net.Listener) *Port {
	defer l.Close() //nolint:errcheck // it is ended either way
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	socket, err := tcp.File()
	if err != nil {
		return nil
	}
	h := &Port{socket}
	if err := h.control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_RDWR) }); err != nil {
		h.Release()
		return nil
	}
	return h
}

// Listen has the socket listen again.
func (h *Port) Listen() (net.Listener, error) {
	defer h.Release() // the listener has a copy of the socket
	if err := h.control(func(fd int) error { return syscall.Listen(fd, syscall.SOMAXCONN) }); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l, err := net.FileListener(h.socket)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// Release gives the port back.
func (h *Port) Release() { _ = h.socket.Close() }

func (h *Port) control(do func(fd int) error) error {
	raw, err := h.socket.SyscallConn()
	if err != nil {
		return err //nolint:wrapcheck // its callers say what they tried
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil { //nolint:gosec // a descriptor is small
		return err //nolint:wrapcheck // its callers say what they tried
	}
	return done
}
