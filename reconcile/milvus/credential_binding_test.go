package milvus

import (
	"testing"

	"pgregory.net/rapid"

	"milvus-reconcile/plan"
)

func TestURIFits(t *testing.T) {
	cases := map[string]struct {
		uri, bound string
		want       bool
	}{
		"the bound one":                    {"http://a:1", "http://a:1", true},
		"another than the bound one":       {"https://a:1", "http://a:1", false},
		"none is bound, https":             {"https://a:19530", "", true},
		"none is bound, another scheme":    {"tcp://a:19530", "", false},
		"none is bound, with a slash":      {"http://a:19530/", "", true},
		"none is bound, another host":      {"http://b:19530", "", false},
		"none is bound, another port":      {"http://a:1", "", false},
		"none is bound, no scheme":         {"a:19530", "", false},
		"none is bound, a user in it":      {"http://x@a:19530", "", false},
		"none is bound, a path":            {"http://a:19530/x", "", false},
		"none is bound, a query":           {"http://a:19530?x", "", false},
		"none is bound, no uri":            {"", "", false},
		"none is bound, not an uri at all": {"http://%zz", "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := uriFits(c.uri, Credential{Address: "a:19530", URI: c.bound}); got != c.want {
				t.Error(got)
			}
		})
	}
}

// Whatever a topology names, one mismatch forbids every call, and without one
// exactly the credentialed members are called, at their bound address.
func TestBindNeverGoesElsewhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hosts := rapid.SampledFrom([]string{"a:1", "b:1", "evil:1"})
		credentials := map[string]Credential{}
		topology := plan.Topology{}
		wrong := false
		for _, id := range []string{"a", "b", "c"} {
			c := plan.Cluster{ID: id, ClientAddress: hosts.Draw(rt, "address"), URI: "http://" + hosts.Draw(rt, "uri")}
			topology.Clusters = append(topology.Clusters, c)
			if !rapid.Bool().Draw(rt, "credential") {
				continue
			}
			cred := Credential{ClusterID: id, Address: hosts.Draw(rt, "bound")}
			credentials[id] = cred
			wrong = wrong || c.ClientAddress != cred.Address || c.URI != "http://"+cred.Address
		}
		bound := bind(topology, credentials)
		for id, a := range bound {
			cred, credentialed := credentials[id]
			if a.allowed() != (credentialed && !wrong) {
				rt.Fatalf("%s: %+v", id, a)
			}
			if a.allowed() && a.bound.Address != cred.Address {
				rt.Fatalf("%s would be called at %s", id, a.bound.Address)
			}
		}
		for _, id := range []string{"a", "b", "c"} {
			if a := probeAccess(bound, id); wrong && a.allowed() {
				rt.Fatalf("%s would be probed", id)
			}
		}
		if probeAccess(bound, "z").allowed() {
			rt.Fatal("a stranger would be probed")
		}
	})
}

func TestAProbeWithoutACredentialCarriesNoToken(t *testing.T) {
	bound := bind(plan.Topology{Clusters: []plan.Cluster{{ID: "a", ClientAddress: "a:1"}}}, nil)
	a := probeAccess(bound, "a")
	if !a.allowed() || a.bound.Address != "a:1" || a.bound.Token != nil || a.bound.TLS != nil || a.credential != plan.CredentialMissing {
		t.Errorf("%+v", a)
	}
}
