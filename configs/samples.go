package configs

import (
	"embed"
	"io/fs"
)

//go:embed samples/*.yaml
var samples embed.FS

// Samples holds complete configurations to start from, by file name.
func Samples() fs.FS {
	sub, err := fs.Sub(samples, "samples")
	if err != nil {
		panic("configs: the samples are embedded under a constant name: " + err.Error())
	}
	return sub
}
