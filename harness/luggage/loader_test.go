package luggage

import (
	"debug/elf"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// foreign is a machine that this one is not.
const foreign = elf.EM_RISCV

// Where a library is looked for, and in which order.
func TestLibraries(t *testing.T) {
	lib := func(needed ...string) elfFile { return elfFile{needed: needed} }
	for name, c := range map[string]struct {
		files map[string]elfFile
		conf  string
		bring []string // /opt/program if there is none
		want  []string // and no other of the files
		fails string
	}{
		"RUNPATH": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{"libt1.so"}, runpath: "/nowhere:${ORIGIN}/lib"}, "/opt/lib/libt1.so": lib(), "/usr/lib/libt1.so": lib(),
			},
			want: []string{"/opt/program", "/opt/lib/libt1.so"},
		},
		"RUNPATH is not for libraries of libraries": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{"libt1.so"}, runpath: "$ORIGIN"}, "/opt/libt1.so": lib("libt2.so"), "/opt/libt2.so": lib(),
			},
			fails: "the shared library libt2.so, which /opt/libt1.so needs, is not in /lib",
		},
		"but a library is loaded once": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{"libt1.so", "libt2.so"}, runpath: "$ORIGIN"}, "/opt/libt1.so": lib("libt2.so"), "/opt/libt2.so": lib(),
			},
			want: []string{"/opt/program", "/opt/libt1.so", "/opt/libt2.so"},
		},
		"or is by its own name": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{"libt1.so", "libt2.so"}, runpath: "$ORIGIN"}, "/opt/libt1.so": lib("libt2.so.7"), "/opt/libt2.so": {soname: "libt2.so.7"},
			},
			want: []string{"/opt/program", "/opt/libt1.so", "/opt/libt2.so"},
		},
		"RPATH is for them": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{"libt1.so"}, rpath: "$ORIGIN"}, "/opt/libt1.so": lib("libt2.so"), "/opt/libt2.so": lib(),
			},
			want: []string{"/opt/program", "/opt/libt1.so", "/opt/libt2.so"},
		},
		"ld.so.conf, before the usual folders": {
			files: map[string]elfFile{"/opt/program": lib("libt1.so"), "/opt/odd/libt1.so": lib(), "/usr/lib/libt1.so": lib()},
			conf:  "/opt/odd",
			want:  []string{"/opt/program", "/opt/odd/libt1.so", "/etc/ld.so.cache"},
		},
		"a usual folder, and one for another machine is passed": {
			files: map[string]elfFile{"/opt/program": lib("libt1.so"), "/opt/odd/libt1.so": {machine: foreign}, "/usr/lib/libt1.so": lib()},
			conf:  "/opt/odd",
			want:  []string{"/opt/program", "/usr/lib/libt1.so", "/etc/ld.so.cache"},
		},
		"a path": {
			files: map[string]elfFile{"/opt/program": lib("/luggage/libt1.so"), "/luggage/libt1.so": lib()},
			want:  []string{"/opt/program", "/luggage/libt1.so"},
		},
		"a path that depends on the working folder": {
			files: map[string]elfFile{"/opt/program": lib("luggage/libt1.so"), "/luggage/libt1.so": lib()},
			fails: "the shared library luggage/libt1.so, which /opt/program needs, is not at that path of ",
		},
		"a module in a folder": {
			files: map[string]elfFile{"/opt/own-modules/one.so": {needed: []string{"libt1.so"}, runpath: "$ORIGIN/.."}, "/opt/libt1.so": lib()},
			bring: []string{"/opt/own-modules"},
			want:  []string{"/opt/own-modules/one.so", "/opt/libt1.so"},
		},
		"a module that needs what its program has loaded": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{"libt1.so"}, runpath: "$ORIGIN"}, "/opt/libt1.so": lib(), "/luggage/one.so": lib("libt1.so", "two.so"), "/luggage/two.so": lib(),
			},
			bring: []string{"/luggage", "/opt/program"},
			want:  []string{"/opt/program", "/opt/libt1.so", "/luggage/one.so", "/luggage/two.so"},
		},
		"a module for another machine": {
			files: map[string]elfFile{"/opt/program": lib(), "/luggage/one.so": {machine: foreign, needed: []string{"libt1.so"}}},
			bring: []string{"/opt/program", "/luggage"},
			want:  []string{"/opt/program", "/luggage/one.so"},
		},
		"a program for another machine": {
			files: map[string]elfFile{"/opt/program": {machine: foreign}},
			fails: "opt/program is for EM_RISCV, and guests are for amd64 and arm64 only",
		},
		"programs for two machines": {
			files: map[string]elfFile{"/opt/a": {machine: elf.EM_X86_64}, "/opt/b": {machine: elf.EM_AARCH64}},
			bring: []string{"/opt/a", "/opt/b"},
			fails: "pack /opt/b: ",
		},
		"what glibc loads unannounced": {
			files: map[string]elfFile{
				"/opt/program": {needed: []string{libc}, runpath: "$ORIGIN"}, "/opt/libc.so.6": {soname: libc}, "/opt/libnss_dns.so.2": lib(),
			},
			want: []string{"/opt/program", "/opt/libc.so.6", "/opt/libnss_dns.so.2", "/etc/ld.so.cache"},
		},
		"no interpreter": {
			files: map[string]elfFile{"/opt/program": {interpreter: "/lib/ld-none.so.1"}},
			fails: "/ld-none.so.1: file does not exist in ",
		},
		"an interpreter that the guest cannot have": {
			files: map[string]elfFile{"/opt/program": {interpreter: "/finwait/ld.so"}, "/finwait/ld.so": lib()},
			fails: "the guest has its own /finwait, which nothing can be brought to",
		},
		"all that is missing": {
			files: map[string]elfFile{"/opt/program": lib("libt1.so", "libt2.so")},
			fails: "\nthe shared library libt2.so, which /opt/program needs, is not in ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			tree := t.TempDir()
			for path, file := range c.files {
				write(t, filepath.Join(tree, path), string(file.encode()))
			}
			write(t, filepath.Join(tree, confPath), c.conf)
			if c.bring == nil {
				c.bring = []string{"/opt/program"}
			}
			l, err := Pack([]string{tree}, c.bring)
			if c.fails != "" {
				g.Expect(err).To(MatchError(And(ContainSubstring(c.fails), HavePrefix("pack "))))
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			var packed []string
			for path := range c.files {
				if _, ok := l.entries[path]; ok {
					packed = append(packed, path)
				}
			}
			if _, ok := l.entries[cachePath]; ok {
				packed = append(packed, cachePath)
			}
			g.Expect(packed).To(ConsistOf(c.want))
		})
	}
}

func TestConf(t *testing.T) {
	g := NewWithT(t)
	tree := t.TempDir()
	write(t, filepath.Join(tree, confPath), "/first # a remark\ninclude ld.so.conf.d/*.conf /no/such/folder/*\n\n/last/\t/of:/all=libc6\nrelative\nhwcap 1 nosegneg\n")
	write(t, filepath.Join(tree, "etc/ld.so.conf.d/b.conf"), "/b")
	write(t, filepath.Join(tree, "etc/ld.so.conf.d/a.conf"), "/a\ninclude /etc/ld.so.conf")
	write(t, filepath.Join(tree, "etc/ld.so.conf.d/c"), "/c")
	g.Expect(readConf(view{[]string{tree}})).To(Equal([]string{"/first", "/a", "/b", "/last", "/of", "/all"}))

	g.Expect(os.WriteFile(filepath.Join(tree, confPath), make([]byte, maxConf+1), 0o644)).To(Succeed())
	_, err := readConf(view{[]string{tree}})
	g.Expect(err).To(MatchError(ContainSubstring("read /etc/ld.so.conf: it has more than 1048576 octets")))
}

func TestFolders(t *testing.T) {
	NewWithT(t).Expect(folders([]string{"/a:$ORIGIN/../b:.::/c/$LIB", "${ORIGIN}"}, "/opt/bin/program")).
		To(Equal([]string{"/a", "/opt/bin/../b", "/opt/bin"}))
}
