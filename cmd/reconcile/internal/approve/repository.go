package approve

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/reconcile/approval"
)

// RepositoryName returns the name that an approval is bound to: the one that is given, else
// from the configuration if it is on this machine and for this clone's repository, else
// from git config reconcile.repository.
func RepositoryName(ctx context.Context, o wire.Options, dir, given string) (string, error) {
	if given != "" {
		return given, approval.CheckRepository(given)
	}
	own, err := desired.Git(ctx, dir, "", "config", "reconcile.repository")
	if err != nil {
		own = "" // git fails if it is not set
	}
	if _, err := os.Stat(o.ConfigPath()); err == nil {
		config, err := o.ReadConfig()
		switch {
		case err == nil && config.Approval.Repository != "" && isCloneOf(ctx, dir, config.Git.URL):
			return config.Approval.Repository, nil
		case err != nil && own == "":
			o.Messages.Warn("approve", "the operator's configuration cannot be read, so it does not say which repository this is: "+err.Error())
		case err == nil && config.Approval.Repository != "" && own == "":
			o.Messages.Warn("approve", "the operator's configuration is of another repository than this clone, so the approval names none (hint: --repository, or git config reconcile.repository)")
		}
	}
	if own == "" {
		return "", nil
	}
	return own, approval.CheckRepository(own)
}

// isCloneOf reports whether a folder is the repository at url, or has it as a remote. An
// approval in a clone of staging must not name production.
func isCloneOf(ctx context.Context, dir, url string) bool {
	places := []string{dir}
	if top, err := desired.Git(ctx, dir, "", "rev-parse", "--show-toplevel"); err == nil {
		places = append(places, top)
	}
	remotes, err := desired.Git(ctx, dir, "", "config", "--get-regexp", `^remote\..*\.(push)?url$`)
	if err == nil {
		for line := range strings.Lines(remotes) {
			_, at, _ := strings.Cut(strings.TrimSpace(line), " ")
			places = append(places, at)
		}
	}
	want := repositoryAddress(url)
	return slices.ContainsFunc(places, func(p string) bool { return repositoryAddress(p) == want })
}

// repositoryAddress returns the host and path of a repository given as a local path, a
// URL, or user@host:path.
func repositoryAddress(url string) string {
	url = strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
	rest, remote := url, false
	if scheme, after, ok := strings.Cut(url, "://"); ok {
		rest, remote = after, scheme != "file"
	} else if host, at, ok := strings.Cut(url, ":"); ok && !strings.Contains(host, "/") {
		rest, remote = host+"/"+at, true
	}
	if !remote {
		if abs, err := filepath.Abs(rest); err == nil {
			rest = abs
		}
		if real, err := filepath.EvalSymlinks(rest); err == nil {
			rest = real
		}
		return strings.TrimSuffix(rest, "/")
	}
	host, at, _ := strings.Cut(rest, "/")
	_, after, found := strings.Cut(host, "@")
	if found {
		host = after
	}
	host, _, _ = strings.Cut(host, ":")
	return strings.ToLower(host) + "/" + strings.Trim(at, "/")
}
