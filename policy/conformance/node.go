package conformance

// types is a set of JSON types.
type types uint8

const (
	typeNull types = 1 << iota
	typeBoolean
	typeNumber
	typeInteger // numbers without a fractional part; implied by typeNumber
	typeString
	typeArray
	typeObject

	anyType = typeNull | typeBoolean | typeNumber | typeInteger | typeString | typeArray | typeObject
)

var typeNames = []struct {
	name string
	set  types
}{
	{"null", typeNull}, {"boolean", typeBoolean}, {"number", typeNumber | typeInteger},
	{"integer", typeInteger}, {"string", typeString}, {"array", typeArray}, {"object", typeObject},
}

// ofKind is the type of each kind of token; an integer has its own bit besides.
var ofKind = [...]types{
	kindNull: typeNull, kindFalse: typeBoolean, kindTrue: typeBoolean, kindNumber: typeNumber,
	kindString: typeString, kindArray: typeArray, kindObject: typeObject,
}

func (t types) String() string {
	s := ""
	for _, n := range typeNames {
		if t&n.set != n.set || n.name == "integer" && t&typeNumber != 0 {
			continue
		}
		if s != "" {
			s += " or "
		}
		s += n.name
	}
	return s
}

// node is a schema compiled for one pass over a tape. Groups of keywords that
// speak about one type of value stand behind pointers, so that a value meets
// only those that concern it.
type node struct {
	types types
	never bool // the schema `false`

	// memo is set where a combinator can reach the node again below itself: the
	// verdict on such a value is remembered, or nesting would cost exponentially.
	memo bool
	id   uint32

	// plainInt is set where all that is said of an integer is its range.
	plainInt bool

	values  *literals
	number  *numberRules
	text    *textRules
	array   *arrayRules
	object  *objectRules
	combine *combinators
}

// literals are the values of `enum` or `const`.
type literals struct {
	keyword string
	detail  string
	texts   [][]byte // its strings, when they are few
	set     map[string]struct{}
	others  []uint32 // its other values, as tokens of tape
	tape    *tape
}

type numberRules struct {
	bounds   []bound
	multiple *decimal
	format   func(*decimal) bool
	name     string // of the format

	low, high int64 // the bounds and the format as they hold for integers
}

type bound struct {
	limit   decimal
	below   bool // an upper bound
	open    bool // the limit itself is outside
	keyword string
}

type textRules struct {
	min, max int // -1 without
	pattern  *pattern
	format   func([]byte) bool
	name     string // of the format

	// lengthOnly: a text of more than sure and at most max bytes has a length in
	// bounds, since a character takes 1 to 12 bytes, and nothing else is asked.
	lengthOnly bool
	sure       int
}

type arrayRules struct {
	min, max    int // -1 without
	unique      bool
	prefix      []*node
	items       *node // nil: anything
	contains    *node
	minContains int
	maxContains int // -1 without
}

type objectRules struct {
	min, max   int // -1 without
	names      []string
	nodes      []*node // of names; nil: anything
	keys       []uint32
	slots      []uint16 // a hash table by key: positions of names from 1 on
	shift      uint8
	needed     uint64 // bits of the names that are required
	order      *order // nil: not judged while it is read
	patterns   []*pattern
	patternOf  []*node
	rest       *node // additionalProperties; nil: anything
	nameSchema *node
	dependents []dependent
}

// dependent is one entry of dependentRequired or dependentSchemas.
type dependent struct {
	name  string
	needs []string
	node  *node
}

type combinators struct {
	choice
	merged *node // says the same of objects as n and all of allOf together

	all, any, one     []*node
	not               *node
	test, then, other *node // if, then, else
}

// linear is up to how many names are compared one by one rather than hashed.
const linear = 8

// index makes names quick to find.
func (o *objectRules) index() {
	o.keys = make([]uint32, len(o.names))
	size := 1
	o.shift = 32
	for size < 4*len(o.names) {
		size *= 2
		o.shift--
	}
	o.slots = make([]uint16, size)
	for i, name := range o.names {
		o.keys[i] = nameKey([]byte(name))
		at := o.slot(o.keys[i])
		for o.slots[at] != 0 {
			at = (at + 1) & uint32(size-1)
		}
		o.slots[at] = uint16(i + 1)
	}
}

func (o *objectRules) slot(key uint32) uint32 { return key * 0x9E3779B1 >> o.shift }

// find is the position of a name among the declared ones, -1 for none.
func (o *objectRules) find(key uint32, name []byte) int {
	if len(o.names) == 0 {
		return -1
	}
	for at := o.slot(key); ; at = (at + 1) & uint32(len(o.slots)-1) {
		i := int(o.slots[at]) - 1
		if i < 0 || o.keys[i] == key && o.names[i] == string(name) {
			return i
		}
	}
}
