package plan

import (
	"strconv"
	"strings"
	"testing"
)

func TestChannelNames(t *testing.T) {
	sixteen := make([]string, 16)
	for i := range sixteen {
		sixteen[i] = "b-rootcoord-dml_" + strconv.Itoa(i)
	}
	for want, names := range map[string]string{
		"b-rootcoord-dml_0 … _15":     strings.Join(sixteen, " "),
		"b-rootcoord-dml_3":           "b-rootcoord-dml_3",
		"b-rootcoord-dml_3, _4":       "b-rootcoord-dml_3 b-rootcoord-dml_4",
		"b-rootcoord-dml_0 … _2, _7":  "b-rootcoord-dml_0 b-rootcoord-dml_1 b-rootcoord-dml_2 b-rootcoord-dml_7",
		"b_0, _2, _4, _6, and 2 more": "b_0 b_2 b_4 b_6 b_8 b_9",
		"by-hand, b_1, c_2":           "by-hand b_1 c_2",
		"b_007, b_1":                  "b_007 b_1",
		"":                            "",
	} {
		if got := ChannelNames(strings.Fields(names)); got != want {
			t.Errorf("%s: %q, want %q", names, got, want)
		}
	}
}
