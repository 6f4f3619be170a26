package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"milvus-reconcile/schema"
)

// TestCertificatesOfAKubeconfig: those in it and those in files are found once, wherever the
// configuration names it.
func TestCertificatesOfAKubeconfig(t *testing.T) {
	dir := t.TempDir()
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	cert, key := certificateUntil(t, end)
	later, _ := certificateUntil(t, end.AddDate(1, 0, 0))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(dir, "ca.pem"), later, 0o600))
	path := filepath.Join(dir, "kubeconfig")
	b64 := base64.StdEncoding.EncodeToString
	must(os.WriteFile(path, fmt.Appendf(nil, "apiVersion: v1\nkind: Config\ncontexts: [{name: one, context: {cluster: c, user: u}}]\n"+
		"clusters: [{name: c, cluster: {server: https://api.example, certificate-authority: ca.pem}}]\n"+
		"users: [{name: u, user: {client-certificate-data: %s, client-key-data: %s}}]\n", b64(cert), b64(key)), 0o600))
	access := schema.KubernetesAccess{Kubeconfig: path, Context: "one"}
	got := kubernetesCertificates(schema.Config{
		Ledger:           schema.Ledger{Kubernetes: &schema.LedgerKubernetes{Access: access}},
		KubernetesStatus: &schema.KubernetesStatus{Access: access},
		Clusters: []schema.ClusterCare{
			{ID: "a", Kubernetes: &schema.KubernetesPlace{Kubeconfig: path, Context: "one"}},
			{ID: "b", Kubernetes: &schema.KubernetesPlace{Kubeconfig: path, Context: "gone"}},
			{ID: "c", Kubernetes: &schema.KubernetesPlace{}},
		},
	})
	if len(got) != 3 {
		t.Fatalf("%+v", got)
	}
	if c := got[0]; !c.end.Equal(end) || c.unreadable != nil || !strings.HasPrefix(c.subject, "our certificate in context one of ") {
		t.Errorf("%+v", c)
	}
	if c := got[1]; !c.end.Equal(end.AddDate(1, 0, 0)) || c.unreadable != nil || !strings.HasPrefix(c.subject, "the authority in ") {
		t.Errorf("%+v", c)
	}
	if c := got[2]; c.unreadable == nil || !strings.Contains(c.unreadable.Error(), "get-contexts") {
		t.Errorf("%+v", c)
	}
}

func certificateUntil(t *testing.T, end time.Time) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-2, 0, 0), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
