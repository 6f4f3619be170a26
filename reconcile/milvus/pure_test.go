package milvus

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/foreign"
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

func TestScrub(t *testing.T) {
	var s secrets
	s.add("")
	s.add("root:correct horse")
	s.add("key-1234")
	basic := base64.StdEncoding.EncodeToString([]byte("root:correct horse"))
	cases := map[string]struct{ in, want string }{
		"nothing":              {"refused", "refused"},
		"the token":            {"bad root:correct horse!", "bad [token]!"},
		"as it was sent":       {"header " + basic, "header [token]"},
		"its password":         {"user root, correct horse", "user root, [token]"},
		"an API key, twice":    {"key-1234 key-1234", "[token] [token]"},
		"several lines as one": {"a\n\tb", "a b"},
		"more than is kept":    {strings.Repeat("x", 2*foreign.Longest), strings.Repeat("x", foreign.Longest) + "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { same(t, s.scrub(c.in), c.want) })
	}
	err := s.err(fmt.Errorf("call: %w", status.Error(codes.PermissionDenied, "no, key-1234")))
	if strings.Contains(fmt.Sprintf("%+v", err), "key-1234") || status.Code(err) != codes.PermissionDenied || errors.Unwrap(err) != nil {
		t.Error(err)
	}
}

func TestHangsUnconfigured(t *testing.T) {
	for version, want := range map[string]bool{
		"": true, "2.6.16": false, "2.6.17": true, "v2.6.22": true, "2.6.23": true, "3.0.0": true, "3.0.2": true,
		"2.5.19": false, "3.0.0-beta": false, "2.6.19-dev": true, "2.6.170": true, "x2.6.19": true,
		"master-20260807-954c4e7ba5": true, "2.6-20260717-526e04504a": true, "2.6.99999999999999999999": true,
	} {
		t.Run(version, func(t *testing.T) { same(t, hangsUnconfigured(version), want) })
	}
}

func TestBelieveProgress(t *testing.T) {
	of := func(source string) plan.ChannelProgress {
		return plan.ChannelProgress{Known: true, SourceCluster: source}
	}
	cases := map[string]struct {
		progress []plan.ChannelProgress
		source   string
	}{
		"every channel of one source":   {[]plan.ChannelProgress{of("a"), of("a")}, "a"},
		"nothing read":                  {nil, ""},
		"channels of two sources":       {[]plan.ChannelProgress{of("a"), of("c")}, ""},
		"one channel unknown":           {[]plan.ChannelProgress{of("a"), {}}, ""},
		"a primary":                     {[]plan.ChannelProgress{of(""), of("")}, ""},
		"half of the channels promoted": {[]plan.ChannelProgress{of(""), of("a")}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := believeProgress(c.progress)
			if got.Source != c.source || (got.Kind == plan.BeliefStandby) != (c.source != "") || got.Inferred != (c.source != "") {
				t.Errorf("%+v", got)
			}
		})
	}
}
