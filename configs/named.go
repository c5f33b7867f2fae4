package configs

import (
	"path/filepath"

	"github.com/hopgate/hopgate/policy"
)

// Named is something of the machine that the configuration names. Of what lies behind a name this package reads the files of
// references alone; whether the rest is there depends on the machine, and is for whoever runs there to say.
type Named struct {
	As   Use
	Path string // absolute; of a program also a bare name, which is looked for in PATH
	At   policy.Pos
}

// Use is what is done with something that is named.
type Use uint8

// Uses.
const (
	Program     Use = iota // is started
	Folder                 // is where a program is started
	Readable               // may be read by a program
	Writable               // may be changed by a program
	Certificate            // is shown to agents
	PrivateKey             // of the certificate
	SecretFile             // holds a value that nothing may show; it could be read
)

// named notes something that the configuration names, unless another place said so already.
func (c *compiler) named(as Use, path string, at policy.Pos) {
	n := Named{As: as, Path: path, At: at}
	if path == "" || at.Line == 0 || c.said[n] {
		return
	}
	c.said[n] = true
	c.file.Named = append(c.file.Named, n)
}

// secretFiles notes the files that a text which nothing may show has taken in.
func (d *decoder) secretFiles(paths []string, at policy.Pos) {
	for _, path := range paths {
		d.files = append(d.files, Named{As: SecretFile, Path: filepath.Clean(path), At: at})
	}
}
