//go:build unix

package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
)

// folder is a directory with a short name.
func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "hgr") //nolint:usetesting // names of sockets are short; a test's own directory is too deep on some systems
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// accept takes one connection and answers it with w, or not at all where w is nil.
func accept(l net.Listener, w *relay.Welcome) (*relay.Hello, error) {
	raw, err := l.Accept()
	if err != nil {
		return nil, err
	}
	c, h, err := relay.Accept(raw, time.Now().Add(10*time.Second))
	if err != nil || w == nil {
		return h, errors.Join(err, raw.Close())
	}
	return h, errors.Join(c.Answer(w), c.Close())
}

func TestHandshakeCarriesBothGreetings(t *testing.T) {
	socket := filepath.Join(folder(t), "s")
	l, err := relay.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := &relay.Hello{
		Protocol: relay.Protocol, Order: relay.OrderServe, Version: "v1", Config: "/c.yaml", Again: true, Upstream: "up", Agent: "a", Dir: "/d", Key: "k",
	}
	got := make(chan *relay.Hello, 1)
	go func() {
		h, _ := accept(l, &relay.Welcome{Version: "v2", Code: 9, Words: "no\n"})
		got <- h
	}()
	c, w, err := relay.Dial(t.Context(), socket, sent)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff(sent, <-got); diff != "" {
		t.Error(diff)
	}
	want := &relay.Welcome{Protocol: relay.Protocol, Version: "v2", PID: os.Getpid(), Code: 9, Words: "no\n"}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Error(diff)
	}
}

func TestNobodyAnswers(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, socket string, giveUp func()){
		"no socket": func(*testing.T, string, func()) {},
		"a dead process's": func(t *testing.T, socket string, _ func()) {
			t.Helper()
			l, err := relay.Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		},
		"an owner that ends meanwhile": func(t *testing.T, socket string, _ func()) {
			t.Helper()
			l, err := relay.Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() { _, _ = accept(l, nil) }()
		},
		"an owner that is stuck": func(t *testing.T, socket string, giveUp func()) {
			t.Helper()
			l, err := relay.Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				if raw, err := l.Accept(); err == nil {
					_, _ = raw.Read(make([]byte, 1)) // the connection stays open, and nothing is said on it
					giveUp()
				}
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(folder(t), "s")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			prepare(t, socket, cancel)
			if _, _, err := relay.Dial(ctx, socket, &relay.Hello{}); !errors.Is(err, relay.ErrNobody) {
				t.Errorf("got %v, want %v", err, relay.ErrNobody)
			}
		})
	}
}

// TestNobodyIsAtANameThatIsTooLong: names of sockets have about a hundred bytes at most, those of state directories far more.
func TestNobodyIsAtANameThatIsTooLong(t *testing.T) {
	socket := filepath.Join(folder(t), strings.Repeat("x", 150), "s")
	if _, _, err := relay.Dial(t.Context(), socket, &relay.Hello{}); !errors.Is(err, relay.ErrNobody) {
		t.Errorf("got %v, want %v", err, relay.ErrNobody)
	}
}

func TestANewSocketReplacesThatOfADeadProcess(t *testing.T) {
	socket := filepath.Join(folder(t), "s")
	for range 2 {
		l, err := relay.Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(socket)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v, %v; want mode 0600", info, err)
		}
		l.Close() // which leaves the name, as a process does that is killed
	}
}

func TestHandshakesThatAreNone(t *testing.T) {
	for name, said := range map[string]string{
		"nothing": "", "no line": `{"hopgate":1}`, "no JSON": "hello\n", "no object": "[]\n", "too long": strings.Repeat("x", 65<<10) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(folder(t), "s")
			l, err := relay.Listen(socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			done := make(chan error, 1)
			go func() {
				_, err := accept(l, &relay.Welcome{})
				done <- err
			}()
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, said)
			c.Close()
			if err := <-done; err == nil || strings.Contains(err.Error(), "xxx") {
				t.Errorf("got %v, want an error without content", err)
			}
		})
	}
}

func TestFoldersForSockets(t *testing.T) {
	base := folder(t)
	got, err := relay.Folder(base, "hopgate", "abc")
	if want := filepath.Join(base, "hopgate", "abc"); got != want || err != nil {
		t.Fatalf("got %s, %v; want %s", got, err, want)
	}
	if info, err := os.Stat(got); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v; want mode 0700", info, err)
	}
	if again, err := relay.Folder(base, "hopgate", "abc"); again != got || err != nil {
		t.Errorf("the second time: %s, %v", again, err)
	}
	for name, spoil := range map[string]func(dir string) error{
		"others may look in": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o755)) },
		"a link":             func(dir string) error { return os.Symlink(base, dir) },
		"a file":             func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"another user's": func(dir string) error {
			if os.Getuid() != 0 {
				return os.ErrPermission
			}
			return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, nobody, nobody))
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := folder(t)
			if err := spoil(filepath.Join(base, "hopgate")); errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EINVAL) { // a user namespace may have one user
				t.Skip("only root can make one")
			} else if err != nil {
				t.Fatal(err)
			}
			if dir, err := relay.Folder(base, "hopgate", "abc"); err == nil {
				t.Errorf("got %s, want an error", dir)
			}
		})
	}
}

// A stranger is this program as another user: it dials, or it listens.
const (
	strangerVar = "HOPGATE_TEST_STRANGER"
	nobody      = 65534
)

func strange(mode string) int {
	what, socket, _ := strings.Cut(mode, " ")
	switch what {
	case "dial":
		c, w, err := relay.Dial(context.Background(), socket, &relay.Hello{Protocol: relay.Protocol})
		fmt.Println(c != nil, w != nil, err)
	case "listen":
		l, err := relay.Listen(socket)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_ = os.Chmod(socket, 0o777)
		fmt.Println("listening")
		raw, err := l.Accept()
		if err != nil {
			return 1
		}
		got, _ := io.ReadAll(raw)
		fmt.Printf("%d bytes\n", len(got))
	}
	return 0
}

func stranger(t *testing.T, mode, socket string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be two users")
	}
	// The program of the test lies where others cannot look.
	program := filepath.Join(filepath.Dir(socket), "stranger")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	// The mask of the process may keep others out as well.
	if err := errors.Join(os.WriteFile(program, data, 0o755), os.Chmod(program, 0o755), os.Chmod(filepath.Dir(socket), 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(program, nobody, nobody); errors.Is(err, syscall.EINVAL) {
		t.Skip("NOT TESTED: there is no second user in this user namespace")
	} else if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = []string{strangerVar + "=" + mode + " " + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

func TestAnotherUserIsTurnedAway(t *testing.T) {
	socket := filepath.Join(folder(t), "s")
	cmd := stranger(t, "dial", socket)
	l, err := relay.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(socket, 0o777); err != nil { // as if nothing else stood in the way
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err == nil {
			defer raw.Close()
			_, _, err = relay.Accept(raw, time.Now().Add(10*time.Second))
		}
		done <- err
	}()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	// The stranger does not trust us either: it leaves before it says anything.
	if got := string(out); got != "false false user 0 is at the other end, and not user 65534\n" {
		t.Errorf("the stranger gets %s", got)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "user 65534 is at the other end") {
		t.Errorf("got %v", err)
	}
}

func TestAnotherUsersOwnerIsNotTrusted(t *testing.T) {
	socket := filepath.Join(folder(t), "s")
	cmd := stranger(t, "listen", socket)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, len("listening\n"))
	if _, err := io.ReadFull(out, ready); err != nil {
		t.Fatal(err)
	}
	_, _, err = relay.Dial(t.Context(), socket, &relay.Hello{Key: "secret"})
	if err == nil || errors.Is(err, relay.ErrNobody) || !strings.Contains(err.Error(), "user 65534 is at the other end") {
		t.Errorf("got %v", err)
	}
	rest, _ := io.ReadAll(out)
	if string(rest) != "0 bytes\n" {
		t.Errorf("it gets %s", rest)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
