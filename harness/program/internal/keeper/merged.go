package keeper

import (
	"os"
	"path"
)

// aside are folders of trees that have their places below /usr, by their names: where
// the machine has /lib as a link to usr/lib, a package unpacked on it puts what it
// has in /lib there, too, instead of replacing the link (Debian's UsrMerge).
type aside map[string][]string

// putAside finds those folders.
func putAside(layers []string) aside {
	found := aside{}
	for _, name := range []string{"bin", "lib", "lib32", "lib64", "libx32", "sbin"} {
		if to, err := os.Readlink(path.Join(machine, name)); err != nil || path.Join("/", to) != "/usr/"+name {
			continue
		}
		for _, layer := range layers {
			folder := path.Join(layer, name)
			if info, err := os.Lstat(folder); err == nil && info.IsDir() {
				found[name] = append(found[name], folder)
			}
		}
	}
	return found
}

// concerns reports whether a place has to be made entry by entry because of them.
func (a aside) concerns(place string) bool {
	return len(a) > 0 && (place == "/" || place == "/usr")
}

// entry is what there is for an entry of a folder, the first on top.
func (a aside) entry(place string, layers []string, name string) []string {
	folders := a[name]
	switch {
	case len(folders) > 0 && place == "/":
		return []string{path.Join(machine, name)}
	case len(folders) > 0 && place == "/usr":
		return append(folders[:len(folders):len(folders)], descend(layers, name)...)
	}
	return descend(layers, name)
}
