package dataset_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestShapesMasks pins the masks and asks of them what their construction says.
func TestShapesMasks(t *testing.T) {
	const n, plane = 500, 32 * 32
	set, err := shapes(t).Test(n)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Masks) != n*plane || len(set.MaskClasses) != 11 || set.MaskClasses[0] != "background" || set.MaskClasses[1] != set.Classes[0] {
		t.Fatalf("%d bytes of masks in the classes %v", len(set.Masks), set.MaskClasses)
	}
	const want = "0dd874ed085e677fc6ff68bba284497ed851e0490d5da59c935eb97169274517"
	sum := sha256.Sum256(set.Masks)
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("masks of the first test pictures: SHA-256 %s, want %s", got, want)
	}
	var pixels [11]int
	seen := 0
	for i := range n {
		mask := set.Masks[i*plane:][:plane]
		for _, m := range mask {
			if int(m) >= len(set.MaskClasses) {
				t.Fatalf("picture %d holds class %d", i, m)
			}
			pixels[m]++
		}
		// The figure of the label is the largest thing, and little of it can be hidden.
		if bytes.Count(mask, []byte{1 + set.Labels[i]}) >= 40 {
			seen++
		}
	}
	if seen < n*99/100 {
		t.Errorf("of %d pictures %d show their figure", n, seen)
	}
	for class, count := range pixels {
		if share := float64(count) / (n * plane); class == 0 && (share < 0.5 || share > 0.85) || class > 0 && (share < 0.01 || share > 0.06) {
			t.Errorf("%s covers %.3f of the pictures", set.MaskClasses[class], share)
		}
	}
}

// TestShapesMasksFollow: parts of a set keep their pixels' classes.
func TestShapesMasksFollow(t *testing.T) {
	train, validation, err := shapes(t).Split(5, 12, 7)
	if err != nil {
		t.Fatal(err)
	}
	whole, _, err := shapes(t).Split(5, 40, 7)
	if err != nil {
		t.Fatal(err)
	}
	if len(validation.Masks) != 7*32*32 || !bytes.Equal(train.Masks, whole.Take(12).Masks) || bytes.Equal(train.Masks[:7*1024], validation.Masks) {
		t.Error("masks do not follow their pictures")
	}
}
