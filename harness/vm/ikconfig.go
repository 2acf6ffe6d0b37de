package vm

import (
	"bytes"
	"compress/gzip"
	"io"

	"github.com/finwait/finwait/harness/kernel"
)

// Configuration is the .config that a kernel carries (CONFIG_IKCONFIG; kernel/configs.c).
// It is empty where it carries none, or is packed in a way that takes long. The error
// says that the kernel could not be read.
func Configuration(image kernel.Image) (string, error) {
	file, err := Machine{Kernel: image}.openKernel()
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.NewSectionReader(file, 0, maxVmlinux))
	if err != nil {
		return "", err
	}
	return configurationIn(content), nil
}

// maxConfiguration bounds a .config, in octets. Debian's have 300 kB.
const maxConfiguration = 8 << 20

func configurationIn(kernel []byte) string {
	_, packed, found := bytes.Cut(kernel, []byte("IKCFG_ST"))
	if !found {
		return ""
	}
	text, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return ""
	}
	text.Multistream(false) // the rest of the kernel follows
	config, err := io.ReadAll(io.LimitReader(text, maxConfiguration))
	if err != nil {
		return ""
	}
	return string(config)
}
