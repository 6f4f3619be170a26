package schema

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"milvus-reconcile/plan"
)

const (
	apiVersion      = "reconcile/v1alpha1"
	docKindTopology = "ReplicationTopology"
	docKindConfig   = "Config"
	defaultChannels = 16
	defaultProbes   = 3
)

// The defaults of contract.md §2; a test compares them with the schema.
const (
	defaultMaxLag         = 10 * time.Second
	defaultCatchUpWithin  = 30 * time.Second
	defaultTimeout        = 10 * time.Minute
	defaultUnavailableFor = 30 * time.Second
	defaultBlockPeriod    = time.Hour
)

// identity is what a document says of its name and its clusters, even when
// the rest of it is bad: names must be unique among all documents.
type identity struct {
	name  mention
	ids   []mention
	valid bool
}

// mention is a word and where it stands.
type mention struct {
	word string
	file string
	path string
	at   position
}

func (f field) mention() mention {
	return mention{word: f.text(), file: f.doc.file, path: f.path, at: f.doc.find(f.path)}
}

// parsed is the outcome of one document.
type parsed struct {
	topology plan.Topology
	identity identity
	problems Problems
	raw      []byte
}

// parseTopology takes one document through all stages.
func parseTopology(d *document) (parsed, bool) {
	d.parseNodes()
	d.decode()
	if d.root == nil && len(d.problems) == 0 {
		return parsed{}, false
	}
	out := parsed{raw: d.chunk.data}
	if d.decoded && d.ofKind(docKindTopology) {
		d.checkStructure(topologySchema())
		out.topology = d.topology()
	}
	out.identity = d.identity()
	out.problems = d.problems
	out.identity.valid = d.decoded && len(d.problems) == 0
	return out, true
}

// ofKind says whether the document is worth checking field by field. A
// document of another kind or version gets one problem, not one for each of
// its keys.
func (d *document) ofKind(kind string) bool {
	if _, ok := d.value.(map[string]any); !ok {
		hint := "start it with apiVersion: " + apiVersion + " and kind: " + kind
		if s, ok := d.value.(string); ok && strings.HasPrefix(s, "version https://git-lfs.github.com/") {
			hint = "this is a pointer of Git LFS: take topology files out of it in .gitattributes, and commit the file itself"
		}
		d.fail("", "the document is "+kindOf(d.value)+", not a mapping", hint)
		return false
	}
	found, version := d.field().get("kind"), d.field().get("apiVersion")
	if s := found.text(); s != "" && s != kind {
		hint := "write kind: " + kind + ", or keep this document elsewhere"
		if s == docKindConfig {
			hint = "keep the operator's configuration outside the topology repository"
		}
		found.fail(quoted(s)+" is not the kind of document that belongs here", hint)
		return false
	}
	if s := version.text(); s != "" && s != apiVersion {
		version.fail(quoted(s)+" is not a known version", "write apiVersion: "+apiVersion)
		return false
	}
	return true
}

func (d *document) identity() identity {
	root := d.field()
	out := identity{}
	if !d.decoded {
		out.name = d.nameInNodes()
	}
	if name := root.get("metadata").get("name"); name.text() != "" {
		out.name = name.mention()
	}
	for _, c := range root.get("spec").get("clusters").items() {
		if id := c.get("id"); id.text() != "" {
			out.ids = append(out.ids, id.mention())
		}
	}
	return out
}

// nameInNodes finds the name of a document that could not be decoded.
func (d *document) nameInNodes() mention {
	n := childNode(childNode(d.root, "metadata"), "name")
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return mention{}
	}
	return mention{word: n.Value, file: d.file, path: "/metadata/name", at: d.at(n)}
}

// topology reads the values, fills in the defaults and applies the rules that
// a schema cannot say.
func (d *document) topology() plan.Topology {
	root := d.field()
	spec := root.get("spec")
	clusters := spec.get("clusters").items()
	t := plan.Topology{
		Name:       root.get("metadata").get("name").text(),
		Generation: spec.get("generation").numberOr(0),
		MaxLag:     spec.get("objectives").get("maxLag").durationOr(defaultMaxLag),
		Switchover: switchover(spec.get("switchover")),
		Failover:   failover(spec.get("failover")),
		At:         root.position(),
	}
	for _, f := range clusters {
		t.Clusters = append(t.Clusters, cluster(f))
	}
	checkClusters(spec.get("clusters"), t.Clusters)
	slices.SortStableFunc(t.Clusters, func(a, b plan.Cluster) int { return cmp.Compare(a.ID, b.ID) })
	return t
}

func switchover(f field) plan.Switchover {
	return plan.Switchover{
		CatchUpWithin: f.get("catchUpWithin").durationOr(defaultCatchUpWithin),
		Timeout:       f.get("timeout").intervalOr(defaultTimeout),
	}
}

func failover(f field) plan.Failover {
	return plan.Failover{
		UnavailableFor: f.get("unavailableFor").durationOr(defaultUnavailableFor),
		Probes:         int(f.get("probes").numberOr(defaultProbes)),
		BlockPeriod:    f.get("blockPeriod").durationOr(defaultBlockPeriod),
		Verify:         plan.VerifyLevel(f.get("verify").textOr(string(plan.VerifyDDL))),
	}
}
