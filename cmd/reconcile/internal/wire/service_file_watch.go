package wire

import (
	"context"
	"slices"
	"sync"
	"time"
)

// filesEvery is how often the daemon looks whether it can still use its secrets,
// certificates and lists: some are needed only on the day of a failover.
const filesEvery = 5 * time.Second

// fileWatch tells of files that cannot be used: in the log once for each cause, in
// metrics, and in readiness where they would stop a failover.
type fileWatch struct {
	mu     sync.Mutex
	fixed  fileUses // that a reload does not change: of the ledger and the server
	uses   fileUses
	causes map[string]string // by what it is for, as told last
}

// watch takes over what a configuration rests on.
func (d *service) watch(e *Environment) {
	e.further()
	d.files.mu.Lock()
	d.files.uses = e.uses
	d.files.mu.Unlock()
	d.lookAtFiles()
}

// watchFiles looks again and again, until ctx ends.
func (d *service) watchFiles(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.run.After(filesEvery):
			d.lookAtFiles()
		}
	}
}

func (d *service) lookAtFiles() {
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	now := d.options.Clock()
	faults := slices.Concat(d.files.fixed.faults(now), d.files.uses.faults(now))
	causes := map[string]string{}
	var names []string
	for _, f := range faults {
		names, causes[f.name] = append(names, f.name), f.err.Error()
		if f.name == gitAuthUse || d.files.causes[f.name] == causes[f.name] {
			continue // a fetch tells of it, or it was told
		}
		consequence := "what rests on it waits, or goes on with what was read before"
		if f.stops {
			consequence = "an approved failover that needs it is not carried out"
		}
		d.log.Warn("a file or secret of the configuration cannot be used", "for", f.spoken, "error", f.err, "until_then", consequence)
	}
	for name := range d.files.causes {
		if causes[name] == "" && name != gitAuthUse {
			d.log.Info("a file or secret of the configuration can be used again", "for", name)
		}
	}
	d.files.causes = causes
	d.metrics.Unusable(names)
	d.loop.Unusable(stopping(faults))
}
