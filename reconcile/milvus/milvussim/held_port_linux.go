package milvussim

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// heldPort is the port of a cluster that is down. Its socket stays bound and does not
// listen: a connection is refused, and the kernel gives the port to no other socket that
// asks for any port, such as an outgoing connection.
type heldPort struct{ socket *os.File }

// holdPort ends a listener and keeps its port; nil: the port cannot be kept.
func holdPort(l net.Listener) *heldPort {
	defer l.Close() //nolint:errcheck // it is ended either way
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	socket, err := tcp.File()
	if err != nil {
		return nil
	}
	h := &heldPort{socket}
	if err := h.control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_RDWR) }); err != nil {
		h.release()
		return nil
	}
	return h
}

// listen has the socket listen again.
func (h *heldPort) listen() (net.Listener, error) {
	defer h.release() // the listener has a copy of the socket
	if err := h.control(func(fd int) error { return syscall.Listen(fd, syscall.SOMAXCONN) }); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	l, err := net.FileListener(h.socket)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// release gives the port back.
func (h *heldPort) release() { _ = h.socket.Close() }

func (h *heldPort) control(do func(fd int) error) error {
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
