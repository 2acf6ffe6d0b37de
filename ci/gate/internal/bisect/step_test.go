package bisect

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestAKernelIsNamedWithItsVersionOnce(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"debian/bullseye":         "debian/bullseye (5.10.262-1)",
		"debian/bullseye:arm64":   "debian/bullseye:arm64 (5.10.262-1)",
		"debian/5.10.262":         "debian/5.10.262 (5.10.262-1)",
		"debian/5.10.262-1":       "debian/5.10.262-1",
		"debian/5.10.262-1:arm64": "debian/5.10.262-1:arm64",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			NewWithT(t).Expect(Step{Kernel: name, Version: "5.10.262-1"}.kernel()).To(Equal(want))
		})
	}
}
