package configs

import (
	"fmt"
	"regexp"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Sandbox is what the program of a server may reach, beside what programs need to start.
type Sandbox struct {
	Read  []string // absolute paths
	Write []string // absolute paths
	Net   bool
}

// Rlimits bound the program of a server, each of its processes by itself. Zero is no limit.
type Rlimits struct {
	Memory    uint64 // bytes
	Files     uint64
	Processes uint64 // of the user, in all
	CPU       time.Duration
	Size      uint64 // bytes of a file that is written
}

// sandbox is what a server that is started may reach.
type sandbox struct {
	At    policy.Pos
	Read  []text  `yaml:"read" doc:"Files and directories that the server may read and run, relative to this file."`
	Write []text  `yaml:"write" doc:"Files and directories that the server may read and change, relative to this file."`
	Net   network `yaml:"net" doc:"Network of the server: none or all. Default none."`
}

// network is how much of the network a server may reach.
type network string

const networkAll network = "all"

func (network) SchemaEnum() []string { return []string{"none", string(networkAll)} }

// rlimits are limits of the system for a server that is started.
type rlimits struct {
	Memory    *size     `yaml:"memory" doc:"Private memory of a process, at least 16MiB."`
	Files     *count    `yaml:"files" doc:"Open files of a process, 16 to 1000000."`
	Processes *count    `yaml:"processes" doc:"Processes and threads of the user that runs Hopgate, in all, 16 to 1000000. A superuser is not bound by it."`
	CPU       *duration `yaml:"cpu" doc:"Time that a process may compute, at least 1s. Then it is killed."`
	Size      *size     `yaml:"size" doc:"Size of a file that is written, at least 4KiB."`
}

// digest is the SHA-256 of a program.
type digest string

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (d *digest) UnmarshalText(b []byte) error {
	if !digestForm.Match(b) {
		return hinted{fmt.Sprintf("%q is not a SHA-256", b), "write the 64 lower-case digits that sha256sum PROGRAM prints"}
	}
	*d = digest(b)
	return nil
}

func (digest) SchemaPattern() string { return digestForm.String() }

// contain compiles what a server that is started may do to the machine.
func (c *compiler) contain(path string, u *upstream, out *Upstream) {
	out.SHA256 = string(u.SHA256)
	if s := u.Sandbox; s != nil {
		out.Sandbox = &Sandbox{Net: s.Net == networkAll, Read: c.paths(path+".sandbox.read", Readable, s.Read), Write: c.paths(path+".sandbox.write", Writable, s.Write)}
	}
	l := &u.Rlimits
	for _, x := range []struct {
		key   string
		given *size
		to    *uint64
		least int
	}{{"memory", l.Memory, &out.Rlimits.Memory, 16 << 20}, {"size", l.Size, &out.Rlimits.Size, 4 << 10}} {
		if x.given == nil {
			continue
		}
		if x.given.Bytes < x.least {
			c.report.fail(CodeValue, x.given.At, path+".rlimits."+x.key, "the limit is too low for a program to start", fmt.Sprintf("write at least %d", x.least))
		}
		*x.to = uint64(x.given.Bytes)
	}
	for _, x := range []struct {
		key   string
		given *count
		to    *uint64
	}{{"files", l.Files, &out.Rlimits.Files}, {"processes", l.Processes, &out.Rlimits.Processes}} {
		if x.given == nil {
			continue
		}
		if x.given.N < 16 || x.given.N > 1_000_000 {
			c.report.fail(CodeValue, x.given.At, path+".rlimits."+x.key, "the limit is not from 16 to 1000000", "")
		}
		*x.to = uint64(x.given.N)
	}
	if l.CPU != nil {
		if l.CPU.Duration < time.Second {
			c.report.fail(CodeValue, l.CPU.At, path+".rlimits.cpu", "the limit is below a second", "write at least 1s")
		}
		out.Rlimits.CPU = l.CPU.Duration
	}
}

func (c *compiler) paths(path string, as Use, given []text) []string {
	var out []string
	for i, t := range given {
		at := fmt.Sprintf("%s[%d]", path, i)
		if t.Text == "" {
			c.report.fail(CodeValue, t.At, at, "the path is empty", "")
			continue
		}
		out = append(out, c.relative(at, t))
		c.named(as, out[len(out)-1], t.At)
	}
	return out
}
