package desired

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/wholefile"
	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// WorkFile is the file of one topology in a user's own work tree.
type WorkFile struct {
	Top      string // of the work tree
	File     string // below Top
	Topology plan.Topology
	history  Revision // at HEAD
}

// OpenWorkFile opens the file of a topology in the work tree that holds dir. path is the
// folder of the topology files, relative to the top of the work tree.
func (l *Loader) OpenWorkFile(ctx context.Context, dir, path, name string) (WorkFile, error) {
	top, err := topOf(ctx, dir)
	if err != nil {
		return WorkFile{}, err
	}
	topologies, problems := schema.Load(os.DirFS(top), path)
	i := slices.IndexFunc(topologies, func(t plan.Topology) bool { return t.Name == name })
	if i < 0 && len(problems) > 0 {
		return WorkFile{}, fmt.Errorf("there is no valid topology %q below %s:\n%w", name, filepath.Join(top, path), problems)
	}
	if i < 0 && len(topologies) == 0 {
		return WorkFile{}, fmt.Errorf("there is no topology %q below %s (hint: --path names the folder of the topology files)", name, filepath.Join(top, path))
	}
	if i < 0 {
		return WorkFile{}, unknownTopology(name, "below "+filepath.Join(top, path), topologies, false)
	}
	files, err := l.workFiles(ctx, top, path, topologies[i:i+1])
	if err != nil {
		return WorkFile{}, err
	}
	return files[0], nil
}

// OpenWorkTree opens the files of all topologies in the work tree that holds dir. It fails if
// one of the files is not valid: it may hold a topology that is meant.
func (l *Loader) OpenWorkTree(ctx context.Context, dir, path string) ([]WorkFile, error) {
	top, err := topOf(ctx, dir)
	if err != nil {
		return nil, err
	}
	topologies, problems := schema.Load(os.DirFS(top), path)
	if len(problems) > 0 {
		return nil, fmt.Errorf("not all topology files below %s are valid:\n%w", filepath.Join(top, path), problems)
	}
	return l.workFiles(ctx, top, path, topologies)
}

// topOf returns the top of the work tree that holds dir.
func topOf(ctx context.Context, dir string) (string, error) {
	top, err := Git(ctx, dir, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return "", fmt.Errorf("%w (hint: run it in a clone of the topology repository, or name one by --repo)", err)
	}
	return top, nil
}

// workFiles are the files of topologies, with their history.
func (l *Loader) workFiles(ctx context.Context, top, path string, topologies []plan.Topology) ([]WorkFile, error) {
	repo, err := gitsource.Open(ctx, gitsource.Config{URL: top, Path: path})
	if err != nil {
		return nil, err
	}
	history, err := l.Load(ctx, repo, "HEAD")
	if err != nil {
		return nil, err
	}
	out := make([]WorkFile, len(topologies))
	for i, t := range topologies {
		out[i] = WorkFile{Top: top, File: t.At.File, Topology: t, history: history}
	}
	return out, nil
}

// committed returns the document at HEAD, or nil.
func (w WorkFile) committed() *plan.Topology {
	for _, t := range w.history.Desired.Topologies {
		if t.Name == w.Topology.Name {
			return &t
		}
	}
	return nil
}

// NextGeneration returns a generation above those in the file, its history and the ledger.
func (w WorkFile) NextGeneration(m plan.Memory) int64 {
	greatest := w.Topology.Generation
	if t := w.committed(); t != nil {
		greatest = max(greatest, t.Generation, t.GreatestEarlier)
	}
	for _, mark := range m.Generations {
		if mark.Topology == w.Topology.Name {
			greatest = max(greatest, mark.Generation)
		}
	}
	return greatest + 1
}

// Edit writes roles and generation into the file. It returns the edited document, with the
// committed one as its previous version.
func (w WorkFile) Edit(change schema.Change) (plan.Topology, error) {
	path := filepath.Join(w.Top, filepath.FromSlash(w.File))
	data, err := os.ReadFile(path)
	if err != nil {
		return plan.Topology{}, fmt.Errorf("read the topology file: %w", err)
	}
	data, err = schema.Edit(w.File, data, w.Topology.Name, change)
	if err != nil {
		return plan.Topology{}, fmt.Errorf("edit topology %s: %w", w.Topology.Name, err)
	}
	if err := wholefile.Replace(path, data); err != nil {
		return plan.Topology{}, fmt.Errorf("write the topology file: %w", err)
	}
	topologies, _ := schema.Parse(w.File, data)
	out := *named(topologies, w.Topology.Name)
	if t := w.committed(); t != nil {
		out.Previous, out.GreatestEarlier = t, max(t.Generation, t.GreatestEarlier)
		marked := []plan.Topology{out}
		w.history.MarkUnproven(marked)
		out = marked[0]
	}
	return out, nil
}

// Governing returns the commit that the document at HEAD comes from.
func (w WorkFile) Governing() string { return w.history.Changes[w.Topology.Name].Commit }

// Unchanged returns the document at HEAD, with its previous version. It fails if the file
// differs from HEAD.
func (w WorkFile) Unchanged(ctx context.Context) (plan.Topology, error) {
	t := w.committed()
	if t == nil {
		return plan.Topology{}, fmt.Errorf("topology %s is not committed, so there is nothing to take back (hint: git restore or remove %s)", w.Topology.Name, w.File)
	}
	status, err := Git(ctx, w.Top, "", "status", "--porcelain", "--", w.File)
	if err != nil {
		return plan.Topology{}, err
	}
	if status != "" {
		return plan.Topology{}, fmt.Errorf("%s holds changes that are not committed (hint: 'git -C %s restore -- %s' takes them back)", w.File, w.Top, w.File)
	}
	return *t, nil
}

// CheckCurrent fails if the branch at the remote has commits that the work tree lacks:
// another change may then be in force. It returns why this could not be checked; "" if it
// could, or if there is no remote.
func (w WorkFile) CheckCurrent(ctx context.Context) (unseen string, err error) {
	remote, branch := w.upstream(ctx)
	if remote == "" {
		return "", nil
	}
	listed, err := Git(ctx, w.Top, "", "ls-remote", "--refs", "--", remote, branch)
	if err != nil {
		return err.Error(), nil
	}
	tip, _, found := strings.Cut(listed, "\t")
	if !found {
		return remote + " has no " + branch, nil
	}
	if _, err := Git(ctx, w.Top, "", "merge-base", "--is-ancestor", tip, "HEAD"); err != nil {
		return "", fmt.Errorf("%s of %s has commits that %s lacks, so the change in force may be another (hint: 'git -C %s pull --ff-only' first)", branch, remote, w.Top, w.Top)
	}
	return "", nil
}

// upstream returns the remote and the ref that the branch follows, else the branch of that
// name at origin; empty if there is none.
func (w WorkFile) upstream(ctx context.Context) (remote, ref string) {
	branch, err := Git(ctx, w.Top, "", "symbolic-ref", "--quiet", "HEAD")
	if err != nil {
		return "", "" // no branch is checked out
	}
	short := strings.TrimPrefix(branch, "refs/heads/")
	remote, err = Git(ctx, w.Top, "", "config", "branch."+short+".remote")
	if err == nil && remote != "." {
		if ref, err = Git(ctx, w.Top, "", "config", "branch."+short+".merge"); err == nil {
			return remote, ref
		}
	}
	if _, err := Git(ctx, w.Top, "", "config", "remote.origin.url"); err != nil {
		return "", ""
	}
	return "origin", branch
}

// CheckCommitted fails if the file has uncommitted changes, which Commit would include.
func (w WorkFile) CheckCommitted(ctx context.Context) error {
	return CheckCommitted(ctx, w.Top, w.File)
}

// CheckCommitted fails if one of some files has uncommitted changes.
func CheckCommitted(ctx context.Context, top string, files ...string) error {
	status, err := Git(ctx, top, "", append([]string{"status", "--porcelain", "--"}, files...)...)
	if err != nil {
		return err
	}
	if status != "" {
		return fmt.Errorf("%s holds changes that are not committed (hint: commit or stash them first, or leave --commit out)", strings.Join(files, ", "))
	}
	return nil
}

// Commit commits only that file, with the user's git configuration, signature and hooks.
// It returns the commit id.
func (w WorkFile) Commit(ctx context.Context, message string) (string, error) {
	return Commit(ctx, w.Top, message, w.File)
}

// Commit commits only those files, as WorkFile.Commit does.
func Commit(ctx context.Context, top, message string, files ...string) (string, error) {
	if _, err := Git(ctx, top, message, append([]string{"commit", "--quiet", "--only", "--file=-", "--"}, files...)...); err != nil {
		return "", fmt.Errorf("%s edited but not committed: %w", strings.Join(files, ", "), err)
	}
	return Git(ctx, top, "", "rev-parse", "HEAD")
}

// RoleChanges describes how roles and generation differ from an earlier document; nil
// means that there is none. If that document may never have been carried out, it says
// only what each cluster becomes.
func RoleChanges(before *plan.Topology, after plan.Topology) []string {
	if before == nil {
		before = &plan.Topology{}
	}
	var parts []string
	for _, c := range after.Clusters {
		switch was, known := before.Cluster(c.ID); {
		case after.PrimaryUnproven:
			parts = append(parts, fmt.Sprintf("%s → %s", c.ID, c.Role))
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
	if to := after.Rehearses(); to != "" {
		parts = append(parts, "a rehearsal: a switchover to "+to+" and back")
	}
	return append(parts, fmt.Sprintf("generation %d → %d", before.Generation, after.Generation))
}

// RolesThatChange returns the roles that differ from those in the document.
func (w WorkFile) RolesThatChange(roles map[string]plan.Role) map[string]plan.Role {
	out := maps.Clone(roles)
	for _, c := range w.Topology.Clusters {
		if out[c.ID] == c.Role {
			delete(out, c.ID)
		}
	}
	return out
}
