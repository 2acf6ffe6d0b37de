package debian

import (
	"bytes"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/finwait/finwait/harness/kernel"
)

const someSHA256 = "6f0b2361dee2520fca3bd073a2734bec00241d2cb5779d917edc862051d8f59c"

const somePackages = `Package: bash
Version: 5.1-2
Architecture: amd64
Description: mentions
 Package: linux-image-trap
Filename: pool/main/b/bash_5.1-2_amd64.deb
Size: 12
SHA256: ` + someSHA256 + `

Package: linux-image-cloud-amd64
Source: linux-signed-amd64 (7.2.13+1)
Version: 7.2.13-1
Architecture: amd64
Depends: linux-base-cloud-amd64 (= 7.2.13-1), linux-image-7.2.13+deb14-cloud-amd64 (= 7.2.13-1)
Description: Linux for x86-64 cloud
 (meta-package)
Filename: pool/main/l/linux-image-cloud-amd64_7.2.13-1_amd64.deb
Size: 1708
SHA256: ` + someSHA256 + `

Package: linux-image-cloud-arm64
Version: 7.2.13-1
Architecture: arm64

Package: linux-base
Version: 4.9
Architecture: all

Package: linux-base-7.2.13+deb14-cloud-amd64
Version: 7.2.13-1
Architecture: amd64
Filename: pool/main/l/linux-base-7.2.13+deb14-cloud-amd64_7.2.13-1_amd64.deb
Size: 417436
SHA256: ` + someSHA256 + "\n"

func TestPackages(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var extract bytes.Buffer
	g.Expect(extractKernels(&extract, strings.NewReader(somePackages))).To(Succeed())
	g.Expect(extract.String()).NotTo(ContainSubstring("bash"))
	g.Expect(extract.String()).NotTo(ContainSubstring("Package: linux-base\n"))

	packages, err := parsePackages(&extract, kernel.AMD64)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(packages).To(Equal([]pkg{{
		name:    "linux-image-cloud-amd64",
		version: "7.2.13-1",
		file:    "pool/main/l/linux-image-cloud-amd64_7.2.13-1_amd64.deb",
		digest:  digest{Size: 1708, SHA256: someSHA256},
		depends: []dependency{{"linux-image-7.2.13+deb14-cloud-amd64", "7.2.13-1"}},
	}, {
		name:    "linux-base-7.2.13+deb14-cloud-amd64",
		version: "7.2.13-1",
		file:    "pool/main/l/linux-base-7.2.13+deb14-cloud-amd64_7.2.13-1_amd64.deb",
		digest:  digest{Size: 417436, SHA256: someSHA256},
	}}))
}

func TestDamagedPackages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ line, instead, want string }{
		{"Size: 1708", "Size: -1", `linux-image-cloud-amd64 7.2.13-1: "-1" is no size`},
		{"Size: 1708\nSHA256: 6f", "Size: 1708\nSHA256: 6", `linux-image-cloud-amd64 7.2.13-1: "60b2361d`},
		{"Filename: pool/main/l", "File: pool/main/l", `package "linux-image-cloud-amd64", version "7.2.13-1", file ""`},
		{"Source: linux", "Source\n linux", `is no "Field: value": "Source"`},
	} {
		damaged := strings.Replace(somePackages, test.line, test.instead, 1)
		_, err := parsePackages(strings.NewReader(damaged), kernel.AMD64)
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(test.want)))
	}
}

func TestParseDepends(t *testing.T) {
	t.Parallel()
	NewWithT(t).Expect(parseDepends("kmod, linux-base (>= 4.3~), linux-image-a | linux-image-b, linux-image-c,\nlinux-binary-6.19 ( = 6.19-1 ), linux-modules-6.19:any (=6.19-1)")).
		To(Equal([]dependency{{"linux-image-c", ""}, {"linux-binary-6.19", "6.19-1"}, {"linux-modules-6.19", "6.19-1"}}))
}

func TestDependenciesAreOnExactVersions(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	ix := index{
		{name: "linux-modules-6.19", version: "6.19.1-1"},
		{name: "linux-modules-6.19", version: "6.19.2-1"},
		{name: "linux-image-6.19", version: "6.19.1-1", depends: []dependency{{"linux-modules-6.19", "6.19.1-1"}}},
		{name: "linux-image-6.19", version: "6.19.2-1", depends: []dependency{{"linux-modules-6.19", "6.19.2-1"}}},
		{name: "linux-image-cloud-amd64", version: "6.19.1-1", depends: []dependency{{"linux-image-6.19", "6.19.1-1"}}},
		{name: "linux-image-cloud-amd64", version: "6.19.2-1", depends: []dependency{{"linux-image-6.19", ""}}},
	}
	for i, version := range map[int]string{4: "6.19.1-1", 5: "6.19.2-1"} {
		parts, err := ix.parts(&ix[i])
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(parts).To(HaveLen(2))
		g.Expect(parts[0].name).To(Equal("linux-image-6.19"))
		g.Expect(parts[0].version).To(Equal(version))
		g.Expect(parts[1].version).To(Equal(version))
	}
}

// What is left out of an index does not change what is read from it.
func FuzzPackages(f *testing.F) {
	f.Add(somePackages)
	f.Add("Package: linux-image-1\nArchitecture: amd64\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		var extract bytes.Buffer
		if err := extractKernels(&extract, strings.NewReader(text)); err != nil {
			return
		}
		if extract.Len() > len(text) {
			t.Fatalf("%d bytes out of %d", extract.Len(), len(text))
		}
		all, err := parsePackages(strings.NewReader(text), kernel.AMD64)
		if err != nil {
			return
		}
		kernels, err := parsePackages(&extract, kernel.AMD64)
		if err != nil {
			t.Fatalf("cannot read what was kept: %v", err)
		}
		count := 0
		for _, p := range all {
			if kernelPackage.MatchString(p.name) {
				count++
			}
		}
		if len(kernels) > count {
			t.Errorf("%d of %d kernel packages kept", len(kernels), count)
		}
	})
}

func FuzzRelease(f *testing.F) {
	f.Add("Suite: stable\nCodename: trixie\nDate: Sat, 21 Nov 2026 02:10:46 UTC\nValid-Until: Sat, 28 Nov 2026 02:10:46 UTC\nSHA256:\n " + someSHA256 + " 12 main/binary-amd64/Packages.xz\n")
	f.Fuzz(func(t *testing.T, text string) {
		rel, err := parseRelease([]byte(text))
		if err != nil {
			return
		}
		for file, sum := range rel.Files {
			if len(sum.SHA256) != 64 || sum.Size < 0 {
				t.Errorf("%s: %+v", file, sum)
			}
		}
	})
}
