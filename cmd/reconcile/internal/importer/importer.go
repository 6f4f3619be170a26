// Package importer writes topology files and configurations for clusters that
// run already. It reads the clusters and changes none.
package importer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// Request says which clusters to import and where to write.
type Request struct {
	Name         string   // of the topology
	Clusters     []string // each as ID=HOST:PORT
	TokenEnv     []string // environment variables: VARIABLE for all clusters, ID=VARIABLE for one
	CAFile       string   // PEM; empty connects without TLS
	Primary      string   // the cluster whose data counts, if several take writes
	TopologyPath string   // empty writes no topology file
	ConfigPath   string   // empty writes no configuration
}

// Run reads the clusters and writes the files of the request. It returns the text
// of the topology file, and notes on what was found and what comes next. It writes
// nothing if a cluster cannot be read, if its id is not proven, or if a file exists.
func Run(ctx context.Context, options wire.Options, r Request) (topology []byte, notes []string, err error) {
	im, err := r.parse()
	if err != nil {
		return nil, nil, err
	}
	for _, path := range []string{r.TopologyPath, r.ConfigPath} {
		if _, err := os.Lstat(path); path != "" && err == nil {
			return nil, nil, fmt.Errorf("%s is there already; it is not overwritten", path)
		}
	}
	if err := im.observe(ctx, options); err != nil {
		return nil, nil, err
	}
	if topology, err = im.topologyFile(); err != nil {
		return nil, nil, err
	}
	config, err := im.configFile()
	if err != nil {
		return nil, nil, err
	}
	if err := writeBoth(r.TopologyPath, topology, r.ConfigPath, config); err != nil {
		return nil, nil, err
	}
	return topology, im.notes(options.Clock()), nil
}

// imported is what is known of the clusters of a request.
type imported struct {
	request     Request
	credentials []schema.Credential
	topology    plan.Topology
	observed    plan.Observed
}

var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// parse reads the request. Its error holds everything that is wrong with it.
func (r Request) parse() (*imported, error) {
	im := &imported{request: r, topology: plan.Topology{Name: r.Name, Generation: 1}}
	tokens, bad := r.tokens()
	for _, spec := range r.Clusters {
		id, address, ok := strings.Cut(spec, "=")
		if _, _, err := net.SplitHostPort(address); !ok || err != nil {
			bad = append(bad, fmt.Errorf("--cluster %q is not ID=HOST:PORT", spec))
			continue
		}
		c := schema.Credential{ClusterID: id, Address: address, Token: schema.SecretRef{Env: tokens[""]}}
		if own, ok := tokens[id]; ok {
			c.Token.Env = own
		}
		delete(tokens, id)
		if r.CAFile != "" {
			c.TLS = &schema.TLS{CAFile: r.CAFile}
		}
		im.credentials = append(im.credentials, c)
		im.topology.Clusters = append(im.topology.Clusters, plan.Cluster{ID: id, ClientAddress: address, Promotable: true})
	}
	delete(tokens, "")
	for id := range tokens {
		bad = append(bad, fmt.Errorf("--token-env names %s, which no --cluster does", id))
	}
	slices.SortFunc(im.topology.Clusters, func(a, b plan.Cluster) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(im.credentials, func(a, b schema.Credential) int { return strings.Compare(a.ClusterID, b.ClusterID) })
	return im, errors.Join(bad...)
}

// tokens returns the environment variable of each cluster id. The empty id stands
// for all clusters that have none of their own.
func (r Request) tokens() (map[string]string, []error) {
	out := map[string]string{}
	var bad []error
	for _, spec := range r.TokenEnv {
		id, name, one := strings.Cut(spec, "=")
		if !one {
			id, name = "", spec
		}
		if !variable().MatchString(name) {
			bad = append(bad, fmt.Errorf("--token-env wants the name of an environment variable, never a token (hint: export TOKEN=…, then --token-env TOKEN)"))
			continue
		}
		out[id] = name
	}
	return out, bad
}
