package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
)

// socketsName is the file in the state directory that says in what folder its owner listens. Front-ends and operators are
// started with various environments, so that each of them would look in another place.
const socketsName = "sockets"

// Sockets of an owner.
const (
	socketAdmin = "admin" // for operators
	socketRelay = "relay" // for front-ends
	startName   = "start" // folder whose lock is the right to start an owner
)

// longestSocket is how many bytes the name of a socket may have on any system.
const longestSocket = 103

// sockets makes the folder for the sockets of a state directory. Its name is derived from the directory's, because names
// of sockets are short and those of directories need not be.
func (a *app) sockets(dir string) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	own, shared := hex.EncodeToString(sum[:8]), fmt.Sprintf("hopgate-%d", os.Getuid())
	session, _ := a.env("XDG_RUNTIME_DIR")
	for _, place := range [][2]string{{session, "hopgate"}, {os.TempDir(), shared}, {"/tmp", shared}} {
		// Some environments name one that is not there, or one too deep.
		info, err := os.Stat(place[0])
		if err != nil || !info.IsDir() || !filepath.IsAbs(place[0]) || len(filepath.Join(place[0], place[1], own, socketAdmin+".new")) > longestSocket {
			continue
		}
		return relay.Folder(place[0], place[1], own)
	}
	return "", errors.New("there is no place for sockets: XDG_RUNTIME_DIR and TMPDIR name no folders with short names, and there is no /tmp")
}

// publish makes the folder for our sockets and tells where it is. We own the state directory.
func (a *app) publish(dir string) error {
	folder, err := a.sockets(dir)
	if err != nil {
		return err
	}
	return replace(filepath.Join(dir, socketsName), []byte(folder+"\n"))
}

// socket is where the owner of a state directory, if there is one, listens.
func (a *app) socket(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, socketsName))
	folder := strings.TrimSuffix(string(text), "\n")
	if err != nil || !filepath.IsAbs(folder) {
		folder = dir // where no socket is
	}
	return filepath.Join(folder, name)
}
