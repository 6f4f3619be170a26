// Package propose edits a topology file in a work tree: for a switchover or a failover, to
// take a change back, and to match what was done by hand. It changes no cluster and pushes
// nothing.
package propose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// Request says which file is edited.
type Request struct {
	Dir      string // a folder of the work tree
	Topology string
	Cluster  string               // the one that becomes the primary; "": it is found (Failover, Adopt, Cancel)
	Commit   bool                 // commit the edited file, with the user's git configuration
	Data     plan.ProvisionedFrom // of Rebuild: what the cluster holds when it is attached
}

// Edit is what was written into a file.
type Edit struct {
	File    desired.WorkFile
	Before  plan.Topology // the document that was edited; Cancel: the one that is taken back
	After   plan.Topology
	Subject string // of a commit of it
	Why     string // this cluster became the primary; "": the request named it
	Did     string // how the roles change
	// Cautions are what the clusters show against the change, if its cluster was named.
	Cautions []Caution
	Planned  plan.Plan // what the edited document asks for; its Commit is empty without Request.Commit
}

// Switchover swaps the roles of the primary and of a standby.
func Switchover(ctx context.Context, o wire.Options, r Request) (Edit, error) {
	w, err := r.openFor(ctx, o, onlyStandby)
	if err != nil {
		return Edit{}, err
	}
	roles, err := plan.ProposeSwitchover(w.Topology, r.Cluster)
	if err != nil {
		return Edit{}, err
	}
	against := cautions(ctx, o, w, r.Cluster, false)
	e, err := r.write(ctx, o, change{file: w, before: w.Topology, roles: roles, subject: "Switch " + r.Topology + " over to " + r.Cluster, compute: plan.Offline, unproven: true})
	e.Cautions = against
	return e, err
}

// Rehearsal asks for a rehearsal of a switchover. It changes no role.
func Rehearsal(ctx context.Context, o wire.Options, r Request) (Edit, error) {
	w, err := r.openFor(ctx, o, onlyStandby)
	if err != nil {
		return Edit{}, err
	}
	if err := plan.ProposeRehearsal(w.Topology, r.Cluster); err != nil {
		return Edit{}, err
	}
	return r.write(ctx, o, change{file: w, before: w.Topology, rehearse: r.Cluster, subject: "Rehearse a switchover of " + r.Topology + " to " + r.Cluster, compute: plan.Offline, unproven: true})
}

// Rebuild asks for a stale cluster to be wiped, filled and attached as a standby. Without a
// cluster it takes the only stale one.
func Rebuild(ctx context.Context, o wire.Options, r Request) (Edit, error) {
	w, err := r.openFor(ctx, o, onlyStale)
	if err != nil {
		return Edit{}, err
	}
	roles, err := plan.ProposeRebuild(w.Topology, r.Cluster)
	if err != nil {
		return Edit{}, err
	}
	against := rebuildCautions(ctx, o, w, r.Cluster)
	e, err := r.write(ctx, o, change{
		file: w, before: w.Topology, roles: roles, rebuilds: r.Cluster, data: r.Data,
		subject: "Rebuild " + r.Cluster + " of " + r.Topology, compute: plan.Offline,
	})
	e.Cautions = against
	return e, err
}

// openFor opens the file of the topology. Without a cluster in the request, only chooses it.
func (r *Request) openFor(ctx context.Context, o wire.Options, only func(plan.Topology) (string, error)) (desired.WorkFile, error) {
	w, err := r.open(ctx, o)
	if err == nil && r.Cluster == "" {
		r.Cluster, err = only(w.Topology)
	}
	return w, err
}

// onlyStale returns the stale cluster to rebuild. Of several, a person names one.
func onlyStale(t plan.Topology) (string, error) {
	var found []string
	for _, c := range t.Clusters {
		if c.Role == plan.RoleStale {
			found = append(found, t.Name+"/"+c.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s has no stale cluster (hint: 'reconcile status %s')", t.Name, t.Name)
	case 1:
		return strings.TrimPrefix(found[0], t.Name+"/"), nil
	}
	return "", fmt.Errorf("%s has several stale clusters (hint: name the one to rebuild: %s)", t.Name, strings.Join(found, " or "))
}

// onlyStandby returns the standby to switch over to. Of several, a person names one.
func onlyStandby(t plan.Topology) (string, error) {
	var found []string
	for _, c := range t.Clusters {
		if c.Role == plan.RoleStandby && c.Promotable {
			found = append(found, t.Name+"/"+c.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s has no standby that may be promoted (hint: 'reconcile status %s')", t.Name, t.Name)
	case 1:
		return strings.TrimPrefix(found[0], t.Name+"/"), nil
	}
	return "", fmt.Errorf("%s has several standbys (hint: name the one to switch over to: %s)", t.Name, strings.Join(found, " or "))
}

// Failover makes a standby the primary of a topology whose primary is lost. Without a
// cluster it reads all and takes the standby that has the most data.
func Failover(ctx context.Context, o wire.Options, r Request) (Edit, error) {
	w, err := r.open(ctx, o)
	if err != nil {
		return Edit{}, err
	}
	c := change{file: w, before: w.Topology, compute: plan.Offline, unproven: true}
	var against []Caution
	if r.Cluster != "" {
		if c.roles, err = plan.ProposeFailover(w.Topology, r.Cluster); err == nil {
			against = cautions(ctx, o, w, r.Cluster, true)
		}
	} else {
		r.Cluster, err = c.bestFailover(ctx, o)
	}
	if err != nil {
		return Edit{}, err
	}
	if len(w.RolesThatChange(c.roles)) == 0 {
		return Edit{}, fmt.Errorf("nothing to change: the file already asks for the failover to %s, the best standby that may be promoted (%s) (hint: 'reconcile plan %s' says whether it is to be approved or applied)", r.Cluster, c.why, r.Topology)
	}
	c.subject = "Fail " + r.Topology + " over to " + r.Cluster
	e, err := r.write(ctx, o, c)
	e.Cautions = against
	return e, err
}

// bestFailover returns the standby that has the most data. It sets why, the roles
// after its failover, and those that are in force now.
func (c *change) bestFailover(ctx context.Context, o wire.Options) (cluster string, err error) {
	w := c.file
	memory, err := o.KnownMemory(ctx, w.Top)
	if err != nil {
		return "", err
	}
	e, err := o.OpenForWorkTree(w.Top)
	if err != nil {
		return "", fmt.Errorf("%w (hint: without a configuration name the standby to promote: TOPOLOGY/CLUSTER)", err)
	}
	defer e.Close()
	memory.Now = o.Clock()
	observed, err := observe(ctx, e, w.Topology, plan.Depth{Progress: true})
	if err != nil {
		return "", err
	}
	cluster, c.why, c.roles, err = plan.ProposeBestFailover(w.Topology, observed, memory)
	inForce := w.Topology.InForce(observed, memory)
	c.inForce = &inForce
	return cluster, err
}

// Adopt gives each cluster the role that it has after a failover done by hand. Cluster names
// the primary if the clusters do not show it.
func Adopt(ctx context.Context, o wire.Options, r Request) (Edit, error) {
	w, err := r.open(ctx, o)
	if err != nil {
		return Edit{}, err
	}
	e, err := o.OpenForWorkTree(w.Top)
	if err != nil {
		return Edit{}, err
	}
	defer e.Close()
	observed, err := observe(ctx, e, w.Topology, plan.Depth{})
	if err != nil {
		return Edit{}, err
	}
	roles, err := plan.ProposeAdoption(w.Topology, observed, r.Cluster)
	if err != nil {
		return Edit{}, err
	}
	return r.write(ctx, o, change{
		file: w, before: w.Topology, roles: roles, subject: "Adopt what was done to " + r.Topology + " by hand",
		compute: func(d plan.Desired, m plan.Memory) plan.Plan { return plan.Compute(d, observed, m) },
	})
}

// Cancel takes a change back that is committed and has not begun.
func Cancel(ctx context.Context, o wire.Options, r Request) (Edit, error) {
	w, err := r.open(ctx, o)
	if err != nil {
		return Edit{}, err
	}
	committed, err := w.Unchanged(ctx)
	if err != nil {
		return Edit{}, err
	}
	unseen, err := w.CheckCurrent(ctx)
	if err != nil {
		return Edit{}, err
	}
	if unseen != "" {
		o.Messages.Warn(r.Topology, "it is not known whether this clone is up to date: "+unseen+" (hint: 'git pull --ff-only' first, if the change is not yours)")
	}
	e, err := o.OpenForWorkTree(w.Top)
	if err != nil {
		return Edit{}, fmt.Errorf("it is not known whether the change has begun: %w", err)
	}
	defer e.Close()
	memory, err := o.KnownMemory(ctx, w.Top)
	if err != nil {
		return Edit{}, err
	}
	observed, err := observe(ctx, e, committed, plan.Depth{})
	if err != nil {
		return Edit{}, err
	}
	roles, err := plan.ProposeCancel(committed, observed, memory)
	if errors.Is(err, plan.ErrNothingToCancel) {
		return Edit{}, fmt.Errorf("%s: %w (hint: 'reconcile plan %s' says what is left)", w.File, err, r.Topology)
	}
	if err != nil {
		return Edit{}, err
	}
	return r.write(ctx, o, change{
		file: w, before: committed, roles: roles, subject: "Take the change of " + r.Topology + " back",
		compute: func(d plan.Desired, m plan.Memory) plan.Plan { return plan.Compute(d, observed, m) },
	})
}

// open opens the file. It fails if the topology does not list the cluster.
func (r Request) open(ctx context.Context, o wire.Options) (desired.WorkFile, error) {
	defer o.Messages.Doing("reading the topology files and their history")()
	w, err := o.Loader.OpenWorkFile(ctx, r.Dir, cmp.Or(o.Path, "topologies"), r.Topology)
	if err != nil {
		return w, err
	}
	if _, listed := w.Topology.Cluster(r.Cluster); r.Cluster != "" && !listed {
		return w, desired.UnknownCluster(w.Topology, r.Cluster, "")
	}
	return w, nil
}

// observe reads the clusters of one topology. The observer says what it does.
func observe(ctx context.Context, e *wire.Environment, t plan.Topology, depth plan.Depth) (plan.Observed, error) {
	views := e.Observer().Observe(ctx, []plan.Topology{t}, depth)
	if err := ctx.Err(); err != nil {
		return plan.Observed{}, fmt.Errorf("observe the clusters: %w", err)
	}
	return plan.Observed{Views: views}, nil
}

// change is what write writes.
type change struct {
	file   desired.WorkFile
	before plan.Topology
	roles  map[string]plan.Role
	// rehearse is the standby to rehearse with; empty: the change asks for no rehearsal.
	rehearse string
	subject  string
	why      string
	// rebuilds is the cluster whose rebuild is asked for, and data what it is filled with.
	rebuilds string
	data     plan.ProvisionedFrom
	// unproven: the file alone does not tell the primary in force, if its history names
	// several.
	unproven bool
	inForce  *plan.Topology                            // the roles that the clusters were seen to have; nil: they were not read
	compute  func(plan.Desired, plan.Memory) plan.Plan // what the edited document asks for
}

// write edits the file, and commits it if that is asked for.
func (r Request) write(ctx context.Context, o wire.Options, c change) (Edit, error) {
	memory, err := o.KnownMemory(ctx, c.file.Top)
	if err != nil {
		return Edit{}, fmt.Errorf("%w (hint: without a configuration the generation is raised above the history alone: unset RECONCILE_CONFIG)", err)
	}
	if r.Commit {
		if err := c.file.CheckCommitted(ctx); err != nil {
			return Edit{}, err
		}
	}
	edit := schema.Change{Generation: c.file.NextGeneration(memory), Roles: c.file.RolesThatChange(c.roles)}
	if c.rehearse != "" {
		edit.Rehearse = &plan.RehearsalRequest{To: c.rehearse, Generation: edit.Generation}
	}
	if c.rebuilds != "" {
		edit.Rebuild = map[string]plan.RebuildRequest{c.rebuilds: {Generation: edit.Generation, Data: c.data}}
	}
	after, err := c.file.Edit(edit)
	if err != nil {
		return Edit{}, err
	}
	did, starting := &c.file.Topology, after
	starting.PrimaryUnproven = after.PrimaryUnproven && c.unproven && c.inForce == nil
	if c.inForce != nil {
		did, starting.Previous = c.inForce, c.inForce
	}
	wanted := plan.Desired{Topologies: []plan.Topology{starting}}
	if r.Commit {
		if wanted.Commit, err = c.file.Commit(ctx, fmt.Sprintf("%s\n\nGeneration %d.\n", c.subject, after.Generation)); err != nil {
			return Edit{}, err
		}
	}
	memory.Now = o.Clock()
	said := c.file.File + ": " + strings.Join(desired.RoleChanges(did, starting), ", ")
	return Edit{File: c.file, Before: c.before, After: after, Subject: c.subject, Why: c.why, Did: said, Planned: c.compute(wanted, memory)}, nil
}
