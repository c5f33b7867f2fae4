package ingress

import (
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Complaints is where net/http may complain. Not more of that goes to a log than the log can bear.
func Complaints(to zerolog.Logger, clock func() time.Time) io.Writer {
	return &murmur{log: to, clock: clock}
}

// murmurEvery is how often a complaint of the server is logged. Strangers cause them as they like.
const murmurEvery = time.Second

// murmur takes what net/http complains about: handshakes that fail, and connections that cannot be accepted.
type murmur struct {
	log   zerolog.Logger
	clock func() time.Time

	mu      sync.Mutex // guards what follows
	next    time.Time  // when another one may be logged
	skipped int
}

// Write logs a complaint, or counts it.
func (m *murmur) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock()
	if now.Before(m.next) {
		m.skipped++
		return len(p), nil
	}
	m.log.Warn().Str("complaint", string(p[:min(len(p), maxMurmur)])).Int("skipped", m.skipped).Msg("a connection of an agent")
	m.next, m.skipped = now.Add(murmurEvery), 0
	return len(p), nil
}

const maxMurmur = 512 // bytes of a complaint
