package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/policy"
)

// warnMachine tells of what a configuration names and this machine does not have. Nothing is started, nobody is called, and
// nothing is changed.
func (a *app) warnMachine(file *configs.File) {
	var found policy.Complaints
	for i := range file.Named {
		n := &file.Named[i]
		if text, hint := missing(n); text != "" {
			found = append(found, policy.Complaint{At: n.At, Text: text, Hint: hint})
		}
	}
	for _, u := range file.Upstreams {
		if text, hint := unlike(u); text != "" {
			found = append(found, policy.Complaint{At: u.At, Text: text, Hint: hint})
		}
	}
	if t := file.Listen.MCP.TLS; t != nil && readable(t.Cert) == nil && readable(t.Key) == nil {
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			found = append(found, policy.Complaint{At: placeOf(file, configs.Certificate), Text: "the certificate and its key cannot be used", Hint: err.Error()})
		}
	}
	_ = file.Warn(configs.CodeMachine, found).Render(a.words, isTerminal(a.words)) // nobody to tell of a terminal that is gone
	a.warnState(file)
}

// placeOf is where a configuration names something of a kind for the first time.
func placeOf(file *configs.File, as configs.Use) (at policy.Pos) {
	for i := range file.Named {
		if file.Named[i].As == as {
			return file.Named[i].At
		}
	}
	return at
}

// missing says what is wrong with what a configuration names, and what to do; nothing where it is as it should be.
func missing(n *configs.Named) (text, hint string) {
	switch n.As {
	case configs.Program:
		return noProgram(n.Path)
	case configs.Folder:
		info, err := os.Stat(n.Path)
		switch {
		case err != nil:
			return fmt.Sprintf("the folder %q cannot be used: %s", n.Path, plain(err)), "the program is started there"
		case !info.IsDir():
			return fmt.Sprintf("%q is no folder", n.Path), "the program is started there"
		}
	case configs.Readable, configs.Certificate:
		if err := readable(n.Path); err != nil {
			return fmt.Sprintf("%q cannot be read: %s", n.Path, plain(err)), absent(err)
		}
	case configs.Writable:
		if err := mayWrite(n.Path); err != nil {
			return fmt.Sprintf("%q cannot be changed: %s", n.Path, plain(err)), absent(err)
		}
	case configs.PrivateKey, configs.SecretFile:
		if err := readable(n.Path); err != nil {
			return fmt.Sprintf("%q cannot be read: %s", n.Path, plain(err)), absent(err)
		}
		if mode, open := exposed(n.Path); open {
			return fmt.Sprintf("%q has mode %04o: every user of this machine may use the secret in it", n.Path, mode), "run: chmod o= " + n.Path
		}
	}
	return "", ""
}

// absent says what becomes of a configuration that names what is not there.
func absent(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "make it before the configuration is to come into force"
	}
	return "let the user that runs Hopgate use it"
}

// noProgram says why a program cannot be started. A bare name is looked for as it is when the program is started.
func noProgram(path string) (text, hint string) {
	_, err := exec.LookPath(path)
	switch bare := !strings.ContainsRune(path, filepath.Separator); {
	case err == nil:
		return "", ""
	case bare:
		return fmt.Sprintf("there is no program %q in PATH", path), "install it, or write its absolute path: the process that starts it may have another PATH than you"
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("there is no program %q", path), "install it, or correct the path"
	}
	return fmt.Sprintf("%q cannot be started: %s", path, plain(err)), "it must be a file that the user that runs Hopgate may execute"
}

// unlike says what else keeps the program of an upstream from being started as it is to be. Paths are missing's.
func unlike(u *configs.Upstream) (text, hint string) {
	if u.Sandbox != nil {
		rules := sandbox.Rules{Files: &sandbox.Files{Net: u.Sandbox.Net}}
		if err := rules.Check(); err != nil {
			return "sandbox: " + err.Error(), "remove it, or run this where it can be kept"
		}
	}
	if u.SHA256 == "" || len(u.Command) == 0 {
		return "", ""
	}
	path, err := exec.LookPath(u.Command[0])
	if err != nil {
		return "", ""
	}
	if sum, err := digestOf(path); err == nil && sum != u.SHA256 {
		return fmt.Sprintf("sha256: %q is another program, with the digest %s", path, sum), "find out why; where that is meant, write this digest"
	}
	return "", ""
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	return sandbox.Digest(f)
}

// warnState tells where no state can be kept as things are.
func (a *app) warnState(file *configs.File) {
	at, err := a.place(file)
	if err != nil {
		fmt.Fprintln(a.words, "hopgate: warning: no state can be kept:", err)
		return
	}
	if err := mayMake(at.dir); err != nil {
		fmt.Fprintf(a.words, "hopgate: warning: the state cannot be kept in %s: %s\n", at.dir, plain(err))
	} else if info, err := os.Stat(at.dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		fmt.Fprintf(a.words, "hopgate: warning: others may write to the state directory %s, so it will be refused; run: chmod 700 %s\n", at.dir, at.dir)
	}
	if err := mayMake(at.anchor); err != nil {
		fmt.Fprintf(a.words, "hopgate: warning: the anchor cannot be kept in %s: %s\n", at.anchor, plain(err))
	}
}

// mayMake reports why something cannot be made or changed, with the folders that it lies in.
func mayMake(path string) error {
	for {
		err := mayWrite(path)
		above := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || above == path {
			return err
		}
		path = above
	}
}

// readable reports why a file or folder cannot be read.
func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// exposed reports the mode of a file, and whether users may read it that are neither its owner nor of its group.
func exposed(path string) (mode fs.FileMode, open bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	return info.Mode().Perm(), info.Mode().Perm()&0o004 != 0
}

// plain is an error of the file system without the path.
func plain(err error) string {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		err = of.Err
	} else if of, ok := errors.AsType[*exec.Error](err); ok {
		err = of.Err
	}
	return err.Error()
}
