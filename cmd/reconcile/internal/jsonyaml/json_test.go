package jsonyaml

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// asEncodingJSON is what WriteJSON has to give.
func asEncodingJSON(t interface{ Fatal(...any) }, value any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		t.Fatal(err)
	}
	return string(escapeInvisible(b.Bytes()))
}

type everyKind struct {
	Text     string            `json:"text"`
	Maybe    *string           `json:"maybe"`
	Left     string            `json:"left,omitempty"`
	Number   int64             `json:"number,omitempty"`
	Count    uint8             `json:"count"`
	Fraction float64           `json:"fraction"`
	Flag     *bool             `json:"flag,omitempty"`
	List     []string          `json:"list"`
	Others   []everyKind       `json:"others,omitempty"`
	One      *everyKind        `json:"one"`
	Map      map[string][]int  `json:"map"`
	Empty    struct{}          `json:"empty,omitempty"`
	Any      any               `json:"any"`
	Raw      json.RawMessage   `json:"raw,omitempty"`
	Bytes    []byte            `json:"bytes"`
	At       time.Time         `json:"at"`
	Words    map[string]string `json:"words,omitempty"`
}

// TestIndentedAsEncodingJSON: any value is written byte for byte as encoding/json and the
// escape of what is invisible write it.
func TestIndentedAsEncodingJSON(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "plain", "\"\\/<>&'", "\b\f\n\r\t\x00\x1f\x7f", "ä€😀", "\u2028\u2029\u200b\u202e\ufffd\U000e0041", "a\xffb\xc3",
	}))
	rapid.Check(t, func(t *rapid.T) {
		var draw func(depth int) everyKind
		draw = func(depth int) everyKind {
			e := everyKind{
				Text: text.Draw(t, "text"), Left: text.Draw(t, "left"), Number: rapid.Int64().Draw(t, "number"), Count: rapid.Uint8().Draw(t, "count"),
				Fraction: rapid.Float64Range(-1e30, 1e30).Draw(t, "fraction"), List: rapid.SliceOf(text).Draw(t, "list"),
				Map: rapid.MapOf(text, rapid.SliceOf(rapid.Int())).Draw(t, "map"), Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"),
				At: time.Unix(rapid.Int64Range(0, 1e9).Draw(t, "at"), 0).UTC(),
			}
			if rapid.Bool().Draw(t, "maybe") {
				e.Maybe, e.Flag, e.Any, e.Raw = &e.Text, new(bool), e.List, json.RawMessage(`{"a":[1, "<"]}`)
			}
			if depth < 3 && rapid.Bool().Draw(t, "one") {
				one := draw(depth + 1)
				e.One, e.Others, e.Any = &one, []everyKind{one, draw(depth + 1)}, one
			}
			return e
		}
		value := draw(0)
		var got bytes.Buffer
		if err := WriteJSON(&got, value); err != nil {
			t.Fatal(err)
		}
		if want := asEncodingJSON(t, value); got.String() != want {
			t.Fatalf("%q\nwant\n%q", got.String(), want)
		}
	})
}

// TestIndentedFails: an error of the writer and a value that JSON has no word for are told.
func TestIndentedFails(t *testing.T) {
	if err := WriteJSON(failing{}, everyKind{}); err == nil {
		t.Error("the error of the writer is lost")
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, []float64{math.NaN()}); err == nil {
		t.Errorf("%s", b.String())
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
