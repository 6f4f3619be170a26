package importer

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// TokenVariables are the environment variables that hold a token of the request.
func (r Request) TokenVariables() []string {
	var out []string
	for _, spec := range r.TokenEnv {
		if _, name := cutID(spec); IsVariable(name) {
			out = append(out, name)
		}
	}
	return out
}

// hasToken reports whether the clusters get a token, now or by the configuration that is written.
func (r Request) hasToken() bool {
	return len(r.TokenEnv)+len(r.TokenFile) > 0 || r.SecretDir != ""
}

// mayTakeAll refuses to send a token to each cluster of all namespaces: anyone who may create a
// Service and a ConfigMap in one of them would get it. The error lists what was found and ends
// with the command that names it.
func (r Request) mayTakeAll(found []Found, k Kubernetes) error {
	if !r.hasToken() || k.Namespace != "" {
		return nil
	}
	if _, bad := r.tokens(); len(bad) > 0 {
		return errors.Join(bad...) // a token that was typed for a name must not be repeated below
	}
	var b strings.Builder
	b.WriteString("a token goes only to clusters that you name, and neither --cluster nor --namespace names any. Nothing was sent. These call themselves Milvus, and everybody who may create a Service and a ConfigMap can be among them:\n")
	var ids []string
	for _, f := range found {
		id, doubt := f.offer(found)
		if doubt == "" {
			ids = append(ids, id)
		}
		fmt.Fprintf(&b, "  %s  %s  %s%s\n", id, f, f.Address, doubt)
	}
	if len(ids) == 0 {
		b.WriteString("(hint: name those that are yours: --namespace NAMESPACE, or --cluster ID=HOST:PORT for each)")
	} else {
		fmt.Fprintf(&b, "(hint: leave out what is not yours, and type the rest)\n  %s", r.command(k, ids))
	}
	return errors.New(b.String())
}

// plainID is an id that means the same in every shell. A ConfigMap can say any text.
var plainID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })

// offer returns the id as people may see it, and why --cluster ID alone cannot name the cluster.
func (f Found) offer(all []Found) (id, doubt string) {
	switch {
	case f.ID == "":
		return "not known", "  (" + f.NoID + ")"
	case !plainID().MatchString(f.ID):
		return fmt.Sprintf("%+q", f.ID), "  (this cannot be an id)"
	case len(withID(all, f.ID)) > 1:
		return f.ID, "  (another one has this id)"
	}
	return f.ID, ""
}

func withID(all []Found, id string) []Found {
	var out []Found
	for _, f := range all {
		if f.ID == id {
			out = append(out, f)
		}
	}
	return out
}

// command is what to type to import the clusters with some ids. It names where tokens are, and holds none.
func (r Request) command(k Kubernetes, ids []string) string {
	out := []string{"reconcile import --kubernetes"}
	add := func(option string, values ...string) {
		for _, v := range values {
			if v != "" {
				out = append(out, option+" "+ShellQuoted(v))
			}
		}
	}
	add("--kubeconfig", k.Kubeconfig)
	add("--context", k.Contexts...)
	add("--name", r.Name)
	add("--cluster", ids...)
	add("--token-env", r.TokenEnv...)
	add("--token-file", r.TokenFile...)
	add("--ca-file", r.CAFile)
	add("--primary", r.Primary)
	add("--secret-dir", r.SecretDir)
	add("--out", r.TopologyPath)
	add("--config-out", r.ConfigPath)
	return strings.Join(out, " ")
}

// ShellQuoted quotes a word for a shell, where it must.
func ShellQuoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
