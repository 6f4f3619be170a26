package propose

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

// ByHand returns the Python by which a person promotes a standby without reconcile, with
// the values of the file and without a token. It edits nothing.
func ByHand(ctx context.Context, o wire.Options, r Request) ([]byte, error) {
	w, err := r.open(ctx, o)
	if err != nil {
		return nil, err
	}
	c, listed := w.Topology.Cluster(r.Cluster)
	if !listed {
		return nil, desired.UnknownCluster(w.Topology, r.Cluster, "")
	}
	if c.Role != plan.RoleStandby && c.Role != plan.RolePrimary {
		return nil, fmt.Errorf("%s is %s in the file: only a standby may be promoted", c.ID, c.Role)
	}
	checked, err := addressesHold(o, c)
	if err != nil {
		return nil, err
	}
	scheme, _, _ := strings.Cut(c.URI, "://")
	var b bytes.Buffer
	err = byHand().Execute(&b, map[string]any{
		"Checked":  checked,
		"Topology": r.Topology, "Cluster": c.ID, "ID": pythonText(c.ID), "URI": pythonText(c.URI),
		"Client": pythonText(scheme + "://" + c.ClientAddress), "Channels": pythonChannels(c.PChannels),
	})
	if err != nil {
		return nil, fmt.Errorf("write the script: %w", err)
	}
	return b.Bytes(), nil
}

// addressesHold compares where the script sends the token with what the operator's
// configuration binds it to, since a pull request can change the file. It returns false if
// no configuration can be read, as when it is lost.
func addressesHold(o wire.Options, c plan.Cluster) (bool, error) {
	config, err := o.ReadConfig()
	var problems schema.Problems
	if errors.As(err, &problems) {
		return false, err
	}
	if err != nil {
		return false, nil //nolint:nilerr // the script says so
	}
	for _, bound := range config.Credentials {
		if bound.ClusterID != c.ID {
			continue
		}
		scheme, _, _ := strings.Cut(c.URI, "://")
		if bound.Address != c.ClientAddress || cmp.Or(bound.URI, scheme+"://"+bound.Address) != c.URI {
			return false, fmt.Errorf("the file says that %s is called at %s, with the uri %s, and the operator's configuration binds its token to %s, %s (hint: correct the one that is wrong; a pull request can change the file)",
				c.ID, c.ClientAddress, c.URI, bound.Address, cmp.Or(bound.URI, scheme+"://"+bound.Address))
		}
		return true, nil
	}
	return false, fmt.Errorf("the operator's configuration has no credential of %s, so it does not say where the token may go (hint: add it; or leave the configuration out, and check the addresses yourself)", c.ID)
}

// byHand is the call of Milvus' guide. A pymilvus that does not know force_promote
// drops it in silence, so the script looks first.
var byHand = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("by hand").Parse(`# Promotes {{.Cluster}} of {{.Topology}} BY FORCE. This cannot be undone, and nothing checks
# whether the primary lives: cut it off from its applications first.
{{- if not .Checked}}
# No configuration of the operator was there: check that the addresses are right, since
# the token goes to them.
{{- end}}
import inspect
import os

from pymilvus import MilvusClient

if "force_promote" not in inspect.signature(MilvusClient.update_replicate_configuration).parameters:
    raise SystemExit("this pymilvus cannot promote by force: install 2.6.11 or a newer one")

cluster_id = {{.ID}}
cluster_addr = {{.URI}}
cluster_client_addr = {{.Client}}
cluster_token = os.environ["TOKEN"]
cluster_pchannels = {{.Channels}}

failover_config = {
    "clusters": [
        {
            "cluster_id": cluster_id,
            "connection_param": {
                "uri": cluster_addr,
                "token": os.environ.get("REPLICATION_TOKEN", cluster_token),
            },
            "pchannels": cluster_pchannels,
        }
    ],
    "cross_cluster_topology": [],
    "force_promote": True,
}

client = MilvusClient(uri=cluster_client_addr, token=cluster_token, timeout=30)
try:
    client.update_replicate_configuration(**failover_config, timeout=180)
except Exception as error:
    raise SystemExit(
        f"{error}\n\nIT IS NOT KNOWN whether {cluster_id} is promoted: try whether it takes writes.\n"
        f"If not, restart its coordinator, and do not promote another cluster."
    )
finally:
    client.close()
print("{{.Topology}}: promoted. Send writes there alone, and when you have a clone again, type:")
print("reconcile adopt {{.Topology}} --primary {{.Cluster}} --commit")
`))
})

// pythonText is a string in Python, which takes those of JSON.
func pythonText(s string) string {
	data, _ := json.Marshal(s) //nolint:errchkjson // a string always has a JSON form
	return string(data)
}

// pythonChannels is a list of channels in Python, short where they are numbered.
func pythonChannels(names []string) string {
	prefix := strings.TrimSuffix(names[0], "0")
	var listed []string
	numbered := prefix != names[0] && !strings.ContainsAny(prefix, `{}\"`)
	for i, name := range names {
		numbered = numbered && name == prefix+strconv.Itoa(i)
		listed = append(listed, pythonText(name))
	}
	if numbered {
		return fmt.Sprintf(`[f"%s{i}" for i in range(%d)]`, prefix, len(names))
	}
	return "[" + strings.Join(listed, ", ") + "]"
}
