//go:build linux

// Package faultydisk is a file system for tests whose writes fail from a chosen one on,
// as those of a full or a broken disk do, until it is healed. Reads always work.
//
// A process of its own serves it: who waits for a page of a file cannot serve it.
package faultydisk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// served tells a process of a test's binary which folder to show where.
const served = "RECONCILE_TEST_DISK"

// ErrForbidden means that this machine does not allow to mount such a file system.
var ErrForbidden = errors.New("no file system can be mounted in user space")

// Main serves a disk if this process was started for it, and ends it then. TestMain
// calls it first.
func Main() {
	stored, point, ok := strings.Cut(os.Getenv(served), "|")
	if !ok {
		return
	}
	if err := serve(stored, point, os.Stdin, os.Stdout); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve shows a folder and obeys until the input ends.
func serve(stored, point string, in io.Reader, out io.Writer) error {
	d, _, err := mount(stored, point)
	if err != nil {
		return err
	}
	defer syscall.Unmount(point, syscall.MNT_DETACH) //nolint:errcheck // also with files open, and the process ends
	fmt.Fprintln(out, "ready")
	for orders := bufio.NewScanner(in); orders.Scan(); {
		var after, with int
		if n, _ := fmt.Sscanf(orders.Text(), "fail %d %d", &after, &with); n == 2 {
			d.fail(after, syscall.Errno(with))
			fmt.Fprintln(out, "0 0")
		} else {
			fmt.Fprintln(out, joined(d.heal()))
		}
	}
	return nil
}

func joined(made, failed int) string { return fmt.Sprint(made, " ", failed) }

// Disk is a mounted file system.
type Disk struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// Mount shows the folder stored at point, which must be there. The error is
// ErrForbidden where the kernel does not allow it.
func Mount(stored, point string) (*Disk, error) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("%w: not as this user", ErrForbidden)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), served+"="+stored+"|"+point)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &Disk{cmd: cmd, in: in, out: bufio.NewReader(out)}
	switch said, err := d.hears(); {
	case err == nil && said == "ready":
		return d, nil
	case strings.Contains(said, "not permitted"), strings.Contains(said, "denied"), strings.Contains(said, "no such device"):
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrForbidden, said), d.Unmount())
	default:
		return nil, errors.Join(fmt.Errorf("mount: %s", said), err, d.Unmount())
	}
}

func (d *Disk) hears() (string, error) {
	said, err := d.out.ReadString('\n')
	return strings.TrimSpace(said), err
}

// Unmount ends it.
func (d *Disk) Unmount() error { return errors.Join(d.in.Close(), d.cmd.Wait()) }

// Fail lets this number of further write operations succeed; then all fail, the first
// of them with half of its data written.
func (d *Disk) Fail(after int, with syscall.Errno) error {
	_, _, err := d.orders(fmt.Sprintf("fail %d %d", after, int(with)))
	return err
}

// Heal lets everything succeed again, and returns how many operations wrote since Fail
// and how many of them failed.
func (d *Disk) Heal() (made, failed int, err error) { return d.orders("heal") }

func (d *Disk) orders(what string) (made, failed int, err error) {
	if _, err := fmt.Fprintln(d.in, what); err != nil {
		return 0, 0, err
	}
	said, err := d.hears()
	if err == nil {
		_, err = fmt.Sscan(said, &made, &failed)
	}
	return made, failed, err
}
