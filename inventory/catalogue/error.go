package catalogue

import "fmt"

// Error is a declaration that cannot hold, with what it is about, so that a
// configuration's author can be shown the line. What it is not about is empty.
type Error struct {
	API     string // the API's name
	Version string // the version's name
	Limit   string // the limit's name, of one with operations
	// Operation is the one of the limit's that it is about, as it is written.
	Operation string
	// Passthrough is the name of one.
	Passthrough string
	Err         error // what is wrong; Unwrap gives it
}

// Error is what is wrong, behind the names of what it is about.
func (e *Error) Error() string {
	switch {
	case e.Passthrough != "":
		return fmt.Sprintf("passthrough %q: %v", e.Passthrough, e.Err)
	case e.Version != "":
		return fmt.Sprintf("version %q of API %q: %v", e.Version, e.API, e.Err)
	case e.Limit != "" && e.API == "":
		return fmt.Sprintf("limit %q: %v", e.Limit, e.Err)
	case e.Limit != "":
		return fmt.Sprintf("limit %q of API %q: %v", e.Limit, e.API, e.Err)
	default:
		return fmt.Sprintf("API %q: %v", e.API, e.Err)
	}
}

// Unwrap is Err, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }
