package milvus

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"milvus-reconcile/plan"
)

func TestJudgePromotion(t *testing.T) {
	only := func(id string) plan.Configuration { return plan.Configuration{Clusters: []plan.Member{{ID: id}}} }
	cases := map[string]struct {
		belief plan.Belief
		want   stepState
	}{
		"unknown":                        {plan.Belief{}, undecided},
		"itself alone":                   {plan.Belief{Kind: plan.BeliefStandalone, Configuration: only("b")}, effected},
		"somebody else alone":            {plan.Belief{Kind: plan.BeliefStandalone, Configuration: only("x")}, elsewhere},
		"a standby of the same source":   {plan.Belief{Kind: plan.BeliefStandby, Source: "a"}, unchanged},
		"a standby of another source":    {plan.Belief{Kind: plan.BeliefStandby, Source: "c"}, elsewhere},
		"a primary with standbys":        {plan.Belief{Kind: plan.BeliefPrimary}, elsewhere},
		"never configured, or forgotten": {plan.Belief{Kind: plan.BeliefUnconfigured}, elsewhere},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { same(t, judgePromotion("b", "a", c.belief), c.want) })
	}
}

func TestJudgeUpdate(t *testing.T) {
	one := plan.Configuration{Clusters: []plan.Member{{ID: "a"}, {ID: "b"}}, Edges: []plan.Edge{{From: "a", To: "b"}}}
	two := plan.Configuration{Clusters: one.Clusters, Edges: []plan.Edge{{From: "b", To: "a"}}}
	swapped := plan.Configuration{Clusters: []plan.Member{{ID: "b"}, {ID: "a"}}, Edges: two.Edges}
	reordered := plan.Configuration{Clusters: swapped.Clusters, Edges: one.Edges}
	grown := plan.Configuration{Clusters: []plan.Member{{ID: "a", PChannels: []string{"x"}}, {ID: "b"}}, Edges: two.Edges}
	cases := map[string]struct {
		before *plan.Configuration
		belief plan.Belief
		want   stepState
	}{
		"unknown":                   {&one, plan.Belief{Configuration: two}, undecided},
		"as wanted":                 {&one, plan.Belief{Kind: plan.BeliefPrimary, Configuration: two}, effected},
		"as before":                 {&one, plan.Belief{Kind: plan.BeliefPrimary, Configuration: one}, unchanged},
		"as wanted in other order":  {&one, plan.Belief{Kind: plan.BeliefPrimary, Configuration: swapped}, effected},
		"as before in other order":  {&one, plan.Belief{Kind: plan.BeliefPrimary, Configuration: reordered}, unchanged},
		"other channels":            {&one, plan.Belief{Kind: plan.BeliefPrimary, Configuration: grown}, elsewhere},
		"nothing stored, as before": {nil, plan.Belief{Kind: plan.BeliefUnconfigured}, unchanged},
		"nothing stored any more":   {&one, plan.Belief{Kind: plan.BeliefUnconfigured}, elsewhere},
		"stored meanwhile":          {nil, plan.Belief{Kind: plan.BeliefPrimary, Configuration: one}, elsewhere},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { same(t, judgeUpdate(c.before, two, c.belief), c.want) })
	}
}

func TestClassifyAnswer(t *testing.T) {
	refusal := &commonpb.Status{Code: 65535, Reason: "…; streaming error: code = STREAMING_CODE_INVAILD_ARGUMENT, cause = force promote can only be used on secondary clusters, current cluster is primary"}
	cases := map[string]struct {
		status *commonpb.Status
		err    error
		left   bool
		want   answer
	}{
		"success":                            {&commonpb.Status{}, nil, true, accepted},
		"a refusal in words":                 {refusal, nil, true, refused},
		"words that we do not know":          {&commonpb.Status{Code: 65535, Reason: "etcd: request timed out"}, nil, true, doubtful},
		"a deadline between its parts":       {&commonpb.Status{Code: 65535, Reason: "rpc error: code = DeadlineExceeded"}, nil, true, doubtful},
		"not ready":                          {&commonpb.Status{Code: 1, Reason: "service not ready"}, nil, true, doubtful},
		"not permitted":                      {nil, status.Error(codes.PermissionDenied, ""), true, refused},
		"a deadline":                         {nil, status.Error(codes.DeadlineExceeded, ""), true, doubtful},
		"a broken connection":                {nil, status.Error(codes.Unavailable, ""), true, doubtful},
		"never connected":                    {nil, status.Error(codes.Unavailable, ""), false, unsent},
		"a deadline before it was connected": {nil, status.Error(codes.DeadlineExceeded, ""), false, unsent},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { same(t, classifyAnswer(c.status, c.err, c.left), c.want) })
	}
}

func TestNextDelay(t *testing.T) {
	var got []time.Duration
	for try := 1; try <= 6; try++ {
		got = append(got, nextDelay(try)/time.Second)
	}
	same(t, got, []time.Duration{1, 2, 4, 8, 8, 8})
}

func TestThrowawayNames(t *testing.T) {
	made := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	name := throwawayName(made)
	cases := map[string]struct {
		name     string
		at       time.Time
		ours     bool
		leftover bool
	}{
		"just made":        {name, made, true, false},
		"made by a future": {name, made.Add(-24 * time.Hour), true, false},
		"left behind":      {name, made.Add(2 * time.Hour), true, true},
		"a user's":         {"orders", made.Add(2 * time.Hour), false, false},
		"not our form":     {throwawayPrefix + "mine", made.Add(2 * time.Hour), false, false},
		"no time in it":    {throwawayPrefix + "zz_1", made.Add(2 * time.Hour), false, false},
		"ours, and more":   {name + "_copy", made.Add(2 * time.Hour), false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if isThrowaway(c.name) != c.ours || isLeftover(c.name, c.at) != c.leftover {
				t.Error(c.name)
			}
		})
	}
	if throwawayName(made) == name {
		t.Error("the same name twice")
	}
}
