package kubeapi

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/client-go/tools/clientcmd/api"

	"milvus-reconcile/reconcile/program"
)

// useProgram replaces the name of the program that a kubeconfig calls for a token by its
// path, so that what was checked is what runs.
func (c Config) useProgram(user *api.AuthInfo) error {
	switch {
	case user == nil:
		return nil
	case user.AuthProvider != nil:
		return fmt.Errorf("auth-provider %s is not supported (hint: call a program by exec, or use a token or a certificate)", user.AuthProvider.Name)
	case user.Exec == nil:
		return nil
	}
	found, _ := program.Find(user.Exec.Command)
	if found == "" {
		return fmt.Errorf("the program %q, which is called for a token, is in no folder of PATH (hint: install it there, or write its full path as command)", user.Exec.Command)
	}
	user.Exec.Command = found
	var hidden []api.ExecEnvVar
	for _, name := range c.Hidden {
		hidden = append(hidden, api.ExecEnvVar{Name: name})
	}
	user.Exec.Env = append(hidden, user.Exec.Env...) // of two values of a variable the last one counts
	return nil
}

// answer is what came of a request.
type answer struct {
	res *http.Response
	err error
}

// do sends a request. client-go waits without end for the program that a kubeconfig calls for
// a token; do waits for it no longer than ctx. What is left behind is not sent when the program
// ends after all, since ctx of the request is over then.
func (c *Client) do(ctx context.Context, at *connection, req *http.Request) (*http.Response, error) {
	if at.program == "" {
		return at.http.Do(req)
	}
	if !c.programEnded(ctx) {
		return nil, programHangs(at.program, ctx.Err())
	}
	got, ended := make(chan answer, 1), make(chan struct{})
	go func() {
		defer close(ended)
		res, err := at.http.Do(req)
		got <- answer{res, err}
	}()
	select {
	case a := <-got:
		return a.res, a.err
	case <-ctx.Done():
		c.leave(ended)
		go closeBody(got)
		return nil, programHangs(at.program, ctx.Err())
	}
}

// programEnded waits until the request that was left behind has ended, so that a program which
// hangs holds one goroutine and not one for each request.
func (c *Client) programEnded(ctx context.Context) bool {
	c.mu.Lock()
	left := c.left
	c.mu.Unlock()
	if left == nil {
		return true
	}
	select {
	case <-left:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave remembers the request that was left behind.
func (c *Client) leave(ended chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = ended
}

func closeBody(got <-chan answer) {
	if a := <-got; a.err == nil {
		a.res.Body.Close()
	}
}

func programHangs(program string, err error) error {
	return fmt.Errorf("neither the server nor %s, which the kubeconfig calls for a token, answered: %w (hint: run that program by hand)", program, err)
}
