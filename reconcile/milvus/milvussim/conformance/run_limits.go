package conformance

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// limits are the times of a run.
type limits struct {
	// call ends a call, and the wait for something that must come.
	call time.Duration
	// ask ends the question whether a cluster serves.
	ask time.Duration
	// down is how long a cluster may serve nothing before it is started again.
	down time.Duration
	// start is how long a cluster may take until it serves again.
	start time.Duration
	// settle is how long the way to the start of a case may take.
	settle time.Duration
	// hold is how long a configuration must stand to be believed: what a log
	// still holds undoes an attach seconds later (#52727).
	hold time.Duration
	// poll is the time between two questions.
	poll time.Duration
}

var (
	simulatedLimits = limits{call: 60 * time.Second, ask: 3 * time.Second, down: 5 * time.Second, start: 60 * time.Second, settle: 60 * time.Second, hold: 100 * time.Millisecond, poll: 5 * time.Millisecond}
	realLimits      = limits{call: 20 * time.Second, ask: 3 * time.Second, down: 45 * time.Second, start: 90 * time.Second, settle: 60 * time.Second, hold: 6 * time.Second, poll: 150 * time.Millisecond}
)

// serves says why a cluster serves nothing now; nil if its proxy and its
// coordinator answer.
func (e *env) serves(c *Cluster) error {
	resp, err := c.rpc.ListDatabases(e.as(c.Token, e.limits.ask), &milvuspb.ListDatabasesRequest{}, grpc.WaitForReady(true))
	if err == nil && resp.GetStatus().GetCode() != 0 {
		err = errors.New(resp.GetStatus().GetReason())
	}
	return err
}

// ready waits until a cluster serves.
func (e *env) ready(c *Cluster, limit time.Duration) error {
	var last error
	if e.within(limit, func() bool { last = e.serves(c); return last == nil }) {
		return nil
	}
	return fmt.Errorf("%s does not serve within %s: %w", c.ID, limit, last)
}

// revive makes sure that a cluster serves before a case begins. One that ended is
// started again, if there are commands for that.
func (e *env) revive(c *Cluster) error {
	err := e.ready(c, e.limits.down)
	if err == nil {
		return nil
	}
	if e.breaker.Start == nil {
		return fmt.Errorf("%w (hint: with %s and %s the suite starts it again)", err, varStop, varStart)
	}
	if again := e.restart(c); again != nil {
		return fmt.Errorf("%w, and %w", err, again)
	}
	e.t.Logf("%s had stopped to serve, and was started again", c.ID)
	return nil
}

// restart ends the processes of a cluster and starts them again.
func (e *env) restart(c *Cluster) error {
	if lack := e.breaker.lacks(needsStop); len(lack) > 0 {
		return fmt.Errorf("%s cannot be restarted without %s", c.ID, strings.Join(lack, ", "))
	}
	// One that ended by itself may have nothing left to stop.
	stopped := e.breaker.Stop(c.ID)
	if err := e.breaker.Start(c.ID); err != nil {
		return errors.Join(stopped, err)
	}
	return e.ready(c, e.limits.start)
}

// half reports whether a promotion stays half done: the old edge is stored, and
// every channel has a salvage checkpoint and no live one.
func (e *env) half(c *Cluster) bool {
	e.t.Helper()
	resp, err := e.readErr(e.long(c), c)
	from := source(resp.GetConfiguration(), c.ID)
	if err != nil || from == "" {
		return false
	}
	for _, ch := range c.pchannels() {
		info, err := c.rpc.GetReplicateInfo(e.long(c), &milvuspb.GetReplicateInfoRequest{SourceClusterId: from, TargetPchannel: ch})
		if err != nil || info.GetCheckpoint() != nil || info.GetSalvageCheckpoint() == nil {
			return false
		}
	}
	return true
}

// unstick restarts a standby whose promotion stays half done, and says so. It
// returns "" where there was nothing to mend.
func (e *env) unstick(c *Cluster) string {
	e.t.Helper()
	if !e.half(c) {
		return ""
	}
	const what = "the promotion stays half done: the old edge is stored, and every channel has a salvage checkpoint alone"
	if err := e.restart(c); err != nil {
		return fmt.Sprintf("; %s: %v", what, err)
	}
	e.t.Logf("%s: %s; it was restarted", c.ID, what)
	return "; " + what + "; it was restarted"
}
