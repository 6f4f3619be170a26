package milvus

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

func TestObserveConvergedPair(t *testing.T) {
	w := pair(t, "")
	views := w.observe(plan.Depth{Progress: true, Contents: true})
	a, b := views["a"], views["b"]
	for _, v := range []plan.View{a, b} {
		if v.Reach != plan.ReachUp || v.Class != plan.ClassNone || v.Error != "" || v.Credential != plan.CredentialBound ||
			!strings.Contains(v.Version, "2.6.19") || v.ReadsConfiguration != plan.SupportYes ||
			v.ForcePromotes != plan.SupportYes || !v.IdentityProven || !v.Contents.Known {
			t.Errorf("%+v", v)
		}
		same(t, v.Belief.Configuration, w.star("a"))
	}
	if a.Belief.Kind != plan.BeliefPrimary || b.Belief.Kind != plan.BeliefStandby || b.Belief.Source != "a" {
		t.Errorf("%+v, %+v", a.Belief, b.Belief)
	}
	if len(b.Progress) != 16 {
		t.Fatalf("%d channels", len(b.Progress))
	}
	for i, p := range b.Progress {
		if p.Channel != w.cluster("b").PChannels[i] || !p.Known || p.SourceCluster != "a" ||
			p.SourceChannel != w.cluster("a").PChannels[i] || p.TimeTick == 0 || p.MessageID == "" {
			t.Errorf("%+v", p)
		}
	}
}

func TestObserveOneClusterByWhatItAnswers(t *testing.T) {
	cases := map[string]struct {
		profile string
		break_  func(*testing.T, *world)
		want    plan.View // of b: reach, class, credential, belief kind and source, features
	}{
		"before GetReplicateConfiguration is served, a standby is known by its channels": {
			profile: "2.6.14",
			want: plan.View{
				Reach: plan.ReachUp, Class: plan.ClassUnimplemented, Credential: plan.CredentialBound, ReadsConfiguration: plan.SupportNo,
				ForcePromotes: plan.SupportYes, IdentityProven: true, Belief: plan.Belief{Kind: plan.BeliefStandby, Source: "a", Inferred: true},
			},
		},
		"2.6.13 ignores force_promote": {
			profile: "2.6.13",
			want: plan.View{
				Reach: plan.ReachUp, Class: plan.ClassUnimplemented, Credential: plan.CredentialBound, ReadsConfiguration: plan.SupportNo,
				ForcePromotes: plan.SupportNo, IdentityProven: true, Belief: plan.Belief{Kind: plan.BeliefStandby, Source: "a", Inferred: true},
			},
		},
		"stopped": {
			break_: func(t *testing.T, w *world) { must(t, w.Stop("b")) },
			want:   plan.View{Reach: plan.ReachUnreachable, Class: plan.ClassRefused, Credential: plan.CredentialBound},
		},
		"a coordinator that is gone is degraded": {
			break_: func(t *testing.T, w *world) { w.hasty(); must(t, w.Coordinator("b", milvussim.CoordinatorGone)) },
			want:   plan.View{Reach: plan.ReachDegraded, Class: plan.ClassTimeout, Credential: plan.CredentialBound},
		},
		"a coordinator that is not ready is degraded": {
			break_: func(t *testing.T, w *world) { must(t, w.Coordinator("b", milvussim.CoordinatorNotReady)) },
			want:   plan.View{Reach: plan.ReachDegraded, Class: plan.ClassNotReady, Credential: plan.CredentialBound},
		},
		"a configuration that hangs alone says nothing": {
			break_: func(t *testing.T, w *world) {
				w.hasty()
				must(t, w.AddFault("b", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultHang, Times: 1}))
			},
			want: plan.View{
				Reach: plan.ReachUp, Class: plan.ClassNone, Credential: plan.CredentialBound, ReadsConfiguration: plan.SupportYes,
				ForcePromotes: plan.SupportYes, IdentityProven: true, Belief: plan.Belief{Kind: plan.BeliefStandby, Source: "a"},
			},
		},
		"a wrong token": {
			break_: func(_ *testing.T, w *world) {
				w.config.Credentials[1].Token = func() (string, error) { return "root:wrong", nil }
			},
			want: plan.View{Reach: plan.ReachUp, Class: plan.ClassUnauthenticated, Credential: plan.CredentialRefused, ForcePromotes: plan.SupportYes},
		},
		"a token that cannot be read": {
			break_: func(_ *testing.T, w *world) {
				w.config.Credentials[1].Token = func() (string, error) { return "", errors.New("no such file") }
			},
			want: plan.View{Class: plan.ClassNotCalled, Credential: plan.CredentialMissing},
		},
		"an error of the server is a life sign": {
			break_: func(t *testing.T, w *world) {
				must(t, w.AddFault("b", milvussim.Fault{Method: "GetReplicateConfiguration", Kind: milvussim.FaultError, Code: codes.Internal}))
			},
			want: plan.View{Reach: plan.ReachUp, Class: plan.ClassOther, Credential: plan.CredentialBound, ForcePromotes: plan.SupportYes, IdentityProven: true},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, c.profile)
			w.config.ReadTimeout = time.Second
			if c.break_ != nil {
				c.break_(t, w)
			}
			if plain := w.observe(plan.Depth{})["b"]; plain.ForcePromotes != plan.SupportUnknown {
				t.Error("its features were asked for although nobody wants to know")
			}
			got := w.observe(plan.Depth{Progress: true})["b"]
			if (got.Error == "") != (got.Class == plan.ClassNone) {
				t.Errorf("class %q, error %q", got.Class, got.Error)
			}
			if got.Belief.Inferred == false {
				got.Belief.Configuration = plan.Configuration{}
			}
			got.Cluster, got.At, got.SourceAt, got.Error, got.Version, got.Progress = "", time.Time{}, time.Time{}, "", "", nil
			same(t, got, c.want)
		})
	}
}

func TestObserveUnconfigured(t *testing.T) {
	specs := milvussim.Unconfigured(milvussim.Pair("a", "b"))
	for profile, inferred := range map[string]bool{
		"2.6.19": true, "2.6.25": true, "3.0.0": true, "3.0.2": true, "2.6-20260717-526e04504a": true,
		"master-20260807-954c4e7ba5": true, milvussim.Unlabelled: true, "master": false,
	} {
		t.Run(profile, func(t *testing.T) {
			w := newWorld(t, milvussim.Options{Profile: profile}, specs...).hasty()
			v := w.observe(plan.Depth{Contents: true})["a"]
			if v.Reach != plan.ReachUp || v.Belief.Kind != plan.BeliefUnconfigured || v.Belief.Inferred != inferred ||
				v.ReadsConfiguration != plan.SupportYes || !v.IdentityProven || !v.Contents.Known || len(v.Contents.Collections) != 0 {
				t.Errorf("%+v", v)
			}
		})
	}
	t.Run("a cluster that hangs and gives no version is not believed to be unconfigured", func(t *testing.T) {
		w := newWorld(t, milvussim.Options{Profile: "2.6.19"}, specs...).hasty()
		must(t, w.AddFault("a", milvussim.Fault{Method: "Connect", Kind: milvussim.FaultError, Code: codes.Internal}))
		if v := w.observe(plan.Depth{})["a"]; v.Belief.Kind != plan.BeliefUnknown || v.Reach != plan.ReachUp {
			t.Errorf("%+v", v)
		}
	})
}

func TestIdentity(t *testing.T) {
	swap := func(w *world) {
		a, b := w.cluster("a"), w.cluster("b")
		a.ClientAddress, b.ClientAddress = b.ClientAddress, a.ClientAddress
		a.URI, b.URI = b.URI, a.URI
		ca, cb := &w.config.Credentials[0], &w.config.Credentials[1]
		ca.Address, cb.Address = cb.Address, ca.Address
	}
	cases := map[string]struct {
		change   func(*world)
		proven   bool
		conflict string
	}{
		"its own channel answers":             {func(*world) {}, true, ""},
		"another member answers in its place": {swap, false, "a"},
		"the stored list has other channels and none answers": {func(w *world) {
			w.hasty()
			for i := range w.topology.Clusters {
				w.topology.Clusters[i].PChannels = milvussim.PChannels("x-"+w.topology.Clusters[i].ID+"_", 16)
			}
		}, false, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := pair(t, "")
			w.config.ReadTimeout = time.Second
			c.change(w)
			v := w.observe(plan.Depth{})["b"]
			if v.IdentityProven != c.proven || v.IdentityConflict != c.conflict {
				t.Errorf("proven %v, conflict %q", v.IdentityProven, v.IdentityConflict)
			}
		})
	}
	t.Run("a stored list that does not name it", func(t *testing.T) {
		w := newWorld(t, milvussim.Options{}, milvussim.Converged(milvussim.Pair("a", "b"), milvussim.Pair("c", "d"))...)
		w.cluster("b").ID = "z"
		w.config.Credentials[1].ClusterID = "z"
		v := w.observe(plan.Depth{})["z"]
		if v.IdentityConflict != "a or b" || v.IdentityProven || v.Belief.Kind != plan.BeliefUnknown {
			t.Errorf("%+v", v)
		}
	})
	t.Run("the channels of a collection prove an old primary", func(t *testing.T) {
		w := newWorld(t, milvussim.Options{Profile: "2.6.17"}, milvussim.Unconfigured(milvussim.Pair("a", "b"))...).hasty()
		if v := w.observe(plan.Depth{})["a"]; v.IdentityProven {
			t.Errorf("proven while empty: %+v", v)
		}
		_, _, err := w.Write("a", 3)
		must(t, err)
		if v := w.observe(plan.Depth{})["a"]; !v.IdentityProven {
			t.Errorf("%+v", v)
		}
	})
}

// TestDeepen: what costs a deadline on an unconfigured cluster is asked once,
// and what did not answer is left alone.
func TestDeepen(t *testing.T) {
	w := newWorld(t, milvussim.Options{Profile: "2.6.19"}, milvussim.Unconfigured(append(milvussim.Pair("a", "b"), milvussim.ClusterSpec{ID: "c", Role: milvussim.Standby}))...).hasty()
	must(t, w.Stop("c"))
	f := w.fleet()
	views := f.Reader().Observe(w.ctx(), []plan.Topology{w.topology}, plan.Depth{})
	asked, called := w.calls("a", "GetReplicateConfiguration"), w.calls("c", "")
	same(t, asked, 2) // it waits for ever until it has one
	deep := f.Reader().Deepen(w.ctx(), []plan.Topology{w.topology}, views, plan.Depth{Progress: true, Contents: true})
	same(t, w.calls("a", "GetReplicateConfiguration"), asked)
	same(t, w.calls("c", ""), called)
	for i, v := range deep {
		plain := views[i]
		if up := plain.Reach == plan.ReachUp; up != v.Contents.Known || up != (len(v.Progress) == milvussim.DefaultPChannels) {
			t.Errorf("%s: %+v, %d channels", v.Cluster, v.Contents, len(v.Progress))
		}
		if up := plain.Reach == plan.ReachUp; up != (v.ForcePromotes == plan.SupportYes) {
			t.Errorf("%s: force promote is %q", v.Cluster, v.ForcePromotes)
		}
		plain.Progress, plain.Contents, plain.ForcePromotes = v.Progress, v.Contents, v.ForcePromotes
		same(t, v, plain) // nothing else is another
	}
}
