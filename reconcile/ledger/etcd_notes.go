package ledger

import (
	"fmt"
	"strconv"
)

// noted is what this process and this machine remember of the ledger.
func (b *etcd) noted() noted {
	var out noted
	b.mu.Lock()
	if b.newest.seq > 0 {
		out.notes = append(out.notes, b.newest)
	}
	b.mu.Unlock()
	if b.config.NotePath == "" {
		return out
	}
	if n, err := readNote(b.config.NotePath); err == nil {
		out.notes = append(out.notes, n)
	} else {
		out.missing = append(out.missing, b.config.NotePath)
	}
	return out
}

// judged remembers the newest record that was found sound. One that was read earlier and
// is compared later takes nothing back.
func (b *etcd) judged(newest sealed, sound bool) {
	if !sound || newest.seq == 0 {
		return
	}
	n := noteOf(newest)
	b.mu.Lock()
	defer b.mu.Unlock()
	if n.follows(b.newest) {
		b.newest = n
	}
}

// note names the newest record on this machine. The ledger does without: it is not
// kept where etcd is, and doctor tells that it is missing.
func (b *etcd) note(newest sealed) {
	if b.config.NotePath == "" || newest.seq == 0 {
		return
	}
	n := noteOf(newest)
	if known, err := readNote(b.config.NotePath); err != nil || n != known && n.follows(known) {
		_ = writeNote(b.config.NotePath, n, true) // the next write tries again
	}
}

// moved says why etcd is not the one that wrote the ledger; empty: it is, or that is
// not known. Data that is put back from a snapshot begins a cluster of its own.
func (m moment) moved() string {
	if m.cluster == 0 || m.writer == "" || m.writer == clusterName(m.cluster) {
		return ""
	}
	return fmt.Sprintf("cluster %s of etcd holds it, and cluster %s wrote it: its data was put back from a snapshot, or copied", clusterName(m.cluster), m.writer)
}

func clusterName(id uint64) string { return strconv.FormatUint(id, 16) }

func (b *etcd) restoreHint() string {
	return " (hint: put the newest snapshot back; if this is the newest there is, 'reconcile ledger accept' takes it: what was approved before counts no more, and is approved again by 'reconcile approve')"
}

// setAside: what lies in etcd is for its operator to delete.
func (b *etcd) setAside(string) (string, error) {
	return "", fmt.Errorf("what etcd holds cannot be read (hint: save a snapshot of it, 'etcdctl del --prefix %s/', then 'reconcile ledger accept')", b.config.Prefix)
}
