//go:build linux

package faultydisk

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// disk says which operations fail.
type disk struct {
	mu     sync.Mutex
	made   int // operations that write
	failAt int // the first that fails; 0: none
	with   syscall.Errno
	failed int
}

// mount shows the folder stored at point, which must be there.
func mount(stored, point string) (*disk, *fuse.Server, error) {
	d := &disk{}
	root := &fs.LoopbackRoot{Path: stored}
	root.RootNode = &node{LoopbackNode: &fs.LoopbackNode{RootData: root}, disk: d}
	var kept time.Duration // nothing is cached but pages
	server, err := fs.Mount(point, root.RootNode, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "faultydisk", DisableXAttrs: true},
		EntryTimeout: &kept, AttrTimeout: &kept,
	})
	return d, server, err
}

// fail lets so many more operations that write succeed; then all fail, the first of
// them with half of its data written.
func (d *disk) fail(after int, with syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made, d.failed, d.failAt, d.with = 0, 0, after+1, with
}

// heal lets everything succeed again, and returns how many operations wrote since fail
// and how many of them failed.
func (d *disk) heal() (made, failed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt = 0
	return d.made, d.failed
}

// writes counts an operation. What it is to fail with is 0 while it is to succeed;
// first says that it is the first that fails.
func (d *disk) writes() (errno syscall.Errno, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made++
	if d.failAt == 0 || d.made < d.failAt {
		return 0, false
	}
	d.failed++
	return d.with, d.failed == 1
}

// node is a file or folder.
type node struct {
	*fs.LoopbackNode
	disk *disk
}

// WrapChild makes what lies in a folder a part of the disk.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	if plain, ok := child.(*fs.LoopbackNode); ok {
		return &node{LoopbackNode: plain, disk: n.disk}
	}
	return child
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_TRUNC != 0 {
		if errno, _ := n.disk.writes(); errno != 0 {
			return nil, 0, errno
		}
	}
	h, f, errno := n.LoopbackNode.Open(ctx, flags)
	return n.open(h), f, errno
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno, _ := n.disk.writes(); errno != 0 {
		return nil, nil, 0, errno
	}
	i, h, f, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return i, n.open(h), f, errno
}

func (n *node) open(h fs.FileHandle) fs.FileHandle {
	if plain, ok := h.(*fs.LoopbackFile); ok {
		return &file{LoopbackFile: plain, disk: n.disk}
	}
	return h
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno, _ := n.disk.writes(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rename(ctx context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if errno, _ := n.disk.writes(); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Rename(ctx, name, parent, newName, flags)
}

// Setattr fails where it makes a file another size.
func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if _, sized := in.GetSize(); sized {
		if errno, _ := n.disk.writes(); errno != 0 {
			return errno
		}
	}
	if f, ok := h.(*file); ok {
		h = f.LoopbackFile
	}
	return n.LoopbackNode.Setattr(ctx, h, in, out)
}

// file is an open file.
type file struct {
	*fs.LoopbackFile
	disk *disk
}

// PassthroughFd keeps the kernel from writing past us.
func (f *file) PassthroughFd() (int, bool) { return -1, false }

func (f *file) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	errno, first := f.disk.writes()
	if first && len(data) > 1 {
		return f.LoopbackFile.Write(ctx, data[:len(data)/2], off)
	}
	if errno != 0 {
		return 0, errno
	}
	return f.LoopbackFile.Write(ctx, data, off)
}

// Fsync fails after all that was written is there, as it does when a disk is asked for
// what it cannot keep.
func (f *file) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if errno, _ := f.disk.writes(); errno != 0 {
		return errno
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}
