// Package importer writes topology files and configurations for clusters that
// run already. It reads the clusters and changes none.
package importer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	TokenFile    []string // files: PATH for all clusters, ID=PATH for one
	CAFile       string   // PEM; empty connects without TLS
	Primary      string   // the cluster whose data counts, if several take writes
	TopologyPath string   // empty writes no topology file
	ConfigPath   string   // empty writes no configuration
	Operator     Operator // what the configuration says besides the credentials
	// SecretDir is where the configuration says that the token of each cluster is, as ID-token;
	// empty: where it was read now.
	SecretDir string
	Places    map[string]schema.KubernetesPlace // of clusters by id, as far as they were found in Kubernetes
}

// Run reads the clusters and writes the files of the request. It returns the text
// of the topology file, and notes on what was found and what comes next. It writes
// nothing if a cluster cannot be read, if its id is not proven, if a file exists, or if
// the configuration could not be used.
func Run(ctx context.Context, options wire.Options, r Request) (topology []byte, notes []string, err error) {
	im, err := r.parse()
	if err != nil {
		return nil, nil, err
	}
	for _, path := range []string{r.TopologyPath, r.ConfigPath, r.Operator.AllowedSigners} {
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
	written, err := writeAll(file{r.TopologyPath, topology}, file{r.Operator.AllowedSigners, im.signers}, file{r.ConfigPath, config})
	if err == nil && !r.Operator.isZero() {
		err = errors.Join(usable(options, r.ConfigPath), valid(filepath.Dir(r.TopologyPath)))
	}
	if err != nil {
		return nil, nil, errors.Join(err, removeAll(written))
	}
	return topology, im.notes(options.Clock()), nil
}

// usable fails if a command could not use a configuration that was just written.
func usable(options wire.Options, path string) error {
	options.ConfigFile, options.Repo, options.Ref, options.Path = path, "", "", ""
	if err := options.Check(); err != nil {
		return fmt.Errorf("the files could not be used, so none was written: %w", err)
	}
	return nil
}

// valid fails if the topology files of a folder are not valid together.
func valid(dir string) error {
	if _, problems := schema.Load(os.DirFS(dir), "."); len(problems) > 0 {
		return fmt.Errorf("with it the files below %s would not be valid, so nothing was written:\n%w", dir, problems)
	}
	return nil
}

// imported is what is known of the clusters of a request.
type imported struct {
	request     Request
	credentials []schema.Credential
	signers     []byte // the list of approvers
	topology    plan.Topology
	observed    plan.Observed
}

var variable = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// parse reads the request. Its error holds everything that is wrong with it.
func (r Request) parse() (*imported, error) {
	im := &imported{request: r, topology: plan.Topology{Name: r.Name, Generation: 1}}
	tokens, bad := r.tokens()
	var err error
	if im.signers, err = r.Operator.signers(); err != nil {
		bad = append(bad, err)
	}
	for _, spec := range r.Clusters {
		if err := CheckCluster(spec); err != nil {
			bad = append(bad, fmt.Errorf("--cluster %w", err))
			continue
		}
		id, address, _ := strings.Cut(spec, "=")
		c := schema.Credential{ClusterID: id, Address: address, Token: tokens[""]}
		if own, ok := tokens[id]; ok {
			c.Token = own
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
		bad = append(bad, fmt.Errorf("--token-env or --token-file names %s, which no --cluster does", id))
	}
	slices.SortFunc(im.topology.Clusters, func(a, b plan.Cluster) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(im.credentials, func(a, b schema.Credential) int { return strings.Compare(a.ClusterID, b.ClusterID) })
	return im, errors.Join(bad...)
}

// CheckCluster says why a text is not ID=HOST:PORT.
func CheckCluster(spec string) error {
	_, address, ok := strings.Cut(spec, "=")
	if _, _, err := net.SplitHostPort(address); !ok || err != nil {
		return fmt.Errorf("%q is not ID=HOST:PORT", spec)
	}
	return nil
}

// IsVariable reports whether a text can be the name of an environment variable.
func IsVariable(s string) bool { return variable().MatchString(s) }

// CheckToken says why no token can be read from the place that a text names. It never
// repeats the text, which may be a token.
func CheckToken(where string) error {
	if IsVariable(where) {
		if os.Getenv(where) == "" {
			return errors.New("no environment variable of that name holds a token (hint: end with Ctrl-C, export it, and begin again; or name a file)")
		}
		return nil
	}
	if info, err := os.Stat(homePath(where)); err != nil || !info.Mode().IsRegular() {
		return errors.New("this is neither the name of an environment variable nor a file; a token itself is never typed here")
	}
	return nil
}

// homePath replaces a ~ at the beginning, which no shell has replaced in an answer or
// after an equals sign.
func homePath(path string) string {
	rest, short := strings.CutPrefix(path, "~/")
	home, err := os.UserHomeDir()
	if !short || err != nil {
		return path
	}
	return filepath.Join(home, rest)
}

// tokens returns where the token of each cluster id is. The empty id stands for all
// clusters that have none of their own.
func (r Request) tokens() (map[string]schema.SecretRef, []error) {
	out := map[string]schema.SecretRef{}
	var bad []error
	for _, spec := range r.TokenEnv {
		id, name := cutID(spec)
		if !IsVariable(name) {
			bad = append(bad, fmt.Errorf("--token-env wants the name of an environment variable, never a token (hint: export TOKEN=…, then --token-env TOKEN)"))
			continue
		}
		out[id] = schema.SecretRef{Env: name}
	}
	for _, spec := range r.TokenFile {
		id, path := cutID(spec)
		path = homePath(path)
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			bad = append(bad, fmt.Errorf("--token-file wants the path of a file with a token, never a token (hint: --token-file /etc/reconcile/token)"))
			continue
		}
		path, err := filepath.Abs(path)
		if err != nil {
			bad = append(bad, err)
		}
		out[id] = schema.SecretRef{File: path}
	}
	return out, bad
}

// cutID cuts ID=VALUE; without an id the value is for all clusters.
func cutID(spec string) (id, value string) {
	if id, value, one := strings.Cut(spec, "="); one {
		return id, value
	}
	return "", spec
}
