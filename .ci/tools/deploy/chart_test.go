package deploy

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	sigs "sigs.k8s.io/yaml"
)

const (
	chartFolder    = "../../../docs/deploy/helm/reconcile"
	manifestFolder = "../../../docs/deploy/kubernetes"
)

var update = flag.Bool("update", false, "write docs/deploy/kubernetes, and the files that the chart holds copies of")

// exampleValues are those of docs/deploy/kubernetes, with `more` over them.
func exampleValues(t *testing.T, more string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(manifestFolder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values, over map[string]any
	if err := sigs.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	if err := sigs.Unmarshal([]byte(more), &over); err != nil {
		t.Fatal(err)
	}
	return loader.MergeMaps(values, over)
}

// render is the chart with these values, as `helm template reconcile --namespace reconcile` prints
// it: the text of each template by its file name.
func render(values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(chartFolder)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "reconcile", Namespace: "reconcile", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	texts, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, text := range texts {
		if text = strings.TrimSpace(text); text != "" {
			out[filepath.Base(name)] = text + "\n"
		}
	}
	return out, nil
}

// TestChartHasNoLint has Helm's own linter read the chart: with the example's values it says
// nothing worse than a note.
func TestChartHasNoLint(t *testing.T) {
	linter := lint.RunAll(chartFolder, exampleValues(t, ""), "reconcile")
	for _, m := range linter.Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
	if linter.HighestSeverity == support.UnknownSev {
		t.Error("the linter did not even note that there is no icon: has it read the chart?")
	}
}

// madeFiles are the files of docs/deploy/kubernetes, and the templates that each is made from.
var madeFiles = map[string]struct {
	head      string
	templates []string
}{
	"reconcile.yaml": {
		head: `# Two replicas of the daemon, one of them leads; the ledger is in the API of this Kubernetes, so
# either can go on where the other stopped. ledger.yaml gives the rights for it, and no other. The
# network policy lets the pods out only to the ports that they call. Whose ports they are, add with ` + "`to`" + `: the
# addresses are yours. Don't run these replicas only in the region that a primary lives in:
# ` + "`reconcile doctor`" + ` says when they are.
`,
		templates: []string{"namespace.yaml", "serviceaccount.yaml", "configmap.yaml", "deployment.yaml", "poddisruptionbudget.yaml", "service.yaml", "networkpolicy.yaml"},
	},
	"ledger.yaml":         {templates: []string{"ledger.yaml"}},
	"status.yaml":         {templates: []string{"status.yaml"}},
	"servicemonitor.yaml": {templates: []string{"servicemonitor.yaml"}},
	"rules.yaml":          {templates: []string{"prometheusrule.yaml"}},
	"dashboard.yaml":      {templates: []string{"dashboard.yaml"}},
}

// TestGoldenChartHoldsItsFiles holds each copied file of the chart to its original: a
// chart can read only what it contains. It stands before the test that
// renders them, so that one -update is enough.
func TestGoldenChartHoldsItsFiles(t *testing.T) {
	for _, file := range []string{"docs/observability/alerts.yaml", "docs/observability/dashboard.json", "schema/replicationtopologystatus.crd.yaml"} {
		raw, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join(chartFolder, "files", filepath.Base(file)), string(withoutComments(raw)))
	}
}

// Where an editor finds the schema of a kind: of operators, and of Kubernetes itself.
const (
	operatorSchemas   = "https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/monitoring.coreos.com/"
	kubernetesSchemas = "https://raw.githubusercontent.com/yannh/kubernetes-json-schema/master/v1.32.1-standalone-strict/"
)

// modeline names the schema of a document for editors, as every example of docs/ does.
func modeline(t *testing.T, doc string) string {
	t.Helper()
	var head meta.TypeMeta
	if err := sigs.Unmarshal([]byte(doc), &head); err != nil {
		t.Fatal(err)
	}
	kind, of := strings.ToLower(head.Kind), head.GroupVersionKind()
	if of.Group == "monitoring.coreos.com" {
		return "# yaml-language-server: $schema=" + operatorSchemas + kind + "_" + of.Version + ".json\n"
	}
	if group, _, _ := strings.Cut(of.Group, "."); group != "" {
		kind += "-" + group
	}
	return "# yaml-language-server: $schema=" + kubernetesSchemas + kind + "-" + of.Version + ".json\n"
}

// TestGoldenManifestsComeOutOfTheChart holds docs/deploy/kubernetes to what the chart gives with
// the values of that folder, and leaves no template out.
func TestGoldenManifestsComeOutOfTheChart(t *testing.T) {
	texts, err := render(exampleValues(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for name, made := range madeFiles {
		var parts []string
		for _, template := range made.templates {
			used = append(used, template)
			if texts[template] != "" {
				parts = append(parts, strings.Split(texts[template], "---\n")...)
			}
		}
		for i, part := range parts {
			if i == 0 {
				part = "# Made by `make generate` from docs/deploy/helm and values.yaml.\n" + made.head + part
			}
			parts[i] = modeline(t, part) + part
		}
		golden(t, filepath.Join(manifestFolder, name), strings.Join(parts, "---\n"))
	}
	for template := range texts {
		if template != "NOTES.txt" && template != "redirect.yaml" && !slices.Contains(used, template) {
			t.Errorf("%s is in no file of docs/deploy/kubernetes", template)
		}
	}
}

func withoutComments(text []byte) []byte {
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAll(text, nil)
}

// golden compares a file with what it should hold, or writes it.
func golden(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what the chart gives (%v): run make generate, and look at the difference", file, err)
	}
}

// TestChartWithOtherValues renders the chart with what a user may set. Each document has a known
// kind and only fields of that kind, and `has` is somewhere in the text.
func TestChartWithOtherValues(t *testing.T) {
	for name, c := range map[string]struct {
		values   string
		has, not string
	}{
		"the ledger in etcd needs no right in Kubernetes": {
			values: "configuration: {ledger: {etcd: {endpoints: [\"https://etcd.example:2379\"]}}}\nserviceAccount: {automount: false}",
			has:    "automountServiceAccountToken: false", not: "reconcile-ledger",
		},
		"the ledger in Kubernetes":         {has: "kind: RoleBinding", not: "etcd"},
		"the ledger in another namespace":  {values: "ledger: {namespace: topologies, name: orders, createNamespace: false}", has: "namespace: topologies", not: "namespace: reconcile-ledger"},
		"the ledger in another Kubernetes": {values: "configuration: {ledger: {kubernetes: {namespace: n, name: x, kubeconfig: /etc/reconcile/secrets/kubeconfig, context: eu}}}", has: "context: eu", not: "reconcile-ledger"},
		"objects for kubectl":              {values: "configuration: {kubernetesStatus: {namespace: topologies}}", has: "replicationtopologystatuses/status", not: "reconcile-redirect"},
		"a Service that follows": {
			values: "configuration: {redirect: [{name: db, kubernetes: {namespace: milvus, service: db, port: 19530, selectors: {cluster-a: {a: b}}}}, {name: other, kubernetes: {namespace: x, service: far, port: 1, endpoints: {cluster-a: [10.0.0.1]}}}, {name: elsewhere, kubernetes: {kubeconfig: /k, context: c, namespace: y, service: z, port: 1}}]}",
			has:    "verbs: [get, patch]", not: "namespace: y\n  labels",
		},
		"a name of one's own": {values: "fullnameOverride: topologies", has: "name: topologies", not: "name: reconcile\n  namespace"},
		"where pods run": {
			values: "nodeSelector: {pool: control}\ntolerations: [{key: control, operator: Exists}]\npriorityClassName: high\naffinity: {nodeAffinity: {}}\ntopologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]",
			has:    "priorityClassName: high", not: "podAntiAffinity",
		},
		"an image from a registry with a login": {
			values: "image: {repository: images.example/reconcile, tag: v1.0.0, pullPolicy: Always, pullSecrets: [login]}",
			has:    `image: "images.example/reconcile:v1.0.0"`, not: "reconcile:dev",
		},
		"labels and annotations": {
			values: "podLabels: {team: data}\npodAnnotations: {note: x}\nservice: {annotations: {a: b}}\nserviceAccount: {annotations: {c: d}}\nrules: {labels: {release: p}}\nserviceMonitor: {labels: {release: p}}",
			has:    "team: data", not: "release: q",
		},
		"nothing optional": {
			values: "networkPolicy: {enabled: false}\npodDisruptionBudget: {enabled: false}\nserviceMonitor: {enabled: false}\nrules: {enabled: false}\ndashboard: {enabled: false}\nnamespace: {create: false}\nsecret: {name: \"\"}",
			has:    "kind: Deployment", not: "NetworkPolicy",
		},
		"nothing comes in":        {values: "networkPolicy: {from: []}", has: "policyTypes: [Ingress, Egress]", not: "ingress:"},
		"the runbooks of a team":  {values: "rules: {runbooks: https://docs.acme.example/r}", has: "https://docs.acme.example/r/runbooks.md#reconcilegittooold", not: "https://docs.example/reconcile/runbooks.md#reconcilegittooold"},
		"where the daemon serves": {values: `configuration: {serve: {hosts: [page.example]}}`, has: "- page.example", not: "reconcile.reconcile.svc"},
	} {
		t.Run(name, func(t *testing.T) {
			texts, err := render(exampleValues(t, c.values))
			if err != nil {
				t.Fatal(err)
			}
			all := ""
			for _, file := range slices.Sorted(maps.Keys(texts)) {
				if file == "NOTES.txt" {
					continue
				}
				for _, doc := range split(t, []byte(texts[file])) {
					isOfItsKind(t, file, doc)
				}
				all += texts[file]
			}
			if !strings.Contains(all, c.has) {
				t.Errorf("%q is missing in\n%s", c.has, all)
			}
			if strings.Contains(all, c.not) {
				t.Errorf("%q is there in\n%s", c.not, all)
			}
		})
	}
}

// TestChartRefusesWrongValues holds the chart's schema to what a mistake looks like: it is named,
// and nothing is rendered.
func TestChartRefusesWrongValues(t *testing.T) {
	for name, c := range map[string]struct{ values, says string }{
		"no Git":                        {"configuration: {git: null}", "git"},
		"no clusters":                   {"configuration: {credentials: []}", "credentials"},
		"a value that is misspelled":    {"replica: 3", "replica"},
		"no replica":                    {"replicas: 0", "replicas"},
		"a mode that does not exist":    {"configuration: {mode: dry}", "mode"},
		"a secret's value":              {"secret: {data: {git-key: x}}", "data"},
		"a key with a path":             {`secret: {keys: ["../key"]}`, "keys"},
		"a file over the configuration": {`files: {reconcile.yaml: x}`, "reconcile.yaml"},
		"a port that is none":           {"service: {port: 70000}", "port"},
	} {
		t.Run(name, func(t *testing.T) {
			texts, err := render(exampleValues(t, c.values))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want one that names %s; rendered %d files", err, c.says, len(texts))
			}
		})
	}
}

// TestAChangedConfigurationReplacesThePods holds the annotation that makes Kubernetes roll out:
// another configuration or file has another one, other values have the same.
func TestAChangedConfigurationReplacesThePods(t *testing.T) {
	annotation := func(more string) string {
		texts, err := render(exampleValues(t, more))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`reconcile/configuration: ([0-9a-f]{64})`).FindStringSubmatch(texts["deployment.yaml"])
		if found == nil {
			t.Fatalf("no annotation in\n%s", texts["deployment.yaml"])
		}
		return found[1]
	}
	same := annotation("")
	for more, changes := range map[string]bool{"configuration: {mode: apply}": true, "files: {known_hosts: x}": true, "replicas: 3": false} {
		if got := annotation(more); (got != same) != changes {
			t.Errorf("%s: the annotation changes: %v, want %v", more, got != same, changes)
		}
	}
}
