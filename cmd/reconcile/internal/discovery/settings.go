package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"milvus-reconcile/reconcile/kubeapi"
)

// settings is what is read of a cluster's milvus.yaml.
type settings struct {
	id  string
	tls bool
}

// customResources are those of the Milvus operator, or why they could not be listed: without the
// operator the API server does not know them.
type customResources struct {
	list []milvusResource
	err  error
}

// settingsOf reads the settings of the cluster that a Service leads to.
func settingsOf(ctx context.Context, api *kubeapi.Client, s service, custom customResources) (settings, error) {
	if s.Metadata.maker() == Operator {
		if custom.err != nil {
			return settings{}, fmt.Errorf("list the custom resources of the Milvus operator: %w", custom.err)
		}
		i := slices.IndexFunc(custom.list, func(m milvusResource) bool { return m.owns(s.place()) })
		if i < 0 {
			return settings{}, fmt.Errorf("the custom resource %s is not there", s.place())
		}
		return read(s.place().Instance, custom.list[i].Spec.Config), nil // the operator's template names it so
	}
	return ofChart(ctx, api, s)
}

// defaultID is the id of a cluster whose configuration says none (Milvus master 954c4e7,
// configs/milvus.yaml).
const defaultID = "by-dev"

// ofChart reads the ConfigMap of a release, which has the name of its Service: default.yaml is the
// chart's, and over it come the files of extraConfigFiles, usually user.yaml alone.
func ofChart(ctx context.Context, api *kubeapi.Client, s service) (settings, error) {
	at := path("/api/v1", s.Metadata.Namespace, "configmaps") + "/" + s.Metadata.Name
	var found struct{ Data map[string]string }
	if err := api.Do(ctx, kubeapi.Request{Method: http.MethodGet, Path: at}, &found); err != nil {
		if kubeapi.IsNotFound(err) {
			return settings{}, fmt.Errorf("there is no ConfigMap %s/%s: the release uses a customConfigMap", s.Metadata.Namespace, s.Metadata.Name)
		}
		return settings{}, fmt.Errorf("read the settings: %w", err)
	}
	var levels []map[string]any
	names := slices.Sorted(maps.Keys(found.Data))
	names = slices.DeleteFunc(names, func(n string) bool { return n == "default.yaml" || !strings.HasSuffix(n, ".yaml") })
	for _, name := range append([]string{"default.yaml"}, names...) {
		var level map[string]any
		if err := yaml.Unmarshal([]byte(found.Data[name]), &level); err != nil {
			return settings{}, fmt.Errorf("%s of ConfigMap %s/%s is not YAML", name, s.Metadata.Namespace, s.Metadata.Name)
		}
		levels = append(levels, level)
	}
	if len(names) > 1 {
		return oneAnswer(levels)
	}
	return read(defaultID, levels...), nil
}

// oneAnswer reads settings of several extra files: which of them wins is not documented, so the
// id counts only if no two differ.
func oneAnswer(levels []map[string]any) (settings, error) {
	out := read(defaultID, levels...)
	for _, level := range levels[1:] {
		if id := read(out.id, level).id; id != out.id {
			return settings{tls: out.tls}, errors.New("several extraConfigFiles name different ids")
		}
	}
	return out, nil
}

// read returns the settings of several levels; a later one wins.
func read(id string, levels ...map[string]any) settings {
	out := settings{id: id}
	for _, level := range levels {
		if v, ok := at(level, "msgChannel", "chanNamePrefix", "cluster").(string); ok && v != "" {
			out.id = v
		}
		switch mode := at(level, "common", "security", "tlsMode").(type) {
		case float64:
			out.tls = mode != 0
		case string:
			out.tls = mode != "0" && mode != ""
		}
	}
	return out
}

// at returns the value at a path of keys; nil if there is none.
func at(v any, keys ...string) any {
	for _, key := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}
