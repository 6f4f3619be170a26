package wire

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/schema"
)

// TestEachTokenFileIsReadOnceAndHidden: clusters that share a token file have one reader of
// it, and no token of any file is in a text, also one that was rotated a moment ago.
func TestEachTokenFileIsReadOnceAndHidden(t *testing.T) {
	dir := t.TempDir()
	write := func(name, token string) schema.SecretRef {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		return schema.SecretRef{File: path}
	}
	shared, own, replication := write("shared", "token-of-many"), write("own", "token-of-one"), write("replication", "token-of-replication")
	credentials, tokens := fleetCredentials([]schema.Credential{
		{ClusterID: "a", Token: shared},
		{ClusterID: "b", Token: shared, ReplicationToken: shared},
		{ClusterID: "c", Token: own, ReplicationToken: replication},
		{ClusterID: "d"},
	}, &fileUses{})
	if len(credentials) != 4 || len(tokens) != 3 {
		t.Errorf("%d credentials, %d readers of tokens", len(credentials), len(tokens))
	}
	f := milvus.NewFleet(milvus.Config{Credentials: credentials, Tokens: tokens})
	rotated := []string{"token-of-many", "token-of-one", "token-of-replication"}
	for _, generation := range []string{"", "-2", "-3"} {
		for i, name := range []string{"shared", "own", "replication"} {
			write(name, rotated[i]+generation)
			if out := f.Hide("the token is " + rotated[i] + generation); strings.Contains(out, "token-of") || strings.HasSuffix(out, generation) && generation != "" {
				t.Errorf("said: %s", out)
			}
		}
	}
}
