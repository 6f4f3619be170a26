package wire

import (
	"context"
	"slices"
	"sync"
	"time"
)

// filesEvery is how often the daemon checks that it can use its secrets, certificates and
// lists. Some are needed only for a failover.
const filesEvery = 5 * time.Second

// fileWatch reports files that cannot be used: in the log once for each cause, in
// metrics, and in the readiness probe if they would stop a failover.
type fileWatch struct {
	mu     sync.Mutex
	fixed  fileUses // of the ledger and the server; a reload does not change them
	uses   fileUses
	causes map[string]string // by the name of the use, as last reported
}

// useFilesOf replaces the files to watch by those of another configuration.
func (d *service) useFilesOf(e *Environment) {
	e.addRuntimeUses()
	d.files.mu.Lock()
	d.files.uses = e.uses
	d.files.mu.Unlock()
	d.checkFiles()
}

// watchFiles checks the files every filesEvery, until ctx ends.
func (d *service) watchFiles(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.run.After(filesEvery):
			d.checkFiles()
		}
	}
}

func (d *service) checkFiles() {
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	now := d.options.Clock()
	faults := slices.Concat(d.files.fixed.faults(now), d.files.uses.faults(now))
	causes := map[string]string{}
	var names []string
	for _, f := range faults {
		names, causes[f.name] = append(names, f.name), f.err.Error()
		if f.name == gitAuthUse || d.files.causes[f.name] == causes[f.name] {
			continue // a fetch reports it, or it was reported
		}
		consequence := "the parts that need it wait, or continue with the last good version"
		if f.stops {
			consequence = "an approved failover that needs it is not carried out"
		}
		d.log.Warn("a file or secret of the configuration cannot be used", "for", f.names, "error", f.err, "until_then", consequence)
	}
	for name := range d.files.causes {
		if causes[name] == "" && name != gitAuthUse {
			d.log.Info("a file or secret of the configuration can be used again", "for", name)
		}
	}
	d.files.causes = causes
	d.metrics.Unusable(names)
	d.loop.Unusable(failoverBlockers(faults))
}
