package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// pymilvus is a module of that name with the one call of Milvus' failover guide, as
// pymilvus of 2026-08-04 has it. Older ones have no force_promote and drop it in silence.
const pymilvus = `import json
import subprocess


class MilvusClient:
    def __init__(self, uri="", token="", timeout=None):
        self.uri, self.token = uri, token

    def update_replicate_configuration(self, clusters=None, cross_cluster_topology=None, force_promote=False, timeout=None, **kwargs):
        subprocess.run(["pymilvus", "call", self.uri, self.token], text=True, check=True, input=json.dumps(
            {"clusters": clusters, "topology": cross_cluster_topology, "force_promote": force_promote}))

    def close(self):
        pass
`

// runPymilvus is the program behind that module. new DIR and old DIR write it, call URI
// TOKEN sends what it was given.
func runPymilvus(args []string, in io.Reader) error {
	switch {
	case len(args) == 2 && args[0] == "new":
		return writePymilvus(args[1], pymilvus)
	case len(args) == 2 && args[0] == "old":
		old := strings.NewReplacer(" force_promote=False,", "", `, "force_promote": force_promote`, "").Replace(pymilvus)
		return writePymilvus(args[1], old)
	case len(args) == 3 && args[0] == "call":
		return callPymilvus(args[1], args[2], in)
	default:
		return fmt.Errorf("usage: pymilvus new DIR | old DIR | call URI TOKEN, not %q", args)
	}
}

func writePymilvus(dir, text string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "pymilvus.py"), []byte(text), 0o644)
}

func callPymilvus(uri, token string, in io.Reader) error {
	var asked struct {
		Clusters []struct {
			ID         string `json:"cluster_id"`
			Connection struct {
				URI   string `json:"uri"`
				Token string `json:"token"`
			} `json:"connection_param"`
			PChannels []string `json:"pchannels"`
		} `json:"clusters"`
		Topology     []any `json:"topology"`
		ForcePromote bool  `json:"force_promote"`
	}
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return err
	}
	if len(asked.Topology) > 0 {
		return fmt.Errorf("%d edges, and the guide's call has none", len(asked.Topology))
	}
	request := &milvuspb.UpdateReplicateConfigurationRequest{ReplicateConfiguration: &commonpb.ReplicateConfiguration{}, ForcePromote: asked.ForcePromote}
	for _, c := range asked.Clusters {
		request.ReplicateConfiguration.Clusters = append(request.ReplicateConfiguration.Clusters, &commonpb.MilvusCluster{
			ClusterId: c.ID, Pchannels: c.PChannels, ConnectionParam: &commonpb.ConnectionParam{Uri: c.Connection.URI, Token: c.Connection.Token},
		})
	}
	return asUser(strings.TrimPrefix(uri, "http://"), token, func(ctx context.Context, c milvuspb.MilvusServiceClient) (*commonpb.Status, error) {
		return c.UpdateReplicateConfiguration(ctx, request)
	})
}
