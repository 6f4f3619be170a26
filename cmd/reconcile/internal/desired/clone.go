package desired

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"milvus-reconcile/reconcile/gitsource"
)

// CloneQuery says what is asked of a clone, without a configuration.
type CloneQuery struct {
	URL, Ref, Path string
	Commit         string
	Base           string   // the change starts from the documents at this commit; empty: from those before the governing one
	Names          []string // of topologies, or patterns; empty: all
	Site           string   // that one of the clusters is at; empty: any
}

// LoadClone reads the topologies of a clone.
func (l *Loader) LoadClone(ctx context.Context, q CloneQuery) (Revision, error) {
	repo, err := gitsource.Open(ctx, gitsource.Config{URL: q.URL, Ref: q.Ref, Path: q.Path})
	if err != nil {
		return Revision{}, err
	}
	rev, err := l.Load(ctx, repo, q.Commit)
	if err != nil {
		return Revision{}, err
	}
	if err := rev.Choose(q.Names); err != nil {
		return Revision{}, err
	}
	if err := rev.ChooseSite(q.Site); err != nil {
		return Revision{}, err
	}
	if q.Base == "" {
		rev.MarkUnproven(rev.Desired.Topologies)
		return rev, nil
	}
	base, err := l.Load(ctx, repo, q.Base)
	if err != nil {
		return Revision{}, BaseError(q.Base, err)
	}
	rev.KeepChanged(base)
	rev.UseAsPrevious(base)
	base.MarkUnproven(rev.Desired.Topologies)
	return rev, nil
}

// BaseError says that the commit of --base could not be read. A ref such as origin/main is
// known in a clone alone, and without --repo the remote is read.
func BaseError(base string, err error) error {
	if errors.Is(err, gitsource.ErrNotFound) && strings.Contains(base, "/") {
		return fmt.Errorf("--base: %w (hint: %s is a ref of a clone: run this in the clone with '--repo .', and fetch the branch there)", err, base)
	}
	return fmt.Errorf("--base: %w", err)
}
