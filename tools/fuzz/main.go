// Command fuzz runs every fuzz target of the project for a while, one after another, and stops at the first failure.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	dir := flag.String("dir", ".", "root of the module")
	each := flag.String("time", "10s", "time for each target")
	flag.Parse()
	if err := run(*dir, *each); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

var target = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

func run(dir, each string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "tools") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllSubmatch(src, -1) {
			if err := fuzz(filepath.Dir(path), string(m[1]), each); err != nil {
				return err
			}
		}
		return nil
	})
}

func fuzz(pkg, name, each string) error {
	fmt.Println("fuzz", pkg, name)
	cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+name+"$", "-fuzztime", each, ".")
	cmd.Dir = pkg
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", name, pkg, err, out.Bytes())
	}
	return nil
}
