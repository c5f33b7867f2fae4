package guardrails_test

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"github.com/hopgate/hopgate/guardrails"
)

// TestCiphersOfTheVault: what is sealed for one purpose opens for that one, also after a restart, and for no other.
func TestCiphersOfTheVault(t *testing.T) {
	dir := t.TempDir()
	open := func() *guardrails.Vault {
		v, err := guardrails.OpenVault(guardrails.VaultConfig{Dir: dir, Clock: time.Now, Random: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	one, err := open().Cipher("one")
	if err != nil {
		t.Fatal(err)
	}
	sealed := one.Seal(nil, nil, []byte("text"), []byte("place"))
	if bytes.Contains(sealed, []byte("text")) {
		t.Error("it is not sealed")
	}
	again, err := open().Cipher("one")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(nil, nil, sealed, []byte("place")); err != nil || string(got) != "text" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	if _, err := again.Open(nil, nil, sealed, []byte("elsewhere")); err == nil {
		t.Error("it opens at another place")
	}
	other, err := open().Cipher("other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(nil, nil, sealed, []byte("place")); err == nil {
		t.Error("it opens for another purpose")
	}
}
