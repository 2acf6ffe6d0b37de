//go:build embedded

package programs

import (
	"embed"
	"io/fs"
)

// What gate pack has left here; see `make release`.
//
//go:embed packed
var embedded embed.FS

func init() {
	release, err := fs.Sub(embedded, "packed")
	if err != nil {
		panic(err) // the name is the one above
	}
	packed = release
}
