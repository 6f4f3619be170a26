//go:build linux

package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/ledger"
	"milvus-reconcile/reconcile/ledger/faultydisk"
	"milvus-reconcile/reconcile/reconciletest"
)

func TestMain(m *testing.M) {
	faultydisk.Main()
	os.Exit(m.Run())
}

// diskMoments is how many failing moments are drawn, diskSeed what they are drawn from.
var (
	diskMoments = flag.Int("disk.moments", 1000, "at how many moments the disk of the ledger fails")
	diskSeed    = flag.Uint64("disk.seed", 20261129, "of these moments")
)

// TestDiskFailsAtAnyMoment carries an approved failover out on a ledger whose disk is
// full or broken from some write on, and once more when it is healed.
func TestDiskFailsAtAnyMoment(t *testing.T) {
	t.Parallel()
	disk, point := faultydisk.ForTest(t)
	moments := *diskMoments
	switch { // make explore has all of them
	case underRace:
		moments /= 40
	case testing.Short():
		moments /= 10
	}
	draw := rand.New(rand.NewPCG(*diskSeed, 0)) //nolint:gosec // to be drawn again
	met, most := map[string]int{}, 0
	for i := range moments {
		after, with := draw.IntN(diskWrites), []syscall.Errno{syscall.ENOSPC, syscall.EIO}[draw.IntN(2)]
		if i < 2*diskWrites { // each write fails, with a ledger before it and without one
			after, with = i/2, []syscall.Errno{syscall.ENOSPC, syscall.EIO}[(i/2+i)%2]
		}
		name := fmt.Sprintf("%d: %s from write %d on", i, with, after+1)
		s := newDiskStory(t, filepath.Join(point, fmt.Sprint(i)))
		if i%2 > 0 { // the other half have no ledger yet
			if _, _, err := s.reopened(t).Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ended, made := s.fails(t, name, disk, after, with)
		met[ended]++
		most = max(most, made)
		if t.Failed() {
			break
		}
	}
	t.Logf("the failing run ended so: %v", met)
	if most >= diskWrites {
		t.Errorf("a failover writes %d times, so that not every write failed", most)
	}
}

// carried is what a ledger holds of a change that was carried out. An intent about which
// nothing was sent may be taken back before.
var carried = regexp.MustCompile(`^born (intent reversed )*intent sent effected result$`)

// diskWrites is more than a failover writes, so that some moments are after it.
const diskWrites = 60

// diskStory is a story whose ledger is a real one, in a folder of its own.
type diskStory struct {
	*reconciletest.Fixture
	path string
	told []string // by the runs
}

func newDiskStory(t *testing.T, dir string) *diskStory {
	t.Helper()
	s := reconciletest.NewFixture(t)
	s.Apply.Changes["orders"].Carriers[0].PayloadHash = strings.Repeat("5e", 32) // a real ledger wants a real one
	return &diskStory{Fixture: s, path: filepath.Join(dir, "ledger.db")}
}

// reopened is the ledger as another process finds it.
func (s *diskStory) reopened(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Embedded(s.path, ledger.Options{Clock: s.Clusters.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// apply carries the change out as one process does, and says how it ended.
func (s *diskStory) applies(t *testing.T) string {
	l := s.reopened(t)
	_, isNew, err := l.Ensure(t.Context())
	if err != nil {
		s.told = append(s.told, err.Error())
		return "no ledger"
	}
	s.Fixture.Apply.Ledger = &onDisk{ledger: l, isNew: isNew}
	report, err := s.Fixture.Apply.Run(t.Context())
	if err != nil {
		return "no report"
	}
	r := report.Results[0]
	s.told = append(s.told, r.Outcome.String()+" "+r.Detail)
	return r.Outcome.String()
}

// fails lets the disk fail while the change is carried out, and demands that nothing was
// sent without its intent on the disk, and that the next runs finish it once.
func (s *diskStory) fails(t *testing.T, name string, disk *faultydisk.Disk, after int, with syscall.Errno) (ended string, made int) {
	t.Helper()
	s.Actor.Answers["cluster-b"] = func(ctx context.Context, _ func(context.Context) error) reconcile.StepResult {
		snapshot, err := s.reopened(t).Read(ctx)
		if err != nil || len(snapshot.Memory().Intents) != 1 || !snapshot.Memory().Intents[0].MayHaveSent || len(snapshot.Spent("orders")) != 1 {
			t.Errorf("%s: sent while the ledger holds %+v, %v", name, snapshot.Memory().Intents, err)
		}
		s.Clusters.Set("cluster-b", func(v *plan.View) {
			v.Belief = plan.ClassifyBelief("cluster-b", plan.Configuration{Clusters: []plan.Member{s.member("cluster-b")}})
		})
		return reconcile.StepResult{Status: plan.StepDone, Sent: true}
	}
	if err := disk.Fail(after, with); err != nil {
		t.Fatal(err)
	}
	ended = s.applies(t)
	told := s.kinds(t, name, s.path)
	made, failed, err := disk.Heal()
	if err != nil {
		t.Fatal(err)
	}
	made -= failed
	for range 3 {
		if s.applies(t) == reconcile.OutcomeUnchanged.String() {
			break
		}
		s.Clusters.Clock.Pass(time.Second)
	}
	now := s.kinds(t, name, s.path)
	if len(s.Actor.Sent) != 1 || s.Actor.Sent[0] != reconciletest.Promote {
		t.Errorf("%s, which ended as %s: sent %q", name, ended, s.Actor.Sent)
	}
	if len(now) < len(told) || !slices.Equal(now[:len(told)], told) {
		t.Errorf("%s: the ledger held %q and holds %q", name, told, now)
	}
	if !carried.MatchString(strings.Join(now, " ")) {
		t.Errorf("%s, which ended as %s: the ledger holds %q", name, ended, now)
	}
	if t.Failed() {
		t.Logf("the runs said %q", s.told)
	}
	return ended, made
}

// kinds are the records of the ledger, in order. A file that cannot be read holds none:
// the disk may have had no room for any.
func (s *diskStory) kinds(t *testing.T, name, path string) []string {
	t.Helper()
	snapshot, err := s.reopened(t).Read(t.Context())
	if err != nil {
		t.Errorf("%s: the ledger %s cannot be read: %v", name, path, err)
		return nil
	}
	var out []string
	for _, r := range snapshot.History("") {
		out = append(out, string(r.Kind))
	}
	return out
}

func (s *diskStory) member(id string) plan.Member {
	for _, c := range s.Topology("orders").Clusters {
		if c.ID == id {
			return plan.Member{ID: id, URI: c.URI, PChannels: c.PChannels}
		}
	}
	return plan.Member{}
}

// onDisk lets a pass use a real ledger.
type onDisk struct {
	ledger *ledger.Ledger
	isNew  bool
}

func (o *onDisk) Read(ctx context.Context) (reconcile.Remembered, error) {
	s, err := o.ledger.Read(ctx)
	if err != nil {
		return reconcile.Remembered{}, err
	}
	out := reconcile.Remembered{Memory: s.Memory(), Newest: s.Newest(), New: o.isNew}
	for _, m := range s.Spent("") {
		out.Spent = append(out.Spent, approval.SpentMark{Topology: m.Topology, Generation: m.Generation, PayloadHash: m.PayloadHash})
	}
	return out, nil
}

func (o *onDisk) Lock(ctx context.Context, topology string, wait time.Duration) (reconcile.HeldLock, error) {
	lock, err := o.ledger.Lock(ctx, topology, wait)
	if err != nil {
		return nil, err
	}
	return rightOnDisk{lock}, nil
}

func (o *onDisk) SpendOnMatch(ctx context.Context, mark plan.GenerationMark, commit string) error {
	return o.ledger.SpendOnMatch(ctx, mark, commit)
}

func (o *onDisk) RecordProven(ctx context.Context, proven []plan.ProgressRecord) error {
	return o.ledger.RecordProven(ctx, proven)
}

func (o *onDisk) RecordOutages(ctx context.Context, seen []plan.Outage, over []string) error {
	return o.ledger.RecordOutages(ctx, seen, over)
}

type rightOnDisk struct{ *ledger.Lock }

func (r rightOnDisk) Begin(ctx context.Context, b reconcile.Beginning) error {
	return r.Lock.Begin(ctx, ledger.Beginning{Intent: b.Intent, Document: b.Document, Payloads: b.Payloads, By: b.By, Stale: b.Stale, Provisions: b.Used})
}
