package conformance

import (
	"sync"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// DefaultMaxBody is Config.MaxBody when it is not set: 1 MiB.
const DefaultMaxBody = 1 << 20

// Config is what an Operation needs to know besides its description.
type Config struct {
	// MaxBody is the size in bytes up to which a body is judged, as received and
	// after its content coding is undone. Default (0 or less): 1 MiB.
	MaxBody int64
	// MaxResponse is the same for answers.
	MaxResponse int64
	// Query are names of query parameters that are declared besides those of the
	// description, such as the one that picks the version.
	Query []string
	// Formats are the policy's own formats; nil for none.
	Formats *Formats
}

// Operation judges requests to one documented operation. It may be used by
// several goroutines at once.
type Operation struct {
	op     *spec.Operation
	params []string
	cfg    Config

	shared     *library
	opened     sync.Once
	answering  *library // in the response form of schemas
	answered   sync.Once
	responses  responseRules
	parameters parameterRules
	body       bodyRules
}

// New prepares an operation. params are the names of the path parameters in the
// order of Request.Params. It compiles nothing and is cheap enough to be called
// for every operation of a large document.
func New(op *spec.Operation, params []string, cfg Config) *Operation {
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.MaxResponse <= 0 {
		cfg.MaxResponse = DefaultMaxBody
	}
	return &Operation{op: op, params: params, cfg: cfg}
}

func (o *Operation) library() *library {
	o.opened.Do(func() { o.shared = libraryOf(o.op.Document, false, o.cfg.Formats) })
	return o.shared
}

func (o *Operation) responseLibrary() *library {
	o.answered.Do(func() { o.answering = libraryOf(o.op.Document, true, o.cfg.Formats) })
	return o.answering
}

// Compile compiles every part of the operation now instead of at its first use.
func (o *Operation) Compile() {
	o.prepareParameters()
	o.body.prepare(o.op.Op)
	for _, m := range o.body.entries {
		if !m.judged() {
			continue
		}
		m.compile(o.library())
		if class := classify(m.name); class == mediaForm || m.name == formData {
			m.form(o.library(), class)
		}
	}
}
