package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	memory    = unix.RLIMIT_DATA // what is mapped and cannot be written, of which runtimes reserve much, does not count
	processes = unix.RLIMIT_NPROC
)

func ourselves() (string, error) { return "/proc/self/exe", nil } // also where the file was replaced since

// opened is a name for an open file.
func opened(fd int, _ string) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// leastABI is the first version of Landlock that knows truncation (Linux 6.2): before, files could be emptied that may
// not be written.
const leastABI = 3

// abi is the version of Landlock here; 0 is none.
func abi() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// Check reports whether the rules can be kept on this machine.
func (r *Rules) Check() error {
	if r.Files == nil {
		return nil
	}
	if v := abi(); v < leastABI {
		return fmt.Errorf("this kernel cannot confine a program to files: it has version %d of Landlock, and %d is needed (Linux 6.2)", v, leastABI)
	}
	if _, err := filter(r.Files.Net); err != nil {
		return err
	}
	for _, p := range append(r.Files.Read, r.Files.Write...) {
		if _, err := os.Stat(p); err != nil {
			return fmt.Errorf("confining a program to files: %w", err)
		}
	}
	return nil
}

// Rights of Landlock.
const (
	readFile  = unix.LANDLOCK_ACCESS_FS_READ_FILE
	readDir   = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	execute   = unix.LANDLOCK_ACCESS_FS_EXECUTE
	writeFile = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	writeDir  = writeFile | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_REFER
	never   = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK
	ofFiles = readFile | execute | writeFile // of those, the ones that a file can have
)

// system is what programs need to start, to find names and to check certificates. Nothing in it is of one user.
var system = map[uint64][]string{
	readDir | execute: {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"},
	readDir: {
		"/etc/alternatives", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/fonts", "/etc/gai.conf", "/etc/group", "/etc/host.conf",
		"/etc/hostname", "/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/mime.types",
		"/etc/nsswitch.conf", "/etc/os-release", "/etc/passwd", "/etc/pki", "/etc/protocols", "/etc/resolv.conf", "/etc/services",
		"/etc/ssl", "/etc/timezone", "/run/systemd/resolve", "/sys/devices/system/cpu", "/sys/fs/cgroup",
		"/proc", // of other programs only what everybody sees: Landlock keeps the rest, as from a debugger
		"/dev/random", "/dev/urandom",
	},
	readFile | writeFile: {"/dev/full", "/dev/null", "/dev/zero"},
}

// confine takes from this thread all files but those that are granted, most of the network, and the ways around both.
func (f *Files) confine(program string) error {
	if err := renounce(); err != nil {
		return err
	}
	rules, err := newRuleset()
	if err != nil {
		return err
	}
	for rights, paths := range system {
		for _, p := range paths {
			if err := rules.grant(p, rights); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	granted := rules.grant(program, readFile|execute)
	for _, p := range f.Read {
		granted = errors.Join(granted, rules.grant(p, readDir|execute))
	}
	for _, p := range f.Write {
		granted = errors.Join(granted, rules.grant(p, readDir|writeDir))
	}
	if granted != nil {
		return granted
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules), 0, 0); errno != 0 {
		return fmt.Errorf("confining to files: %w", errno)
	}
	_ = unix.Close(int(rules)) // its work is done
	return f.filter()
}

// ruleset is the number of an open set of rules of Landlock.
type ruleset int

func newRuleset() (ruleset, error) {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: readDir | execute | writeDir | never}
	if v := abi(); v >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0) // zeros that a kernel does not know are no offence
	if errno != 0 {
		return 0, fmt.Errorf("making rules for files: %w", errno)
	}
	return ruleset(fd), nil
}

// grant allows rights on a file, or on a directory and all below it.
func (r ruleset) grant(path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("granting %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return fmt.Errorf("granting %s: %w", path, err)
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofFiles
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&attr)), 0, 0, 0); errno != 0 {
		return fmt.Errorf("granting %s: %w", path, errno)
	}
	return nil
}
