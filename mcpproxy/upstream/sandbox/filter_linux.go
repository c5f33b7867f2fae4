package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidden are the system calls that lead out of what files and network are confined to, or that no server of tools
// needs and that kernels have been broken by.
var forbidden = []uint32{
	// other processes
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PERF_EVENT_OPEN,
	// other views of files
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_FSOPEN,
	unix.SYS_FSMOUNT, unix.SYS_FSCONFIG, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_FANOTIFY_INIT,
	// system calls by other ways: a ring's work is filtered by none
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	// the kernel and its keys
	unix.SYS_BPF, unix.SYS_USERFAULTFD, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE,
	unix.SYS_DELETE_MODULE, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_REBOOT, unix.SYS_SYSLOG, unix.SYS_ACCT,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_QUOTACTL, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
}

// Offsets in the data that a filter sees (linux/seccomp.h).
const (
	atNumber = 0
	atArch   = 4
	atArg    = 16 // low half of the zeroth argument, on the little-endian machines that are served
)

// Answers of a filter.
const (
	pass    = unix.SECCOMP_RET_ALLOW
	deny    = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	missing = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS) // libraries then take the older call
	noNet   = unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)
)

// namespaces are the flags of clone(2) that make a new view of the system.
const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// x32 is the bit of the numbers of a second set of calls on amd64, which a list of numbers would miss.
const x32 = 0x40000000

// arches are the machines that are served, as linux/audit.h has them.
var arches = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filter is the program that judges each system call.
func filter(net bool) ([]unix.SockFilter, error) {
	arch, ok := arches[runtime.GOARCH]
	if !ok {
		return nil, errors.New("programs cannot be confined on " + runtime.GOARCH)
	}
	p := []unix.SockFilter{
		load(atArch), unless(arch), answer(unix.SECCOMP_RET_KILL_PROCESS),
		load(atNumber),
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: x32, Jt: 0, Jf: 1},
		answer(deny),
	}
	for _, nr := range forbidden {
		p = append(p, when(nr), answer(deny))
	}
	p = append(p, when(unix.SYS_CLONE3), answer(missing)) // its flags lie in memory, where a filter does not see
	p = append(p,
		unlessNumber(unix.SYS_CLONE, 4), load(atArg),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: namespaces, Jt: 0, Jf: 1}, answer(deny), answer(pass),
	)
	if !net {
		p = append(p, when(unix.SYS_SOCKET), answer(noNet))
	} else {
		p = append(p, unlessNumber(unix.SYS_SOCKET, 8), load(atArg),
			when(unix.AF_INET), answer(pass), when(unix.AF_INET6), answer(pass), when(unix.AF_NETLINK), answer(pass), answer(noNet))
	}
	return append(p, answer(pass)), nil
}

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

func answer(a uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: a} }

// when lets the next instruction be only where the loaded value is this.
func when(v uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jt: 0, Jf: 1}
}

// unless lets the next instruction be only where the loaded value is another.
func unless(v uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jt: 1, Jf: 0}
}

// unlessNumber leaves out so many instructions where the loaded value is another.
func unlessNumber(v uint32, leaveOut uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: v, Jt: 0, Jf: leaveOut}
}

// filter puts the filter over this thread and what it becomes.
func (f *Files) filter() error {
	p, err := filter(f.Net)
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("filtering system calls: %w", errno)
	}
	return nil
}
