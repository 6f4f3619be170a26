package propose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wholefile"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// SiteRequest says which topologies are edited: those that leave a site, or come back to it.
type SiteRequest struct {
	Dir    string // a folder of the work tree
	Site   string
	Change plan.SiteChange
	Commit bool // commit the edited files at once, with the user's git configuration
}

// SiteEdit is what was written into the files of the topologies that move.
type SiteEdit struct {
	Moves   []plan.SiteMove
	Stays   []plan.SiteStay
	Files   []string // edited, below the top of the work tree
	Subject string   // of a commit of them
	Planned plan.Plan
}

// Site edits the files of all topologies that a change of a site concerns and that can move.
// All files are written, or none.
func Site(ctx context.Context, o wire.Options, r SiteRequest) (SiteEdit, error) {
	files, err := o.Loader.OpenWorkTree(ctx, r.Dir, cmp.Or(o.Path, "topologies"))
	if err != nil {
		return SiteEdit{}, err
	}
	concerned, err := atSite(files, r.Site)
	if err != nil {
		return SiteEdit{}, err
	}
	top := files[0].Top
	memory, err := o.KnownMemory(ctx, top)
	if err != nil {
		return SiteEdit{}, err
	}
	memory.Now = o.Clock()
	e, err := o.OpenForWorkTree(top)
	if err != nil {
		return SiteEdit{}, err
	}
	defer e.Close()
	observed := plan.Observed{Views: e.Observer().Observe(ctx, concerned, plan.Depth{Progress: true})}
	if err := ctx.Err(); err != nil {
		return SiteEdit{}, fmt.Errorf("observe the clusters: %w", err)
	}
	edit := SiteEdit{Subject: r.subject()}
	edit.Moves, edit.Stays = plan.ProposeSite(concerned, observed, memory, r.Site, r.Change)
	if len(edit.Moves) == 0 {
		return edit, r.noneMoves(edit.Stays)
	}
	return edit, r.write(ctx, &edit, files, memory)
}

// atSite returns the topologies that have a cluster at a site.
func atSite(files []desired.WorkFile, site string) ([]plan.Topology, error) {
	var rev desired.Revision
	for _, f := range files {
		rev.Desired.Topologies = append(rev.Desired.Topologies, f.Topology)
	}
	if err := rev.ChooseSite(site); err != nil {
		return nil, err
	}
	return rev.Desired.Topologies, nil
}

// subject is that of a commit of the change.
func (r SiteRequest) subject() string {
	switch r.Change {
	case plan.SiteFailover:
		return "Fail over what has its primary at " + r.Site
	case plan.SiteBack:
		return "Switch back to " + r.Site
	default:
		return "Switch over what has its primary at " + r.Site
	}
}

// noneMoves is the error of a change that no topology can make.
func (r SiteRequest) noneMoves(stays []plan.SiteStay) error {
	if len(stays) == 0 && r.Change == plan.SiteBack {
		return fmt.Errorf("no topology can come back to %s: its primary is there already, or no standby is (hint: 'reconcile status --site %s')", r.Site, r.Site)
	}
	if len(stays) == 0 {
		return fmt.Errorf("no topology has its primary at %s (hint: 'reconcile status --site %s')", r.Site, r.Site)
	}
	why := []error{errors.New("no topology can move")}
	for _, s := range stays {
		why = append(why, fmt.Errorf("%s: %w", s.Topology, s.Err))
	}
	return errors.Join(why...)
}

// write edits the files of the moves, and commits them if that is asked for.
func (r SiteRequest) write(ctx context.Context, edit *SiteEdit, files []desired.WorkFile, memory plan.Memory) error {
	top := files[0].Top
	of := map[string]desired.WorkFile{}
	for _, f := range files {
		of[f.Topology.Name] = f
	}
	for _, m := range edit.Moves {
		if f := of[m.Topology].File; !slices.Contains(edit.Files, f) {
			edit.Files = append(edit.Files, f)
		}
	}
	if r.Commit {
		if err := desired.CheckCommitted(ctx, top, edit.Files...); err != nil {
			return err
		}
	}
	restore, err := keepFiles(top, edit.Files)
	if err != nil {
		return err
	}
	var wanted plan.Desired
	for _, m := range edit.Moves {
		f := of[m.Topology]
		after, err := f.Edit(schema.Change{Generation: f.NextGeneration(memory), Roles: f.RolesThatChange(m.Roles)})
		if err != nil {
			return errors.Join(err, restore())
		}
		wanted.Topologies = append(wanted.Topologies, after)
	}
	if r.Commit {
		if wanted.Commit, err = desired.Commit(ctx, top, edit.Subject+"\n\n"+moveLines(edit.Moves), edit.Files...); err != nil {
			return err
		}
	}
	edit.Planned = plan.Offline(wanted, memory)
	return nil
}

// moveLines are the moves, one a line.
func moveLines(moves []plan.SiteMove) string {
	var b strings.Builder
	for _, m := range moves {
		fmt.Fprintf(&b, "%s: %s to %s\n", m.Topology, m.From.ID, m.To.ID)
	}
	return b.String()
}

// keepFiles reads files, and returns what puts them back.
func keepFiles(top string, files []string) (restore func() error, err error) {
	kept := map[string][]byte{}
	for _, f := range files {
		path := filepath.Join(top, filepath.FromSlash(f))
		if kept[path], err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("read the topology file: %w", err)
		}
	}
	return func() error {
		var bad []error
		for path, data := range kept {
			if err := wholefile.Replace(path, data); err != nil {
				bad = append(bad, fmt.Errorf("put the topology file back: %w", err))
			}
		}
		return errors.Join(bad...)
	}, nil
}
