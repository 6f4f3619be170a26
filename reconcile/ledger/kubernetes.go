package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/foreign"
	"milvus-reconcile/reconcile/kubeapi"
	"milvus-reconcile/reconcile/ledger/kubernetes"
)

// KubernetesConfig says where a ledger in Kubernetes is.
type KubernetesConfig struct {
	API       kubeapi.Config
	Namespace string
	Name      string        // of its ConfigMap
	TTL       time.Duration // of a lock; DefaultTTL if 0, whole seconds, at least 1 s
	// NotePath is a file on this machine that names the newest record, as in EtcdConfig.
	NotePath string
	// Recheck is after how long a process reads all objects again, since somebody may have edited
	// one; 0: 5 minutes.
	Recheck time.Duration
}

// inKubernetes keeps the ledger in objects of Kubernetes, so that several machines share it.
type inKubernetes struct {
	store *kubernetes.Store
	notes machineNotes

	mu       sync.Mutex
	lastRead kubernetesImage
	version  uint64 // of the image that was made last
}

// kubernetesImage is the ledger after one transaction.
type kubernetesImage struct {
	image
	content kubernetes.Content
}

// Kubernetes returns the ledger in Kubernetes. The first use connects. The caller closes it.
func Kubernetes(c KubernetesConfig, o Options) (*Ledger, error) {
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	if c.TTL < time.Second || c.TTL%time.Second != 0 {
		return nil, fmt.Errorf("a lease of %s: Kubernetes counts whole seconds, and at least 1s", c.TTL)
	}
	if c.API.Wait = o.BusyWait; c.API.Wait <= 0 {
		c.API.Wait = defaultBusyWait
	}
	store := kubernetes.New(kubernetes.Config{API: kubeapi.New(c.API), Namespace: c.Namespace, Name: c.Name, TTL: c.TTL, Recheck: c.Recheck})
	return newLedger(&inKubernetes{store: store, notes: machineNotes{path: c.NotePath}}, o), nil
}

func (b *inKubernetes) kind() plan.LedgerKind { return plan.LedgerKubernetes }

func (b *inKubernetes) name() string { return b.store.Where() }

// batch is small: the head holds the last transaction.
func (b *inKubernetes) batch() int { return 50 }

func (b *inKubernetes) close() error {
	b.store.Close()
	return nil
}

// failed says what an error of the store means: damage, a lost lock, or that it is not known
// what the ledger holds.
func (b *inKubernetes) failed(err error) error {
	var damaged *kubernetes.DamageError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &damaged):
		b.store.Forget() // whatever this process knew, all of it is read again
		return &CorruptError{Path: b.name(), Seq: damaged.Seq, Reason: damaged.Reason}
	case errors.Is(err, kubernetes.ErrLost):
		return fmt.Errorf("%w: %w", ErrLockLost, err)
	case errors.Is(err, kubernetes.ErrFull):
		return fmt.Errorf("write ledger: %w", err)
	case errors.Is(err, kubernetes.ErrBusy):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, b.name(), foreign.Error(err))
}

func (b *inKubernetes) load(ctx context.Context) (image, error) {
	m, err := b.read(ctx, b.store.Read)
	return m.image, err
}

func (b *inKubernetes) read(ctx context.Context, from func(context.Context) (kubernetes.Content, error)) (kubernetesImage, error) {
	if err := contextError(ctx); err != nil {
		return kubernetesImage{}, err
	}
	before := b.notes.read() // read first, so that a later write cannot contradict it
	c, err := from(ctx)
	if c.Format != "" && !readable(c.Format) {
		return kubernetesImage{}, &FormatError{Path: b.name(), Format: c.Format}
	}
	m := kubernetesImage{content: c}
	m.format, m.head, m.latest = c.Format, c.Head, c.Latest
	for _, r := range c.Records[b.knownRecords(c, &m):] {
		s, ok := unseal(r.Seq, r.Raw)
		if !ok {
			return m, &CorruptError{Path: b.name(), Seq: r.Seq, Reason: "it is torn"}
		}
		m.chain = append(m.chain, s)
	}
	before.refuted = c.Refuted
	m.noted = before.get
	if err != nil {
		return m, b.failed(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.Version != "" && c.Version == b.lastRead.content.Version {
		m.image = b.lastRead.image
		m.noted = before.get
		return m, nil
	}
	b.version++
	m.image.version = b.version
	b.lastRead = m
	return m, nil
}

// knownRecords takes up the records that were read before, and returns how many these are.
func (b *inKubernetes) knownRecords(c kubernetes.Content, m *kubernetesImage) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for last := b.lastRead.content.Records; n < min(len(last), len(c.Records)) && bytes.Equal(last[n].Raw, c.Records[n].Raw); {
		n++ // the same memory is equal at once
	}
	m.chain = slices.Clip(b.lastRead.chain[:n])
	return n
}

// commit writes with the version of the head that was read as the condition. The object of a
// topology also holds the fencing token of its lock: a holder whose lease expired writes nothing,
// however late it resumes.
func (b *inKubernetes) commit(ctx context.Context, g guard, fn func(image) (change, error)) error {
	lease, _ := g.(*kubernetesLock)
	for range commitTries {
		m, err := b.read(ctx, b.store.ReadToWrite)
		if err != nil {
			return err
		}
		w, err := fn(m.image)
		if err != nil {
			return err
		}
		c, err := changeOf(m.image, w)
		if err != nil {
			return err
		}
		done, err := b.store.Write(ctx, m.content, c, lease.held())
		if err != nil {
			return b.failed(err)
		}
		if done {
			b.notes.write(lastRecord(m.chain, w.append))
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrBusy, b.name())
}

// changeOf returns a change as the store writes it, with the topology of all that is in it.
func changeOf(im image, w change) (kubernetes.Change, error) {
	out := kubernetes.Change{Format: w.format, Head: w.head, Nothing: w.empty(im)}
	for _, r := range w.append {
		var of struct{ Topology string }
		if err := json.Unmarshal(r.raw, &of); err != nil {
			return out, fmt.Errorf("encode ledger record: %w", err)
		}
		out.Append = append(out.Append, kubernetes.Record{Seq: r.seq, Topology: placed(of.Topology), Raw: r.stored()})
	}
	for _, key := range sortedKeys(w.latest) {
		out.Latest = append(out.Latest, kubernetes.Value{Key: key, Raw: w.latest[key], Topology: placed(w.topologyOf(key))})
	}
	return out, nil
}

// placed returns the topology whose object holds what is of it; empty: it is of none.
func placed(topology string) string {
	if !topologyName().MatchString(topology) {
		return ""
	}
	return topology
}

// topologyOf returns the topology of a latest value; empty: it is of none, or not known.
func (c change) topologyOf(key string) string {
	sort, name, _ := strings.Cut(key, "/")
	switch sort + "/" {
	case latestServing, latestReplay, latestDrift, latestEnded:
		return name
	case latestProgress:
		return c.homes[name]
	case latestOutage, latestAudit:
		_, body, _ := cutHash(c.latest[key])
		var of struct{ Topology string }
		_ = json.Unmarshal(body, &of) // what cannot be read names none
		return of.Topology
	}
	return ""
}

// reportSoundness makes the next load read all objects after a failed verification.
func (b *inKubernetes) reportSoundness(newest sealed, sound bool) {
	b.notes.sound(newest, sound)
	if !sound {
		b.store.Forget()
	}
}

func (b *inKubernetes) restoreHint() string {
	return " (hint: restore its newest copy; if this is the newest there is, 'reconcile ledger accept' accepts it: earlier approvals no longer count: approve again with 'reconcile approve')"
}

// setAside fails: only people may delete objects there.
func (b *inKubernetes) setAside(string) (string, error) {
	list, remove := b.store.Kubectl()
	return "", fmt.Errorf("%s cannot be read (hint: save all of it with '%s -o yaml', then '%s', then 'reconcile ledger accept')", b.name(), list, remove)
}

// writable also names the locks that others hold.
func (b *inKubernetes) writable(ctx context.Context, topologies []string) (Tried, error) {
	out := Tried{}
	if err := b.store.Try(ctx); err != nil {
		return out, b.failed(err)
	}
	if low := b.store.Low(ctx); low != "" {
		out.Notes = append(out.Notes, low)
	}
	for _, t := range topologies {
		h, held, err := b.holder(ctx, t)
		if err != nil {
			return out, err
		}
		if held {
			out.Held = append(out.Held, &HeldError{Topology: t, Holder: h})
		}
	}
	return out, nil
}

// encodeHolder returns who holds a lock, for others.
func encodeHolder(h Holder) ([]byte, error) {
	raw, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode the holder of a lock: %w", err)
	}
	return raw, nil
}
