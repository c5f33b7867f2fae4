package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Errors of this package. They differ in what a caller may conclude about the message that it sent.
var (
	// ErrInvalid says that the message cannot be sent on this Link at all. Nothing was sent.
	ErrInvalid = errors.New("message cannot be sent here")
	// ErrUnavailable says that the server has not got the message, or not all of it; it may be sent again.
	ErrUnavailable = errors.New("upstream is not available")
	// ErrUnreachable says of an ErrUnavailable that no connection could be made.
	ErrUnreachable = errors.New("no connection could be made")
	// ErrCredential says of an ErrUnavailable that there is no token to call with.
	ErrCredential = errors.New("there is no credential for the upstream")
	// ErrSessionEnded says that the session or the child is gone. Another Link is needed.
	ErrSessionEnded = errors.New("upstream session has ended")
	// ErrUnknownOutcome says that the message was sent and no answer came. It may have been acted upon.
	ErrUnknownOutcome = errors.New("upstream gave no answer")
	// ErrProtocol says that something came back that is no answer. The message may have been acted upon.
	ErrProtocol = errors.New("upstream broke the protocol")
	// ErrTooLarge says of an ErrProtocol that a message was larger than Limits.Frame.
	ErrTooLarge = errors.New("a message is larger than the limit")
	// ErrNoRoom says that a message was sent, and that there is no room for the answer. It may have been acted upon.
	ErrNoRoom = errors.New("no room for the answer")
	// ErrNoListen says that the server has nothing to say but answers (HTTP status 405 to GET).
	ErrNoListen = errors.New("upstream has no stream to listen to")
)

// StatusError is an HTTP status that came without an answer. It is an ErrUnknownOutcome from 400 on, and an ErrProtocol
// below: redirects are not followed, and a request is never answered by mere acceptance.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("upstream answered with status %d %s", e.Code, http.StatusText(e.Code))
}

// Unwrap returns what the status means for the message.
func (e *StatusError) Unwrap() error {
	if e.Code >= http.StatusBadRequest {
		return ErrUnknownOutcome
	}
	return ErrProtocol
}

// BackoffError is an ErrUnavailable that lasts: children of the server ended as soon as they were started, and the next
// is not started before After has passed.
type BackoffError struct {
	After time.Duration
	Last  string // what became of the last one, in the words of Cause
}

func (e *BackoffError) Error() string {
	return fmt.Sprintf("upstream keeps ending when started; next start in %s", e.After.Round(time.Millisecond))
}

// Unwrap returns ErrUnavailable.
func (e *BackoffError) Unwrap() error { return ErrUnavailable }

// because joins what an error means to the caller with its cause. The end of the context, where it has ended, is the
// cause of whatever failed then. No such error is an io.EOF, which is the good end of a Stream.
func because(ctx context.Context, meaning, cause error) error {
	if err := ctx.Err(); err != nil {
		cause = err
	}
	if errors.Is(cause, io.EOF) {
		cause = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", meaning, cause)
}
