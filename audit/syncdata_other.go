//go:build !linux

package audit

// SyncData makes what was written durable.
func (f diskFile) SyncData() error { return f.Sync() }
