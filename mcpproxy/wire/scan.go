package wire

import (
	"bytes"
	"math"
	"sync"
)

// Parse reads one message into f, which afterwards refers to raw. It returns a [*Fault] where the message is refused;
// f then holds nothing to act on. White space around the message is allowed, as RFC 8259 has it. It is safe for
// concurrent use on different frames.
func Parse(f *Frame, raw []byte, from Side, lim *Limits) error {
	s, _ := scanners.Get().(*scanner)
	p := s.message(f, raw, from, lim)
	at := s.i
	s.b, s.f = nil, nil
	s.names.reset()
	scanners.Put(s)
	if p == nil {
		return nil
	}
	fault := &Fault{Problem: p, Offset: at}
	if p != BadID && f.Has(ID) && legalID(f.Get(ID)) {
		fault.ID = bytes.Clone(f.Get(ID))
	}
	*f = Frame{}
	return fault
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// scanner reads one message. It recurses once a container, within Limits.Depth.
type scanner struct {
	b       []byte
	i       int
	f       *Frame
	lim     Limits
	keys    int // members that there may be
	members int // of all objects so far
	names   nameSet
}

func (s *scanner) message(f *Frame, raw []byte, from Side, lim *Limits) *Problem {
	*f = Frame{Raw: raw, From: from}
	s.b, s.i, s.f, s.lim, s.keys, s.members = raw, 0, f, *lim, lim.Keys, 0
	if from == FromUpstream && lim.UpstreamKeys > 0 {
		s.keys = lim.UpstreamKeys
	}
	if len(raw) > lim.Frame || len(raw) > math.MaxInt32 {
		return TooLarge
	}
	s.i = space(raw, 0)
	switch {
	case s.i == len(raw):
		return NotJSON
	case raw[s.i] == '[':
		return s.notObject(Batch)
	case raw[s.i] != '{':
		return s.notObject(NotObject)
	}
	if p := s.object(envelope, 1); p != nil {
		return p
	}
	if s.i = space(raw, s.i); s.i != len(raw) {
		return TrailingData
	}
	f.Keys = s.members
	return s.envelope()
}

// notObject tells JSON of the wrong shape from what is not JSON at all.
func (s *scanner) notObject(shape *Problem) *Problem {
	if p := s.value(free, none, 1); p != nil {
		return p
	}
	if s.i = space(s.b, s.i); s.i != len(s.b) {
		return TrailingData
	}
	s.i = 0
	return shape
}

// value reads the value at s.i, remembers it as m, and treats an object, or the objects in an array, as o.
func (s *scanner) value(o object, m Member, depth int) (p *Problem) {
	if s.i >= len(s.b) {
		return NotJSON
	}
	start := s.i
	switch c := s.b[s.i]; {
	case c == '"':
		s.i, _, p = lexString(s.b, s.i)
	case c == '{':
		p = s.object(o, depth)
	case c == '[':
		p = s.array(o, depth)
	case c == '-' || c >= '0' && c <= '9':
		s.i, p = lexNumber(s.b, s.i)
	default:
		s.i, p = lexLiteral(s.b, s.i)
	}
	if p == nil && m != none {
		s.f.spans[m] = Span{int32(start), int32(s.i)} // fits: message checks MaxInt32
	}
	return p
}

func (s *scanner) array(o object, depth int) *Problem {
	if depth > s.lim.Depth {
		return TooDeep
	}
	s.i = space(s.b, s.i+1)
	if s.i < len(s.b) && s.b[s.i] == ']' {
		s.i++
		return nil
	}
	for {
		if p := s.value(o, none, depth+1); p != nil {
			return p
		}
		s.i = space(s.b, s.i)
		if s.i >= len(s.b) {
			return NotJSON
		}
		switch s.b[s.i] {
		case ',':
			s.i = space(s.b, s.i+1)
		case ']':
			s.i++
			return nil
		default:
			return NotJSON
		}
	}
}

func (s *scanner) object(o object, depth int) *Problem {
	if depth > s.lim.Depth {
		return TooDeep
	}
	s.i = space(s.b, s.i+1)
	if s.i < len(s.b) && s.b[s.i] == '}' {
		s.i++
		return nil
	}
	mark := s.names.open()
	for {
		f, p := s.name(o, mark)
		if p != nil {
			return p
		}
		if p := s.value(f.inner, f.member, depth+1); p != nil {
			return p
		}
		s.i = space(s.b, s.i)
		if s.i >= len(s.b) {
			return NotJSON
		}
		switch s.b[s.i] {
		case ',':
			s.i = space(s.b, s.i+1)
		case '}':
			s.i++
			s.names.close(mark)
			return nil
		default:
			return NotJSON
		}
	}
}

// name reads a member's name and the colon, and says what the protocol knows of the member.
func (s *scanner) name(o object, mark nameMark) (f field, p *Problem) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return field{}, NotJSON
	}
	start := s.i
	end, escaped, p := lexString(s.b, s.i)
	if p != nil {
		s.i = end
		return field{}, p
	}
	if s.members++; s.members > s.keys {
		return field{}, TooManyKeys
	}
	text := s.b[start+1 : end-1]
	if escaped {
		text = s.names.decode(text)
	}
	if !s.names.add(mark, text) {
		return field{}, DuplicateKey
	}
	if o != free {
		var variant bool
		f, variant = o.lookup(text)
		switch {
		case variant:
			return field{}, CaseVariant
		case o == envelope && f.name == "" && s.f.From == FromAgent:
			return field{}, UnknownMember
		case f.inner == resultObject && s.f.From == FromAgent:
			f.inner = answer
		}
	}
	s.i = space(s.b, end)
	if s.i >= len(s.b) || s.b[s.i] != ':' {
		return field{}, NotJSON
	}
	s.i = space(s.b, s.i+1)
	return f, nil
}

// envelope checks JSON-RPC 2.0 sections 4 and 5 on a message whose grammar is sound, and tells its kind.
func (s *scanner) envelope() *Problem {
	f := s.f
	s.i = 0
	if v, ok := f.Text(jsonrpc); !ok || string(v) != "2.0" {
		return BadVersion
	}
	nullID := string(f.Get(ID)) == "null"
	if f.Has(ID) && !legalID(f.Get(ID)) && (!nullID || s.f.From == FromAgent || !f.Has(Error)) {
		return BadID
	}
	switch has := f.Has; {
	case has(Method):
		return s.call(has(Result) || has(Error))
	case has(Params) || has(Result) == has(Error):
		return BadEnvelope
	case !has(ID) && !has(Error):
		return BadID
	case has(Result):
		f.Kind = KindResult
		if f.Get(Result)[0] != '{' {
			return BadResult
		}
	default:
		f.Kind = KindError
		if nullID {
			f.spans[ID] = Span{}
		}
		if e := f.Get(Error); e[0] != '{' || !integer(f.Get(ErrorCode)) || !isString(f.Get(ErrorMessage)) {
			return BadError
		}
	}
	return nil
}

// call checks a request or notification.
func (s *scanner) call(alsoAnswers bool) *Problem {
	f := s.f
	if alsoAnswers {
		return BadEnvelope
	}
	if m, ok := f.Text(Method); !ok || len(m) == 0 || len(m) > s.lim.Name {
		return BadMethod
	}
	if f.Has(Params) && f.Get(Params)[0] != '{' {
		return BadParams
	}
	f.Kind = KindNotification
	if f.Has(ID) {
		f.Kind = KindRequest
	}
	return nil
}

// maxID bounds an id, which is kept while its request is under way.
const maxID = 256

func legalID(v []byte) bool { return len(v) <= maxID && (isString(v) || integer(v)) }

func isString(v []byte) bool { return len(v) > 0 && v[0] == '"' }

// integer reports whether a number is written without fraction and exponent.
func integer(v []byte) bool {
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	return len(v) > 0 && digits(v, 0) == len(v)
}
