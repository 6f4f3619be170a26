package milvus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"google.golang.org/grpc"

	"milvus-reconcile/plan"
)

// readEvery is how often the cluster is read while a request is under way.
const readEvery = time.Second

// send sends the request until a read decides, the server refuses, the caller forbids
// another try, or ctx ends. Only a read of the unchanged state lets the same request go
// again. While a promotion is half done, the cluster is only read.
func (x *execution) send(ctx context.Context, seen stepState) Result {
	for try := 1; !x.decide(seen); try++ {
		pause := nextDelay(try)
		if x.noteHalf(seen) {
			try, pause = 0, readEvery
			x.reportHalf(ctx)
		}
		if err := x.pause(ctx, pause); err != nil {
			return x.giveUp(ctx, err)
		}
		seen = x.read(ctx, true)
		if x.decide(seen) {
			break
		}
		if seen != unchanged {
			continue
		}
		if err := x.recheck(ctx); err != nil {
			return x.giveUp(ctx, fmt.Errorf("not sent again: %w", err))
		}
		seen = x.attempt(ctx)
	}
	return x.result
}

// recheck asks the caller whether the request may go, and keeps why not.
func (x *execution) recheck(ctx context.Context) error {
	if x.permit.Recheck == nil {
		return nil
	}
	x.forbidden = x.permit.Recheck(ctx)
	return x.forbidden
}

// attempt sends the request once, over a connection of its own, and reads the cluster over
// others meanwhile: a call on a standby may wait for minutes after it took effect.
func (x *execution) attempt(ctx context.Context) stepState {
	during, cancel := context.WithTimeout(ctx, x.permit.Left(x.fleet.updateTimeout))
	defer cancel()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		x.last, x.lastErr = x.sendRequest(during)
	}()
	for {
		select {
		case <-answered:
			x.noteAnswer()
			return x.read(ctx, true)
		case <-x.fleet.clock.After(readEvery):
		}
		seen := x.readDuring(during)
		if x.noteHalf(seen) && x.isSurelyHalf() || seen == effected || seen == elsewhere {
			cancel()
			<-answered
			x.noteAnswer()
			return seen
		}
	}
}

// noteAnswer keeps what the newest answer means for all that was sent: once a request is
// in doubt, the refusal of a later one says nothing about it.
func (x *execution) noteAnswer() {
	x.result.Sent = x.result.Sent || x.last != unsent
	x.doubted = x.doubted || x.last == doubtful
}

// errTooLate is why a request was not sent although everything else allows it.
var errTooLate = errors.New("the right to send would have ended before an answer")

// sendRequest makes the call and classifies its end.
func (x *execution) sendRequest(ctx context.Context) (answer, error) {
	pass, err := x.fleet.ticket(x.access)
	if err != nil {
		return unsent, x.fleet.secrets.Err(err)
	}
	l, err := x.fleet.dial(pass)
	if err != nil {
		return unsent, err
	}
	defer l.close()
	guard := &deadlineGuard{}
	status, err := l.api.UpdateReplicateConfiguration(ctx, &milvuspb.UpdateReplicateConfigurationRequest{
		ReplicateConfiguration: x.request, ForcePromote: x.step.ForcePromote(),
	}, grpc.PerRPCCredentials(guard))
	if guard.tooLate {
		return unsent, errTooLate
	}
	a := classifyAnswer(status, err, l.trace.spoke())
	if err == nil {
		err = classifyStatus(status).err
	}
	return a, x.fleet.secrets.Err(err)
}

// deadlineGuard aborts a call whose deadline passed before gRPC wrote its headers: gRPC
// asks for the credentials of a call right before that (google.golang.org/grpc
// internal/transport http2_client.go: createHeaderFields). So a process that was stopped
// meanwhile sends nothing late, even if its timers had no turn yet.
type deadlineGuard struct{ tooLate bool }

// GetRequestMetadata adds no header. It fails once the deadline has passed.
func (g *deadlineGuard) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if by, ok := ctx.Deadline(); ok && !time.Now().Before(by) {
		g.tooLate = true
		return nil, errTooLate
	}
	return nil, nil //nolint:nilnil // no metadata of its own
}

// RequireTransportSecurity returns false: the guard adds no secret.
func (*deadlineGuard) RequireTransportSecurity() bool { return false }

// readDuring reads while the request is under way, and changes nothing of what belongs to
// the sender. It does not probe a promotion by a DDL on a server whose configuration
// cannot be read: the DDL would wait behind the request.
func (x *execution) readDuring(ctx context.Context) stepState {
	v, said := x.readStep(ctx, probeOptions{})
	if said != undecided {
		x.result.After = v
	}
	return said
}

// read reads the cluster and judges the step by it.
func (x *execution) read(ctx context.Context, mayWrite bool) stepState {
	if ctx.Err() != nil {
		return undecided
	}
	v, said := x.readStep(ctx, probeOptions{askTwice: true})
	x.result.After = v
	if said != undecided {
		return said
	}
	return x.judgeView(ctx, v, mayWrite)
}

// decide says whether the step is over, and sets its result. A refusal counts only
// together with the old state: "current cluster is primary" after a promotion of ours is a
// success (milvus.md §2.9).
func (x *execution) decide(seen stepState) bool {
	switch {
	case seen == effected && x.result.Sent:
		x.result.Status, x.result.Detail = plan.StepDone, "read back"
	case seen == effected:
		x.result.Status, x.result.Detail = plan.StepAlready, "it was already so when the request was to be sent"
	case seen == elsewhere:
		x.fail(plan.StepFailed, fmt.Errorf("%s is in neither the old nor the wanted state: it stores the role %s", x.step.Cluster, describe(x.result.After.Belief)))
	case seen == unchanged && x.last == refused && !x.doubted:
		x.fail(plan.StepRefused, fmt.Errorf("%s refused: %w", x.step.Cluster, x.lastErr))
	default:
		return false
	}
	return true
}

// giveUp reads once more and sets the result: that the attempts end does not change what
// was sent.
func (x *execution) giveUp(ctx context.Context, why error) Result {
	seen := x.read(context.WithoutCancel(ctx), false)
	if seen == halfway {
		f := plan.HalfPromotion(x.topology.Name, x.step.Cluster, x.source)
		why = fmt.Errorf("%s: %s (hint: %s): %w", f.Code, f.Message, f.Remedy, why)
	}
	switch {
	case x.decide(seen):
	case x.result.Sent, seen == halfway:
		x.fail(plan.StepInDoubt, fmt.Errorf("no read showed the outcome: %w", errors.Join(why, x.lastErr)))
	default:
		x.refuse(seen, fmt.Errorf("nothing was sent to %s: %w", x.step.Cluster, errors.Join(why, x.lastErr)))
	}
	return x.result
}

// fail sets a result that is not a success.
func (x *execution) fail(status plan.StepStatus, err error) {
	x.result.Status, x.result.Err = status, x.fleet.secrets.Err(err)
	x.result.Detail = x.result.Err.Error()
}

// pause waits before the next read. It fails when ctx ends.
func (x *execution) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-x.fleet.clock.After(d):
		return ctx.Err()
	}
}
