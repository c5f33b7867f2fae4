package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

const (
	publicKeyName     = "key.pub"
	signingKeyName    = "signing.key"
	commitmentKeyName = "commitment.key"
	originPrefix      = "hopgate/"
)

// keys are what makes one journal this journal. They live as long as it does.
type keys struct {
	stream   stream
	signer   note.Signer
	verifier note.Verifier
	secret   [sha256.Size]byte // of commitments
}

// loadKeys reads the keys of a journal, and draws them where it has none yet. A journal that has begun must have all.
func loadKeys(files Files, dir string, random io.Reader, begun bool) (keys, error) {
	var k keys
	if !begun {
		if err := drawKeys(files, dir, random); err != nil {
			return k, err
		}
	}
	private, err := readLine(dir, signingKeyName)
	if err != nil {
		return k, err
	}
	if k.signer, err = note.NewSigner(private); err != nil {
		return k, fmt.Errorf("%s: %w", signingKeyName, err)
	}
	if k.stream, k.verifier, err = readPublicKey(dir); err != nil {
		return k, err
	}
	if k.signer.Name() != k.verifier.Name() || k.signer.KeyHash() != k.verifier.KeyHash() {
		return k, fmt.Errorf("%s and %s do not belong together", signingKeyName, publicKeyName)
	}
	secret, err := readLine(dir, commitmentKeyName)
	if err != nil {
		return k, err
	}
	if !decodeHex(k.secret[:], secret) {
		return k, fmt.Errorf("%s is malformed", commitmentKeyName)
	}
	return k, nil
}

// drawKeys writes new keys, the public one last, unless it is there: then an earlier process got so far.
func drawKeys(files Files, dir string, random io.Reader) error {
	_, err := os.Stat(filepath.Join(dir, publicKeyName))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b [16 + ed25519.SeedSize + sha256.Size]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return fmt.Errorf("drawing the journal's keys: %w", err)
	}
	origin, seed, secret := originPrefix+hex.EncodeToString(b[:16]), b[16:16+ed25519.SeedSize], b[16+ed25519.SeedSize:]
	public, ok := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("an Ed25519 key has no Ed25519 public key")
	}
	verifier, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		return fmt.Errorf("encoding the journal's public key: %w", err)
	}
	// The form is that of note.GenerateKey, which takes no source of randomness: algorithm 1 is Ed25519.
	check := strings.Split(verifier, "+")[1]
	signer := "PRIVATE+KEY+" + origin + "+" + check + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
	for _, f := range [][2]string{
		{signingKeyName, signer}, {commitmentKeyName, hex.EncodeToString(secret)}, {publicKeyName, verifier},
	} {
		err := publish(files, filepath.Join(dir, f[0]), func(w io.Writer) error {
			_, err := io.WriteString(w, f[1]+"\n")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readPublicKey returns what verifies a journal's checkpoints, and the stream that the key is named after.
func readPublicKey(dir string) (stream, note.Verifier, error) {
	text, err := readLine(dir, publicKeyName)
	if err != nil {
		return stream{}, nil, err
	}
	return parsePublicKey(text)
}

func parsePublicKey(text string) (s stream, v note.Verifier, err error) {
	if v, err = note.NewVerifier(text); err != nil {
		return s, nil, fmt.Errorf("public key: %w", err)
	}
	id, ok := strings.CutPrefix(v.Name(), originPrefix)
	if !ok || !decodeHex(s[:], id) || !strings.Contains(text, fmt.Sprintf("+%08x+", v.KeyHash())) {
		return s, nil, errors.New("the public key is not that of a journal")
	}
	return s, v, nil
}

// decodeHex fills dst from text and reports whether text was exactly that.
func decodeHex(dst []byte, text string) bool {
	if len(text) != 2*len(dst) {
		return false
	}
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}

func readLine(dir, name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("reading a key of the journal: %w", err)
	}
	text, ok := strings.CutSuffix(string(b), "\n")
	if !ok {
		return "", fmt.Errorf("%s does not end in a line break", name)
	}
	return text, nil
}
