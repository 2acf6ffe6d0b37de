package luggage

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	. "github.com/onsi/gomega"
)

// An elfFile is what a test has a file of the ELF say of itself.
type elfFile struct {
	machine             elf.Machine // this machine's if it is 0
	interpreter, soname string
	needed              []string
	rpath, runpath      string
	withoutStrings      bool
}

// encode lays the file out: headers, the interpreter, the dynamic section and its strings,
// all of them loaded at address 0.
func (f elfFile) encode() []byte {
	names := []byte{0}
	name := func(text string) uint64 {
		at := len(names)
		names = append(append(names, text...), 0)
		return uint64(at)
	}
	var dynamic []elf.Dyn64
	add := func(tag elf.DynTag, value uint64) { dynamic = append(dynamic, elf.Dyn64{Tag: int64(tag), Val: value}) }
	for _, needed := range f.needed {
		add(elf.DT_NEEDED, name(needed))
	}
	for tag, text := range map[elf.DynTag]string{elf.DT_SONAME: f.soname, elf.DT_RPATH: f.rpath, elf.DT_RUNPATH: f.runpath} {
		if text != "" {
			add(tag, name(text))
		}
	}
	const headers = 64 + 3*56
	interpreter := append([]byte(f.interpreter), 0)
	dynamicAt := uint64(headers + len(interpreter))
	dynamicSize := uint64(16 * (len(dynamic) + 2))
	stringsAt := dynamicAt + dynamicSize
	if f.withoutStrings {
		stringsAt = 1 << 40
	}
	add(elf.DT_STRTAB, stringsAt)
	add(elf.DT_NULL, 0)
	whole := dynamicAt + dynamicSize + uint64(len(names))

	machine := f.machine
	if machine == 0 {
		machine = map[string]elf.Machine{amd64: elf.EM_X86_64, arm64: elf.EM_AARCH64}[runtime.GOARCH]
	}
	header := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA], header.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	segments := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Filesz: whole, Memsz: whole},
		{Type: uint32(elf.PT_DYNAMIC), Off: dynamicAt, Vaddr: dynamicAt, Filesz: dynamicSize, Memsz: dynamicSize},
		{Type: uint32(elf.PT_NULL)},
	}
	if f.interpreter != "" {
		header.Phnum = 3
		segments[2] = elf.Prog64{Type: uint32(elf.PT_INTERP), Off: headers, Vaddr: headers, Filesz: uint64(len(interpreter))}
	}
	var file bytes.Buffer
	for _, part := range []any{header, segments, interpreter, dynamic, names} {
		_ = binary.Write(&file, binary.LittleEndian, part) // a buffer takes all
	}
	return file.Bytes()
}

func TestParseObject(t *testing.T) {
	file := elfFile{
		interpreter: "/lib/ld.so", soname: "libthis.so.1", needed: []string{"liba.so", "libb.so.2"}, rpath: "/opt/$ORIGIN", machine: elf.EM_AARCH64,
	}
	g := NewWithT(t)
	g.Expect(parseObject(bytes.NewReader(file.encode()))).To(Equal(&object{
		machine: elf.EM_AARCH64, arch: arm64, interpreter: "/lib/ld.so", soname: "libthis.so.1",
		needed: []string{"liba.so", "libb.so.2"}, rpath: []string{"/opt/$ORIGIN"},
	}))
	file.runpath = "/opt"
	o, err := parseObject(bytes.NewReader(file.encode()))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(o.rpath).To(BeNil(), "ld.so(8) ignores it")
	g.Expect(o.runpath).To(Equal([]string{"/opt"}))

	for _, text := range []string{"", "#!", "not of the ELF"} {
		o, err := parseObject(bytes.NewReader([]byte(text)))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(o).To(BeNil())
	}
	whole := file.encode()
	file.withoutStrings = true
	for _, c := range []struct {
		file []byte
		want string
	}{
		{whole[:30], "EOF"},
		{whole[:len(whole)-20], "a name "},
		{whole[:240], "EOF"},
		{file.encode(), "a name is outside of what is loaded"},
	} {
		_, err := parseObject(bytes.NewReader(c.file))
		g.Expect(err).To(MatchError(ContainSubstring(c.want)))
	}
}

// FuzzPack checks that whatever a program, a script, a library and ld.so.conf hold, what
// is packed is what is at the paths, or there is an error.
func FuzzPack(f *testing.F) {
	library := elfFile{soname: "libown.so", runpath: "$ORIGIN"}.encode()
	f.Add(elfFile{needed: []string{"libown.so"}, runpath: "$ORIGIN:/opt"}.encode(), library, []byte("/opt\ninclude *.conf # more\n"))
	f.Add(elfFile{needed: []string{"/opt/libown.so", "a/b"}, interpreter: "/opt/program"}.encode(), library[:100], []byte("include ld.so.conf"))
	f.Add([]byte("#!/opt/program -x\n"), library, []byte("/opt=libc6,/usr:relative"))
	f.Add([]byte("#!/usr/bin/env -S A=b sh"), library, []byte("include ["))
	f.Fuzz(func(t *testing.T, program, library, conf []byte) {
		if len(program)+len(library)+len(conf) > 1<<16 {
			return
		}
		g := NewWithT(t)
		tree := t.TempDir()
		write(t, filepath.Join(tree, "opt/program"), string(program))
		write(t, filepath.Join(tree, "opt/libown.so"), string(library))
		write(t, filepath.Join(tree, confPath), string(conf))
		l, err := pack(view{[]string{tree}}, []string{"/opt/program"})
		if err != nil {
			return
		}
		g.Expect(l.Paths()).To(ContainElements("/opt", "/opt/program"))
		for _, path := range l.Paths() {
			g.Expect(isOwn(path)).To(BeFalse(), path)
		}
		var archive bytes.Buffer
		g.Expect(l.Write(&archive)).To(Succeed())
		g.Expect(int64(archive.Len())).To(BeNumerically(">", l.Size()))
	})
}

// write makes a file, and the folders that it is in.
func write(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		tb.Fatal(err)
	}
}
