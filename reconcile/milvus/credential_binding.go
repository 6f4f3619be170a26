package milvus

import (
	"crypto/tls"
	"fmt"
	"net/url"

	"milvus-reconcile/plan"
)

// access is the right to call one cluster, decided before any call.
type access struct {
	cluster    plan.Cluster
	credential plan.Credential
	reason     string // why it may not be called; empty: it may
	bound      Credential
}

func (a access) allowed() bool { return a.reason == "" }

// bind decides for every member of a topology whether it may be called
// (contract.md §3). One mismatch forbids calls to all of them: somebody
// may be collecting what we send.
func bind(t plan.Topology, credentials map[string]Credential) map[string]access {
	out := make(map[string]access, len(t.Clusters))
	offender := ""
	for _, c := range t.Clusters {
		a := access{cluster: c}
		cred, ok := credentials[c.ID]
		switch {
		case !ok:
			a.reason = fmt.Sprintf("the operator's configuration has no credential for %s", c.ID)
		case !fits(c, cred):
			a.credential = plan.CredentialMismatch
			a.reason = fmt.Sprintf("%s is bound to another address or uri in the operator's configuration", c.ID)
			offender = c.ID
		default:
			a.credential, a.bound = plan.CredentialBound, cred
		}
		out[c.ID] = a
	}
	if offender == "" {
		return out
	}
	for id, a := range out {
		if a.allowed() {
			a.reason = fmt.Sprintf("nobody of this topology is called, since %s is bound to another address or uri", offender)
			out[id] = a
		}
	}
	return out
}

// mismatched says whether the topology names an address or uri that the
// operator's configuration does not bind.
func mismatched(access map[string]access) bool {
	for _, a := range access {
		if a.credential == plan.CredentialMismatch {
			return true
		}
	}
	return false
}

// fits says whether a cluster of a topology is exactly what its credential is
// bound to.
func fits(c plan.Cluster, cred Credential) bool {
	return c.ClientAddress == cred.Address && uriFits(c.URI, cred)
}

// uriFits compares with the bound uri; without one, the uri must lead to the
// bound address and nowhere below it.
func uriFits(uri string, cred Credential) bool {
	if cred.URI != "" {
		return uri == cred.URI
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Host == cred.Address && (u.Path == "" || u.Path == "/")
}

// ticket is what one call needs: where to, and with which token.
type ticket struct {
	cluster string
	address string
	token   string
	tls     *tls.Config
}

// bind decides who of a topology may be called; what its document tells is no
// secret from then on.
func (f *Fleet) bind(t plan.Topology) map[string]access {
	f.secrets.Publish(t)
	return bind(t, f.credentials)
}

// learn reads every token, so that a cluster which repeats one is found out: each
// was told those by which it reaches the others, perhaps by another process.
func (f *Fleet) learn() {
	for _, c := range f.credentials {
		f.secrets.Learn(c.Token)
		f.secrets.Learn(c.ReplicationToken)
	}
}

// ticket reads the token and certificates of an allowed cluster.
func (f *Fleet) ticket(a access) (ticket, error) {
	f.learnt.Do(f.learn)
	f.secrets.Learn(a.bound.ReplicationToken) // it may have been rotated
	conf, err := a.bound.tlsNow()
	if err != nil {
		return ticket{}, fmt.Errorf("the TLS of %s cannot be used: %w", a.cluster.ID, err)
	}
	t := ticket{cluster: a.cluster.ID, address: a.bound.Address, tls: conf}
	if a.bound.Token == nil {
		return t, nil
	}
	token, err := a.bound.Token()
	if err != nil {
		return ticket{}, fmt.Errorf("read the token of %s: %w", a.cluster.ID, err)
	}
	f.secrets.Add(token)
	t.token = token
	return t, nil
}

// replicationToken reads the token by which the others reach a cluster. It is
// given out only for exactly the bound uri.
func (f *Fleet) replicationToken(cred Credential, uri string) (string, error) {
	if !uriFits(uri, cred) {
		return "", fmt.Errorf("%s is bound to another uri in the operator's configuration", cred.ClusterID)
	}
	read := cred.ReplicationToken
	if read == nil {
		read = cred.Token
	}
	if read == nil {
		return "", nil
	}
	token, err := read()
	if err != nil {
		return "", fmt.Errorf("read the replication token of %s: %w", cred.ClusterID, err)
	}
	f.secrets.Add(token)
	return token, nil
}

// Hide returns a text without the tokens of the clusters.
func (f *Fleet) Hide(text string) string {
	f.learn() // a token may have been rotated
	return f.secrets.Scrub(text)
}
