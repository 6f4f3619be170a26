package salvage

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/milvus"
	"milvus-reconcile/reconcile/replay"
)

// exportLine is one line of an export: one row of an insert, one key of a delete, or
// a message without rows. Ticks and ids are strings, since many JSON readers round
// integers of that size.
type exportLine struct {
	Kind         string         `json:"kind"`
	Database     string         `json:"database,omitempty"`
	Collection   string         `json:"collection,omitempty"`
	CollectionID string         `json:"collectionId,omitempty"`
	Partition    string         `json:"partition,omitempty"`
	Channel      string         `json:"channel"`
	MessageID    string         `json:"messageId"`
	TimeTick     string         `json:"timeTick"`
	At           time.Time      `json:"at"`
	Transaction  string         `json:"transaction,omitempty"`
	Row          map[string]any `json:"row,omitempty"`
	Payload      []byte         `json:"payload,omitempty"` // of a message whose rows are not known, as Milvus wrote it
	Problem      string         `json:"problem,omitempty"` // why its rows are not known
	NotReplayed  string         `json:"notReplayed,omitempty"`
}

// export writes lines to PATH.partial, which becomes PATH once it is whole. The file
// holds users' rows, so only its owner may read it.
type export struct {
	path  string
	file  *os.File
	buf   *bufio.Writer
	json  *json.Encoder
	lines int64
}

func newExport(path string) (*export, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s exists already (hint: --export names a new file)", path)
	}
	f, err := os.OpenFile(path+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	out := &export{path: path, file: f, buf: bufio.NewWriter(f)}
	out.json = json.NewEncoder(out.buf)
	out.json.SetEscapeHTML(false)
	return out, nil
}

func lineOf(m milvus.SalvagedMessage) exportLine {
	line := exportLine{
		Kind: m.Kind, Database: m.Database, Collection: m.Collection, Partition: m.Partition, Channel: m.Channel,
		MessageID: m.MessageID, TimeTick: strconv.FormatUint(m.TimeTick, 10), At: plan.TickTime(m.TimeTick), Transaction: m.Transaction,
	}
	if m.CollectionID != 0 {
		line.CollectionID = strconv.FormatInt(m.CollectionID, 10)
	}
	return line
}

func (x *export) write(m milvus.SalvagedMessage) error {
	line := lineOf(m)
	if m.RowCount == 0 {
		line.Payload = m.Payload
		return x.line(line)
	}
	lines := x.lines
	err := m.Rows(func(row map[string]any) error {
		line.Row = row
		return x.line(line)
	})
	if err != nil && x.lines == lines { // its format is not known
		line.Row, line.Payload, line.Problem = nil, m.Payload, err.Error()
		return x.line(line)
	}
	return err
}

// writeRest writes the rows of a message that a replay does not write, and why.
func (x *export) writeRest(m milvus.LoggedMessage, verdicts []replay.Verdict) error {
	why := func(row int) string { return verdicts[min(row, len(verdicts)-1)].NotReplayed() }
	line := lineOf(m.SalvagedMessage)
	row := 0
	err := m.SalvagedMessage.Rows(func(cells map[string]any) error {
		line.Row, line.NotReplayed = cells, why(row)
		row++
		if line.NotReplayed == "" {
			return nil
		}
		return x.line(line)
	})
	if m.RowCount > 0 && (err == nil || row > 0) {
		return err
	}
	line.Row, line.Payload = nil, m.Payload
	if err != nil { // the form of its rows is not known
		line.Problem = err.Error()
	}
	for i := range verdicts {
		if line.NotReplayed = why(i); line.NotReplayed != "" {
			return x.line(line)
		}
	}
	return nil
}

func (x *export) line(l exportLine) error {
	if err := x.json.Encode(l); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	x.lines++
	return nil
}

// end closes the file. It renames a whole one to PATH and removes another.
func (x *export) end(whole bool) error {
	err := errors.Join(x.buf.Flush(), x.file.Sync(), x.file.Close())
	if err == nil && whole {
		err = os.Rename(x.file.Name(), x.path)
	} else {
		err = errors.Join(err, os.Remove(x.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
