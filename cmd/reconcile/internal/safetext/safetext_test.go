package safetext

import "testing"

func TestSafe(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"plain", "cluster-a: ok", "cluster-a: ok"},
		{"letters of other scripts", "ключ 集群", "ключ 集群"},
		{"escape sequence", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"line ends", "a\nb\r\nc\td", `a\nb\r\nc\td`},
		{"nul and delete", "\x00\x7f", `\x00\x7f`},
		{"eight-bit control", "\u009b2J", `\u009b2J`},
		{"direction override", "a\u202eb\u2066c", `a\u202eb\u2066c`},
		{"zero width and odd spaces", "a\u200bb\u00a0c\ufeff", `a\u200bb\u00a0c\ufeff`},
		{"tag characters", "\U000e0041", `\U000e0041`},
		{"not UTF-8", "a\xffb", `a\xffb`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Safe(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
