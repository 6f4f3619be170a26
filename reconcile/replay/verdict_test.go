package replay

import "testing"

// TestVerdictOfARow: what keeps a row from being written, the strongest reason first.
func TestVerdictOfARow(t *testing.T) {
	tainted := Taints{}
	tainted.Add(7, "its schema changed")
	tainted.Add(7, "a second reason")
	whole := Taints{Channel: "the log was cut"}
	for _, c := range []struct {
		name   string
		taints Taints
		rows   Rows
		fate   Fate
		want   Verdict
	}{
		{"nothing", Taints{}, Rows{Collection: 1}, ToWrite, Verdict{Fate: ToWrite}},
		{"the channel", whole, Rows{Collection: 7, AutoID: true}, There, Verdict{There, "the log was cut"}},
		{"the collection", tainted, Rows{Collection: 7, NoPartition: true}, ToWrite, Verdict{ToWrite, "its schema changed"}},
		{"another collection", tainted, Rows{Collection: 8}, ToWrite, Verdict{Fate: ToWrite}},
		{"a key that the server gives", Taints{}, Rows{AutoID: true}, ToWrite, Verdict{ToWrite, WhyAutoID}},
		{"its delete", Taints{}, Rows{AutoID: true, Delete: true}, ToWrite, Verdict{Fate: ToWrite}},
		// Where the server gives the keys, an upsert deletes one key and inserts
		// another. Its delete alone would lose the row.
		{"half of an upsert", Taints{}, Rows{AutoID: true, Delete: true, InTransaction: true}, ToWrite, Verdict{ToWrite, WhyAutoIDUpsert}},
		{"no partition", Taints{}, Rows{NoPartition: true}, There, Verdict{There, WhyPartition}},
		{"several partitions", Taints{}, Rows{}, Divided, Verdict{Divided, WhyDivided}},
		{"its time is over", Taints{}, Rows{Expired: true}, ToWrite, Verdict{Expired, WhyExpired}},
		{"it is there, and its time is over", Taints{}, Rows{Expired: true}, There, Verdict{Fate: There}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.taints.Verdict(c.rows, c.fate); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestTheClockChangesNoDigest: a row that was written, held back or expired meanwhile stays
// in the digest that people approved. What is never written is not in it.
func TestTheClockChangesNoDigest(t *testing.T) {
	sum := func(v Verdict) string {
		d := NewChannelDigest()
		d.Add(Write{Key: Mark{1}}, v, Mark{9})
		return d.String()
	}
	want, empty := sum(Verdict{Fate: ToWrite}), NewChannelDigest().String()
	for _, v := range []Verdict{{Fate: There}, {Fate: HeldBack}, {Expired, WhyExpired}} {
		if sum(v) != want {
			t.Errorf("%+v changes the digest", v)
		}
	}
	for _, v := range []Verdict{{Fate: Replaced}, {Fate: UpsertsOwn}, {ToWrite, WhyAutoID}, {Divided, WhyDivided}} {
		if sum(v) != empty {
			t.Errorf("%+v is in the digest", v)
		}
	}
}

// TestOnlyWhatLacksIsExported: a row that is there, or that a later lost write replaces, has
// no reason.
func TestOnlyWhatLacksIsExported(t *testing.T) {
	for v, want := range map[Verdict]string{
		{Fate: ToWrite}: "", {Fate: There}: "", {Fate: Replaced}: "", {Fate: HeldBack}: WhyNewer,
		{HeldBack, WhyAutoID}: WhyAutoID, {Expired, WhyExpired}: WhyExpired,
	} {
		if got := v.NotReplayed(); got != want {
			t.Errorf("%+v: %q, want %q", v, got, want)
		}
	}
}
