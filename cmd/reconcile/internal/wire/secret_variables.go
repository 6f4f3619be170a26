package wire

import (
	"slices"

	"milvus-reconcile/schema"
)

// SecretVariables are the environment variables that hold a secret of the configuration,
// sorted. No program gets them that needs another secret.
func (e *Environment) SecretVariables() []string {
	c := e.Config
	git := c.Git.Auth
	refs := []schema.SecretRef{git.SSHKeyPassphrase, git.Username, git.Password, c.Serve.WebhookSecret}
	if etcd := c.Ledger.Etcd; etcd != nil {
		refs = append(refs, etcd.Username, etcd.Password)
	}
	for _, one := range c.Credentials {
		refs = append(refs, one.Token, one.ReplicationToken)
	}
	for _, n := range c.Notify {
		refs = append(refs, n.Secret)
		if n.Email != nil {
			refs = append(refs, n.Email.Username)
		}
	}
	for _, r := range c.Redirect {
		if r.Webhook != nil {
			refs = append(refs, r.Webhook.Secret)
		}
		if r.DNS != nil {
			refs = append(refs, r.DNS.Secret)
		}
	}
	var out []string
	for _, r := range refs {
		if r.Env != "" {
			out = append(out, r.Env)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
