package plan

// Transition is what a plan does to one topology.
type Transition string

// The transitions of contract.md §1. The zero value is none.
const (
	TransitionNone         Transition = ""
	TransitionBootstrap    Transition = "bootstrap"
	TransitionAddStandby   Transition = "add_standby"
	TransitionDetach       Transition = "detach"
	TransitionGrowChannels Transition = "grow_channels"
	TransitionSwitchover   Transition = "switchover"
	TransitionFailover     Transition = "failover"
	TransitionFence        Transition = "fence"
)

// String gives the contract's word.
func (t Transition) String() string { return wordOr(string(t), "none") }

// Action is what a step does.
type Action string

// The actions of contract.md §6.
const (
	ActionUpdate       Action = "update_replicate_configuration"
	ActionForcePromote Action = "force_promote"
	ActionFence        Action = "fence_stale_primary"
	ActionWait         Action = "wait_converged"
	ActionVerify       Action = "verify"
	ActionRedirect     Action = "redirect_traffic"
	ActionRecordStale  Action = "record_stale"
)

// Sends says whether the action sends a configuration to a cluster.
func (a Action) Sends() bool {
	return a == ActionUpdate || a == ActionForcePromote || a == ActionFence
}

// Reason is why a step is there; renderers turn it into a sentence.
type Reason string

// The reasons of steps.
const (
	ReasonPrimaryLost      Reason = "primary_lost"
	ReasonBecomesPrimary   Reason = "becomes_primary"
	ReasonBecomesStandby   Reason = "becomes_standby"
	ReasonKeepsStandby     Reason = "keeps_standby"
	ReasonNewTopology      Reason = "new_topology"
	ReasonJoins            Reason = "joins"
	ReasonLeaves           Reason = "leaves"
	ReasonChannelsGrow     Reason = "channels_grow"
	ReasonStaleReturned    Reason = "stale_returned"
	ReasonProveRole        Reason = "prove_role"
	ReasonProveReplication Reason = "prove_replication"
	ReasonMoveTraffic      Reason = "move_traffic"
	ReasonRemember         Reason = "remember"
)

// Step is one action of a plan: data, never code. A step that sends a
// configuration carries the whole of it in After, since the server replaces
// everything; Before is what the cluster stored when the plan was made.
type Step struct {
	ID      int // from 1, in order
	Wave    int // steps of one wave run at once; waves run one after the other
	Action  Action
	Cluster string
	Reason  Reason
	Before  *Configuration // nil: nothing stored, or not a step that sends one
	After   *Configuration // nil: not a step that sends a configuration
	Verify  VerifyLevel    // of ActionVerify
}

// ForcePromote says whether the step promotes by force.
func (s Step) ForcePromote() bool { return s.Action == ActionForcePromote }
