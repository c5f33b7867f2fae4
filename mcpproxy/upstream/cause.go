package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

var (
	errStart     = errors.New("starting the child")
	errHandshake = errors.New("the handshake of TLS failed")
)

// endError says that a child has ended, and how.
type endError struct {
	State string // how, as the system has it: "exit status 3", "signal: killed"; empty where it is not known yet
}

func (e *endError) Error() string {
	if e.State == "" {
		return errChildEnded.Error()
	}
	return errChildEnded.Error() + ": " + e.State
}

// Unwrap returns that the child has ended.
func (e *endError) Unwrap() error { return errChildEnded }

// Cause says in a few words why an error of this package came about, for the record and for operators. The words are
// from a fixed list and hold no address, path, argument or text of the server, which the error itself may. They are empty
// where the error says nothing about the server: the caller has given up, or there was nothing to send to.
func Cause(err error) string {
	if errors.Is(err, context.Canceled) {
		return ""
	}
	for _, say := range []func(error) string{ofChild, ofHTTP, ofTLS, ofAddress, ofNetwork} {
		if text := say(err); text != "" {
			return text
		}
	}
	switch {
	case errors.Is(err, ErrProtocol):
		return "broke the protocol"
	case errors.Is(err, ErrSessionEnded):
		return "the session or the program ended"
	}
	return ""
}

// ofChild is of a server that is started.
func ofChild(err error) string {
	var ended *endError
	var backoff *BackoffError
	switch {
	case errors.As(err, &backoff):
		return "not started again yet" + behind(backoff.Last)
	case errors.As(err, &ended):
		return "the program ended" + behind(ended.State)
	case errors.Is(err, errNotRead):
		return "does not read its input"
	case !errors.Is(err, errStart):
		return ""
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "no such program or directory"
	case errors.Is(err, fs.ErrPermission):
		return "not permitted to start the program"
	}
	return "the program could not be started"
}

func behind(state string) string {
	if state == "" {
		return ""
	}
	return ": " + state
}

// ofHTTP is of what a server says by means of its transport.
func ofHTTP(err error) string {
	var status *StatusError
	var broken violation
	var fault *wire.Fault
	switch {
	case errors.As(err, &status):
		return fmt.Sprintf("HTTP status %d", status.Code)
	case errors.As(err, &broken):
		return "broke the protocol: " + string(broken)
	case errors.As(err, &fault):
		return "broke the protocol: " + fault.Problem.Text
	}
	return ""
}

func ofTLS(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		switch {
		case errors.As(err, new(x509.HostnameError)):
			return "TLS: the certificate is another host's"
		case errors.As(err, new(x509.UnknownAuthorityError)):
			return "TLS: the certificate is of an unknown authority"
		}
		return "TLS: the certificate is not valid"
	}
	switch {
	case errors.As(err, new(tls.RecordHeaderError)):
		return "TLS: the server does not speak it"
	case errors.Is(err, errHandshake) && !late(err), errors.As(err, new(tls.AlertError)):
		return "TLS: the handshake failed"
	}
	return ""
}

// ofAddress is of the way to a host.
func ofAddress(err error) string {
	if errors.Is(err, ErrAddress) {
		return "the address is not in networks"
	}
	if name, ok := errors.AsType[*net.DNSError](err); ok {
		if name.IsNotFound {
			return "DNS: no such host"
		}
		return "DNS: no answer"
	}
	return ""
}

func ofNetwork(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to the host"
	case late(err):
		return "timed out"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "connection broke off"
	}
	return ""
}

func late(err error) bool {
	var slow net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
}
