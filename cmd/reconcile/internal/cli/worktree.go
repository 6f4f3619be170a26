package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// workFile is the file of one topology in the user's own work tree.
type workFile struct {
	top      string // of the work tree
	file     string // below top
	topology plan.Topology
	history  revision // at HEAD
}

// openWorkFile finds a topology in the work tree that --repo, or the current
// folder, lies in.
func (g *globals) openWorkFile(ctx context.Context, name string) (workFile, error) {
	defer g.doing("reading the topology files and their history")()
	dir := g.repo
	if dir == "" {
		dir = "."
	}
	top, err := gitIn(ctx, dir, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return workFile{}, fmt.Errorf("%w (hint: run it in a clone of the topology repository, or name one by --repo)", err)
	}
	path := g.pathOr("topologies")
	topologies, problems := schema.Load(os.DirFS(top), path)
	i := slices.IndexFunc(topologies, func(t plan.Topology) bool { return t.Name == name })
	if i < 0 && len(problems) > 0 {
		return workFile{}, fmt.Errorf("there is no valid topology %q below %s:\n%w", name, filepath.Join(top, path), problems)
	}
	if i < 0 {
		return workFile{}, fmt.Errorf("there is no topology %q below %s (hint: --path names the folder of the topology files)", name, filepath.Join(top, path))
	}
	w := workFile{top: top, topology: topologies[i], file: topologies[i].At.File}
	repo, err := gitsource.Open(ctx, gitsource.Config{URL: top, Path: path})
	if err != nil {
		return workFile{}, err
	}
	if w.history, err = g.loadRevision(ctx, repo, "HEAD"); err != nil {
		return workFile{}, err
	}
	return w, nil
}

// committed is the document at HEAD, nil when there is none.
func (w workFile) committed() *plan.Topology {
	for _, t := range w.history.desired.Topologies {
		if t.Name == w.topology.Name {
			return &t
		}
	}
	return nil
}

// nextGeneration is above the file, its history and the ledger's memory.
func (w workFile) nextGeneration(m plan.Memory) int64 {
	greatest := w.topology.Generation
	if t := w.committed(); t != nil {
		greatest = max(greatest, t.Generation, t.GreatestEarlier)
	}
	for _, mark := range m.Generations {
		if mark.Topology == w.topology.Name {
			greatest = max(greatest, mark.Generation)
		}
	}
	return greatest + 1
}

// edit writes roles and generation into the file and returns the document as
// it reads now, with the committed one as its previous version.
func (w workFile) edit(change schema.Change) (plan.Topology, error) {
	path := filepath.Join(w.top, filepath.FromSlash(w.file))
	data, err := os.ReadFile(path)
	if err != nil {
		return plan.Topology{}, fmt.Errorf("read the topology file: %w", err)
	}
	data, err = schema.Edit(w.file, data, w.topology.Name, change)
	if err != nil {
		return plan.Topology{}, fmt.Errorf("edit topology %s: %w", w.topology.Name, err)
	}
	if err := replaceFile(path, data); err != nil {
		return plan.Topology{}, fmt.Errorf("write the topology file: %w", err)
	}
	topologies, _ := schema.Parse(w.file, data)
	out := *named(topologies, w.topology.Name)
	if t := w.committed(); t != nil {
		out.Previous, out.GreatestEarlier = t, max(t.Generation, t.GreatestEarlier)
	}
	return out, nil
}

// clean refuses a file that holds changes of the user's own, which a commit of
// it would sweep in.
func (w workFile) clean(ctx context.Context) error {
	status, err := gitIn(ctx, w.top, "", "status", "--porcelain", "--", w.file)
	if err != nil {
		return err
	}
	if status != "" {
		return fmt.Errorf("%s holds changes that are not committed (hint: commit or stash them first, or leave --commit out)", w.file)
	}
	return nil
}

// commit commits that one file as the user's own configuration of git says,
// signature and hooks included.
func (w workFile) commit(ctx context.Context, message string) (string, error) {
	if _, err := gitIn(ctx, w.top, message, "commit", "--quiet", "--only", "--file=-", "--", w.file); err != nil {
		return "", fmt.Errorf("the file is edited but not committed: %w", err)
	}
	return gitIn(ctx, w.top, "", "rev-parse", "HEAD")
}

// changed says in words what an edit did.
func (w workFile) changed(after plan.Topology) string {
	return w.file + ": " + strings.Join(roleChanges(&w.topology, after), ", ")
}

// roleChanges says in words how the roles and the generation differ from an
// earlier document; without one, what the first document says.
func roleChanges(before *plan.Topology, after plan.Topology) []string {
	if before == nil {
		before = &plan.Topology{}
	}
	var parts []string
	for _, c := range after.Clusters {
		switch was, known := before.Cluster(c.ID); {
		case !known:
			parts = append(parts, fmt.Sprintf("%s new as %s", c.ID, c.Role))
		case was.Role != c.Role:
			parts = append(parts, fmt.Sprintf("%s %s → %s", c.ID, was.Role, c.Role))
		}
	}
	for _, c := range before.Clusters {
		if _, stays := after.Cluster(c.ID); !stays {
			parts = append(parts, c.ID+" no longer listed")
		}
	}
	return append(parts, fmt.Sprintf("generation %d → %d", before.Generation, after.Generation))
}

// rolesThatChange drops roles that the document has already.
func (w workFile) rolesThatChange(roles map[string]plan.Role) map[string]plan.Role {
	out := maps.Clone(roles)
	for _, c := range w.topology.Clusters {
		if out[c.ID] == c.Role {
			delete(out, c.ID)
		}
	}
	return out
}

// replaceFile writes a file beside the old one and moves it into its place, so
// that no reader sees half of it. The mode stays.
func replaceFile(path string, data []byte) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".reconcile-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// knownMemory is what the operator's ledger remembers, if this machine has the
// configuration and the ledger; a clone alone has neither.
func (g *globals) knownMemory(ctx context.Context, top string) (plan.Memory, error) {
	named := g.config != "" || os.Getenv("RECONCILE_CONFIG") != ""
	if _, err := os.Stat(g.configPath()); errors.Is(err, fs.ErrNotExist) && !named {
		return plan.Memory{}, nil
	}
	config, err := g.readConfig()
	if err != nil {
		return plan.Memory{}, err
	}
	e := environment{g: g, config: config, git: gitsource.Config{URL: top}}
	if err := e.trusted(); err != nil {
		return plan.Memory{}, err
	}
	if config.Ledger.IsZero() {
		return plan.Memory{}, nil
	}
	l, err := e.ledger()
	if err != nil {
		return plan.Memory{}, err
	}
	s, err := g.recall(ctx, l)
	if err != nil {
		return plan.Memory{}, fmt.Errorf("read the ledger: %w", err)
	}
	return s.Memory(), nil
}
