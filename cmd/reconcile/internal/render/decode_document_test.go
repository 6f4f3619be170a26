package render

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// A saved plan must come back whole: show prints it in every form, and apply
// compares its digests.
func TestDecodeIsTheInverseOfJSON(t *testing.T) {
	for name, d := range goldens() {
		t.Run(name, func(t *testing.T) {
			saved := rendered(t, func(w io.Writer) error { return JSON(w, d) })
			back, err := Decode(bytes.NewReader(saved))
			if err != nil {
				t.Fatal(err)
			}
			if again := rendered(t, func(w io.Writer) error { return JSON(w, back) }); !bytes.Equal(saved, again) {
				t.Errorf("JSON of the decoded document differs:\n%s", again)
			}
			table := rendered(t, func(w io.Writer) error { return Table(w, d, TableOptions{}) })
			if again := rendered(t, func(w io.Writer) error { return Table(w, back, TableOptions{}) }); !bytes.Equal(table, again) {
				t.Errorf("table of the decoded document differs:\n%s", again)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	topology := func(fields string) string {
		return `{"formatVersion":"1.0","topologies":[{"name":"orders","transition":"none"` + fields + `}]}`
	}
	cases := []struct{ name, saved, want string }{
		{"empty input", ``, "not JSON"},
		{"a second value", `{"formatVersion":"1.0","topologies":[]} {}`, "not JSON"},
		{"no version", `{"topologies":[]}`, "formatVersion"},
		{"an array", `[]`, "not JSON"},
		{"no topologies", `{"formatVersion":"1.0"}`, "topologies"},
		{"the next major version", `{"formatVersion":"2.0","topologies":[]}`, "plan again"},
		{"a version that only begins alike", `{"formatVersion":"10.0","topologies":[]}`, "plan again"},
		{"a topology without a name", `{"formatVersion":"1.0","topologies":[{"transition":"none"}]}`, "no name"},
		{"a topology without a transition", `{"formatVersion":"1.0","topologies":[{"name":"orders"}]}`, "no transition"},
		{"one name twice", `{"formatVersion":"1.0","topologies":[{"name":"a","transition":"none"},{"name":"a","transition":"none"}]}`, "twice"},
		{"a shortened digest", topology(`,"digest":"sha256:3f9c"`), "no digest"},
		{"an empty digest", topology(`,"digest":""`), "no digest"},
		{"a digest in capitals", topology(`,"digest":"sha256:` + strings.Repeat("AB", 32) + `"`), "no digest"},
		{"a time that is none", topology(`,"dataLoss":{"replicatedUpTo":"yesterday"}`), "no time"},
		{"a wrong type", topology(`,"blocked":"no"`), "does not match its version"},
		{"a tick that is none", topology(`,"findings":[{"evidence":{"counted":1,"moved":[{"from":"x","to":"1"}]}}]`), "no time tick"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(strings.NewReader(c.saved))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestDecodePassesOverWhatANewerMinorVersionAdds(t *testing.T) {
	d, err := Decode(strings.NewReader(`{"formatVersion":"1.7","moon":"full","topologies":[{"name":"orders","transition":"none","tide":1}]}`))
	if err != nil || len(d.Plan.Topologies) != 1 {
		t.Fatalf("got %+v, %v", d, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, d := range goldens() {
		var b bytes.Buffer
		if err := JSON(&b, d); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, saved []byte) {
		d, err := Decode(bytes.NewReader(saved))
		if err != nil {
			return
		}
		if err := Table(io.Discard, d, TableOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
