package reconcile_test

import (
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/reconciletest"
)

// broken are parts that do not do their duty. The zero value breaks nothing.
type broken struct {
	alwaysApproved bool // every change carries an approval, whatever Git says
	forgetsSpent   bool // the ledger does not keep which approvals were used
	seesEmpty      bool // what does not answer is reported as up and unconfigured
	alwaysLost     bool // every probe reports that the old primary is gone
	callsRefused   bool // a request in doubt is reported as refused
	provesAll      bool // replication is reported to flow, whatever it does
	readsGitOnce   bool // Git is not read again under the lock
	trustsOldGit   bool // what Git said before counts where it cannot be read again
	neverAsks      bool // requests are sent again without another look
	seesWiped      bool // every cluster is reported as wiped
}

func (b broken) change(g history) approval.Change {
	if b.alwaysApproved {
		g.approved = true
	}
	return g.change()
}

func (b broken) view(v plan.View) plan.View {
	if b.seesEmpty && v.Reach != plan.ReachUp {
		v.Reach, v.Class, v.IdentityProven, v.ReadsConfiguration = plan.ReachUp, plan.ClassNone, true, plan.SupportYes
		v.Belief, v.Contents = plan.Belief{Kind: plan.BeliefUnconfigured}, plan.Contents{Known: true}
	}
	if b.alwaysLost && v.Cluster == name(0) {
		v = plan.View{Cluster: v.Cluster, At: v.At, Credential: v.Credential, Reach: plan.ReachUnreachable, Class: plan.ClassTimeout}
	}
	return v
}

func (b broken) wipeProof(w plan.WipeProof) plan.WipeProof {
	if b.seesWiped {
		w.Instance, w.LogRead, w.Oldest = reconciletest.Start, true, time.Time{}
	}
	return w
}

func (b broken) round(r plan.Round) plan.Round {
	if b.alwaysLost {
		r.Reach, r.Class, r.Progress = plan.ReachUnreachable, plan.ClassTimeout, nil
	}
	return r
}

func (b broken) remembered(r reconcile.Remembered) reconcile.Remembered {
	if b.forgetsSpent {
		r.Spent = nil
	}
	return r
}

func (b broken) begin(known records, what reconcile.Beginning) (records, error) {
	if b.forgetsSpent {
		known.Spent = nil
	}
	return known.begin(what)
}
