// Command progress runs `go test -json` and says how far it has got: a line for
// each package as it ends with what was slow in it, every half minute what is still
// running, all that a failed test has said, and at the end the slowest tests,
// what was skipped and why, and the verdict.
//
//	progress go test -json ./...
//
// It uses the standard library only, so that it compiles without a download.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// quiet is how long nothing is said before it says what is running.
const quiet = 30 * time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: progress go test -json PACKAGE…")
		os.Exit(2)
	}
	code, err := watch(os.Stdout, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "progress:", err)
	}
	os.Exit(code)
}

// watch runs the command, reports on it and returns its exit code.
func watch(out io.Writer, command []string) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = io.MultiWriter(os.Stderr, &stderr)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	lines := make(chan []byte)
	var broken error
	go func() {
		defer close(lines)
		broken = read(stdout, lines)
	}()
	r := newReport(out, time.Now)
	follow(r, lines)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	code := cmd.ProcessState.ExitCode()
	r.verdict(code == 0)
	return code, errors.Join(err, broken)
}

// read sends the lines of the command, however long they are.
func read(from io.Reader, lines chan<- []byte) error {
	b := bufio.NewReader(from)
	for {
		line, err := b.ReadBytes('\n')
		if len(line) > 0 {
			lines <- line
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// follow hands every line to the report, and has it say what is running when
// nothing else was said.
func follow(r *report, lines <-chan []byte) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return
			}
			var e event
			if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
				r.say("%s", bytes.TrimRight(line, "\n"))
				continue
			}
			r.take(e)
		case <-tick.C:
			r.running()
		}
	}
}
