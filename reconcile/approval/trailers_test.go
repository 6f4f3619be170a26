package approval

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"milvus-reconcile/plan"
)

const base = "Failover-Approved: orders/cluster-b\nFailover-Approved-By: Alice Smith <alice@example.com>\nFailover-Reason: eu-1 lost power, INC-4211\n"

func TestParseTrailers(t *testing.T) {
	two := 2 * time.Minute
	plain := Claim{Approved: []Target{{"orders", "cluster-b"}}, By: alice, Reason: "eu-1 lost power, INC-4211"}
	full := plain
	full.Expires = time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC)
	full.Plans, full.Accept, full.MaxDataLoss = []string{digestA}, []plan.Code{"NOT_MOST_CAUGHT_UP", "RECOVERY_BLOCK"}, &two
	several := plain
	several.Approved = []Target{{"orders", "cluster-b"}, {"payments", "B.2_x"}}
	for _, c := range []struct {
		name    string
		message string
		want    Claim
	}{
		{"the three that must be there", "Title\n\n" + base, plain},
		{"all of them", "Title\n\nBody\n\n" + base + "Failover-Expires: 2026-11-22T23:00:00+01:00\nFailover-Plan: " + digestA + "\nFailover-Accept: NOT_MOST_CAUGHT_UP\nFailover-Accept: RECOVERY_BLOCK\nFailover-Max-Data-Loss: 120s\n", full},
		{"several topologies", "Title\n\n" + base + "Failover-Approved: payments/B.2_x\n", several},
		{"next to others", "Title\n\nSigned-off-by: x <x@y>\n" + base + "Co-authored-by: z <z@y>\n", plain},
		{"without a newline at the end", "Title\n\n" + strings.TrimSuffix(base, "\n"), plain},
		{"with empty lines at the end", "Title\n\n" + base + "\n \n\t\n", plain},
		{"with carriage returns at line ends, as git allows", strings.ReplaceAll("Title\n\n"+base, "\n", "\r\n"), plain},
		{"after a line of blanks", "Title\n  \n" + base, plain},
		{"more blanks around values", "Title\n\n" + strings.ReplaceAll(base, ": ", ":   ") + "", plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseTrailers(c.message)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoClaim(t *testing.T) {
	for name, message := range map[string]string{
		"empty":                 "",
		"a title":               "Swap roles",
		"other trailers":        "Swap\n\nSigned-off-by: A <a@b>\n",
		"a word in a sentence":  "Swap\n\nThis needs Failover-Approved: later\n",
		"an indented quotation": "Swap\n\n  Failover-Approved: orders/b\n",
		"no colon":              "Swap\n\nFailover-Approved orders/b\n",
		"a Cyrillic look-alike": "Swap\n\nFаilover-Approved: orders/b\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseTrailers(message); !errors.Is(err, ErrNoClaim) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMalformedTrailers(t *testing.T) {
	const title = "Title\n\n"
	set := func(key, value string) string { return title + base + key + ": " + value + "\n" }
	replace := func(old, now string) string { return title + strings.Replace(base, old, now, 1) }
	for name, message := range map[string]string{
		"only the title":                       base,
		"after empty lines alone":              "\n\n" + base,
		"an earlier paragraph":                 title + base + "\nThanks!\n",
		"one more in an earlier paragraph":     "Title\n\nFailover-Approved: payments/x\n\n" + base,
		"one in the title":                     "Failover-Approved: orders/b\n\n" + base,
		"a line that is no trailer":            title + base + "thank you\n",
		"a comment":                            title + base + "# comment\n",
		"a vertical tab in the last line":      title + base + "\v",
		"a form feed between paragraphs":       "Title\n\f\n" + base,
		"a folded value":                       title + base + "  and more\n",
		"a cherry-pick's line":                 title + base + "(cherry picked from commit 123)\n",
		"a key in lower case":                  replace("Failover-Approved:", "failover-approved:"),
		"a key in upper case":                  replace("Failover-Reason", "FAILOVER-REASON"),
		"a blank before the colon":             replace("Failover-Approved:", "Failover-Approved :"),
		"no blank after the colon":             replace("Failover-Approved: ", "Failover-Approved:"),
		"a tab after the colon":                replace("Failover-Approved: ", "Failover-Approved:\t"),
		"an unknown key":                       set("Failover-Until", "tomorrow"),
		"an empty value":                       replace("eu-1 lost power, INC-4211", ""),
		"no approved":                          replace("Failover-Approved: orders/cluster-b\n", ""),
		"no by":                                replace("Failover-Approved-By: Alice Smith <alice@example.com>\n", ""),
		"no reason":                            replace("Failover-Reason: eu-1 lost power, INC-4211\n", ""),
		"by twice":                             set("Failover-Approved-By", "Bob <bob@example.com>"),
		"reason twice":                         set("Failover-Reason", "again"),
		"a topology twice":                     set("Failover-Approved", "orders/cluster-c"),
		"a topology in capitals":               replace("orders/", "Orders/"),
		"a cluster with a slash":               replace("cluster-b", "cluster/b"),
		"a wildcard":                           replace("orders/cluster-b", "*/*"),
		"a by without an e-mail":               replace(" <alice@example.com>", ""),
		"a by without a name":                  replace("Alice Smith <alice", "<alice"),
		"a by with two e-mails":                replace("<alice@example.com>", "<alice@example.com> <bob@example.com>"),
		"an e-mail of Cyrillic letters":        replace("alice@", "аlice@"),
		"an e-mail with two at signs":          replace("alice@", "alice@bob@"),
		"a by that runs backwards":             replace("Alice Smith", "Alice \u202eSmith"),
		"a reason with an escape code":         replace("eu-1", "\x1b[2J"),
		"a reason with a carriage return":      replace("eu-1 lost", "eu-1\rlost"),
		"a reason with a zero-width mark":      replace("eu-1", "eu\u200b-1"),
		"a no-break space around a value":      replace("eu-1", "\u00a0eu-1"),
		"bytes that are not UTF-8":             replace("eu-1", "\xff"),
		"an expiry that is a date":             set("Failover-Expires", "2026-11-22"),
		"an expiry without a zone":             set("Failover-Expires", "2026-11-22T22:00:00"),
		"an expiry with a comma":               set("Failover-Expires", "2026-11-22T22:00:00,5Z"),
		"an expiry with a short hour":          set("Failover-Expires", "2026-11-22T9:00:00Z"),
		"an expiry with a short zone":          set("Failover-Expires", "2026-11-22T22:00:00+1:00"),
		"an expiry that is no day":             set("Failover-Expires", "2026-02-30T22:00:00Z"),
		"an expiry in the year 1":              set("Failover-Expires", "0001-01-01T00:00:00Z"),
		"a digest cut short":                   set("Failover-Plan", "sha256:3f9c"),
		"a digest in capitals":                 set("Failover-Plan", strings.ToUpper(digestA)),
		"an acceptance in lower case":          set("Failover-Accept", "not_most_caught_up"),
		"several acceptances in one":           set("Failover-Accept", "A, B"),
		"a loss without a unit":                set("Failover-Max-Data-Loss", "120"),
		"a loss below zero":                    set("Failover-Max-Data-Loss", "-1s"),
		"a loss beyond all bounds":             set("Failover-Max-Data-Loss", "9999999999h"),
		"several topologies and a plan":        set("Failover-Approved", "payments/x") + "Failover-Plan: " + digestA + "\n",
		"several topologies and an acceptance": set("Failover-Approved", "payments/x") + "Failover-Accept: A\n",
		"several topologies and a loss":        set("Failover-Approved", "payments/x") + "Failover-Max-Data-Loss: 1s\n",
		"a message without end":                title + strings.Repeat("x", maxMessage) + "\n\n" + base,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParseTrailers(message)
			if err == nil || errors.Is(err, ErrNoClaim) {
				t.Fatalf("got %v, %v", c, err)
			}
			if len(c.Approved) > 0 && !strings.Contains(name, "twice") && c.check() == nil {
				t.Errorf("an error came with a whole claim: %v", c)
			}
			if strings.ContainsAny(err.Error(), "\x1b\r\n\u202e\u200b") {
				t.Errorf("the error would act on a terminal: %q", err)
			}
		})
	}
}

// FuzzParseTrailers holds that a claim is whole, is printable, says the same
// when written again, and that git reads the same trailers.
func FuzzParseTrailers(f *testing.F) {
	f.Add("Title\n\n" + base)
	f.Add("Title\n\n" + base + "Failover-Plan: " + digestA + "\nFailover-Max-Data-Loss: 1.5h30m\nFailover-Accept: A_B\n")
	f.Add("Title\n\nFailover-Approved: a/b\nFailover-Approved: b/c\n" + base)
	f.Add("Title\n \n" + base + "Failover-Expires: 2026-11-22T22:00:00.5+02:00\n\n")
	f.Fuzz(func(t *testing.T, message string) {
		c, err := ParseTrailers(message)
		if err != nil {
			return
		}
		if c.check() != nil {
			t.Fatalf("not whole: %+v", c)
		}
		if !printable(c.By.Name + c.Reason) {
			t.Fatalf("not printable: %+v", c)
		}
		again, err := ParseTrailers("Title\n\n" + c.Trailers())
		if err != nil {
			t.Fatalf("written again: %v\n%s", err, c.Trailers())
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Fatal(diff)
		}
		if _, err := exec.LookPath("git"); err == nil && !strings.ContainsRune(message, 0) { // where git's input ends
			sameAsGit(t, message, c)
		}
		if _, err := ParseTrailers(message + "\nOne more paragraph\n"); err == nil && strings.HasSuffix(message, "\n") {
			t.Fatal("a paragraph after the trailers changes nothing")
		}
	})
}

// gitTrailers is what git reads in a message.
func gitTrailers(t testing.TB, message string) string {
	t.Helper()
	cmd := exec.Command("git", "interpret-trailers", "--parse", "--no-divider")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent"}
	cmd.Dir = t.TempDir()
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git interpret-trailers: %v", err)
	}
	return string(out)
}

func needGit(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("git"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("git is needed in CI")
	}
	t.Skip("git is not installed")
}
