package guardrails

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/store"
)

// prefix begins the keys of the vault in the store.
const prefix = "v/"

// VaultConfig is what a [Vault] needs.
type VaultConfig struct {
	State  store.Reader     // what was kept before; nil for nothing
	Clock  func() time.Time // wall clock; called from many goroutines
	Random io.Reader        // for keys and tokens; read from many goroutines
	// Dir is a directory for the vault alone, made with mode 0700 at first use. What lies in it is not in the journal and in
	// no backup of it. Empty: nothing outlives the process.
	Dir string
}

// Vault is what guardrails keep between messages: the key that hashes and seals, the numbers of placeholders, the
// values that tokens stand for, and results that wait for a person. Values are sealed, in memory as in the store. It is durable as far as what Changes returned
// is, and safe for concurrent use.
type Vault struct {
	VaultConfig

	numbers numbering

	drawing sync.Mutex // held while keys are made; taken before mu
	mu      sync.Mutex // guards what follows
	keys    *keys      // nil until they are needed
	tokens  map[string]*token
	same    map[digest]string   // the token of a value
	links   map[link][]string   // tokens, the oldest first
	changed map[string]struct{} // keys of the store whose values have changed
	held    map[string]*held    // by reference

	holds  atomic.Int64 // how many are held, so that calls need not ask
	orders sync.Mutex   // held while a person decides; taken before mu
	old    func() bool  // whether the state may be older than what was done; nil for never
}

// young begins the names of files that are not complete yet.
const young = ".young-"

// OpenVault makes a vault of what the state holds. What makes no sense there is gone: a token of it stays text. No key is
// read or made until one is needed. An error means that the state cannot be read.
func OpenVault(c VaultConfig) (*Vault, error) {
	if c.Clock == nil || c.Random == nil {
		return nil, errors.New("opening the vault: clock and randomness are required")
	}
	v := &Vault{
		VaultConfig: c, numbers: numbering{calls: map[callKey]*numbers{}},
		tokens: map[string]*token{}, same: map[digest]string{}, links: map[link][]string{}, changed: map[string]struct{}{}, held: map[string]*held{},
	}
	if c.State == nil {
		return v, nil
	}
	for item, err := range c.State.Scan([]byte(prefix), nil, false) {
		if err != nil {
			return nil, fmt.Errorf("reading the vault: %w", err)
		}
		if !v.load(string(item.Key), item.Value) {
			v.changed[string(item.Key)] = struct{}{}
		}
	}
	v.arrange()
	if c.Dir != "" {
		return v, v.tidy()
	}
	return v, nil
}

// load takes one entry of the state in. It reports whether the entry makes sense.
func (v *Vault) load(key string, value []byte) bool {
	if id, ok := strings.CutPrefix(key, tokenPrefix); ok {
		return v.loadToken(id, value)
	}
	if ref, ok := strings.CutPrefix(key, heldPrefix); ok {
		return v.loadHeld(ref, value)
	}
	return false
}

// Changes calls put with the new value of each key that has changed since the last call; see audit.Ledger. What it puts is
// valid until put returns; put must not call the vault.
func (v *Vault) Changes(put func(store.Put)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key := range v.changed {
		p := store.Put{Key: []byte(key)}
		if t := v.tokens[strings.TrimPrefix(key, tokenPrefix)]; t != nil {
			p.Value = t.encode()
		} else if h := v.held[strings.TrimPrefix(key, heldPrefix)]; h != nil {
			p.Value = h.encode()
		}
		put(p)
	}
	clear(v.changed)
}

// Sweep forgets what has expired. It is to be called now and then. An error means that a held result was not removed from
// the disk; it is sealed, and goes at the next start.
func (v *Vault) Sweep() error {
	now := v.Clock().Unix()
	v.mu.Lock()
	for id, t := range v.tokens {
		if t.Until <= now {
			v.forget(id)
		}
	}
	refs := v.expired(now)
	v.mu.Unlock()
	var errs []error
	for _, ref := range refs {
		errs = append(errs, v.drop(ref))
	}
	return errors.Join(errs...)
}

// keys are made from the one key of the vault, each for one purpose.
type keys struct {
	hashing  []byte // of what stands in the place of a value
	checking []byte // by which such a text is known to be ours
	drawing  []byte // of surrogates, and of values that have a number
	printing []byte // of values that suppressions know again
	sealing  cipher.AEAD
}

const keyFile = "key"

// need returns the keys. It draws them where there are none yet.
func (v *Vault) need() (*keys, error) {
	v.drawing.Lock() // the disk is waited for, and mu not held meanwhile
	defer v.drawing.Unlock()
	if k := v.known(); k != nil {
		return k, nil
	}
	master, err := v.master()
	if err != nil {
		return nil, fmt.Errorf("the key of the vault: %w", err)
	}
	k := new(keys)
	var seal []byte
	for name, to := range map[string]*[]byte{"hash": &k.hashing, "check": &k.checking, "draw": &k.drawing, "print": &k.printing, "seal": &seal} {
		if *to, err = hkdf.Key(sha256.New, master, nil, "hopgate vault v1 "+name, sha256.Size); err != nil {
			return nil, fmt.Errorf("deriving a key: %w", err)
		}
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	if k.sealing, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	v.mu.Lock()
	v.keys = k
	v.mu.Unlock()
	return k, nil
}

func (v *Vault) known() *keys {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.keys
}

// made returns the keys, or nil where none were ever needed: then there is nothing that they have made.
func (v *Vault) made() (*keys, error) {
	if v == nil {
		return nil, nil
	}
	k := v.known()
	if k != nil || v.Dir == "" {
		return k, nil
	}
	if _, err := os.Stat(filepath.Join(v.Dir, keyFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return v.need()
}

// master reads the key, or draws it.
func (v *Vault) master() ([]byte, error) {
	if v.Dir != "" {
		switch key, err := os.ReadFile(filepath.Join(v.Dir, keyFile)); {
		case err == nil && len(key) != sha256.Size:
			return nil, fmt.Errorf("%s has %d bytes, not %d", keyFile, len(key), sha256.Size)
		case err == nil || !errors.Is(err, fs.ErrNotExist):
			return key, err
		}
	}
	key := make([]byte, sha256.Size)
	if _, err := io.ReadFull(v.Random, key); err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	if v.Dir == "" {
		return key, nil
	}
	return key, v.write(keyFile, key)
}

// write puts a file into the vault's directory. When it returns, the file is there after a power failure too, and its name
// never stands for part of it.
func (v *Vault) write(name string, data []byte) (err error) {
	if err := os.MkdirAll(v.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(v.Dir, young+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(v.Dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(syncDir(v.Dir), syncDir(filepath.Dir(v.Dir)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sum is a keyed hash of fields.
func sum(key []byte, fields ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(joined(fields...))
	return h.Sum(nil)
}

// joined puts fields together so that no two lists of them become the same.
func joined(fields ...[]byte) []byte {
	var b []byte
	for _, f := range fields {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(b, f...)
	}
	return b
}

// letters are Crockford's, in lower case: none is taken for another.
var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)
