// Package dataclass finds out which classes of personal and secret data a message
// carries: from its document, and from the names and values in it. It keeps no
// value: what it finds is a class and a place.
package dataclass

import "slices"

// Class is a class of data.
type Class uint8

// The classes of data that are told apart.
const (
	Email Class = iota
	Phone
	PaymentCard
	IBAN
	NationalID
	JWT
	Secret
	DateOfBirth
	PostalAddress
	Password
	Location
	NumClasses
)

// names are how configurations, documents (`x-data-class`) and answers spell them.
var names = [NumClasses]string{
	"email", "phone", "payment_card", "iban", "national_id", "jwt", "secret",
	"date_of_birth", "postal_address", "password", "location",
}

// String is the class as configurations, documents and answers spell it.
func (c Class) String() string { return names[c] }

// Names are all classes.
func Names() []string { return slices.Clone(names[:]) }

// Parse reads a class.
func Parse(s string) (Class, bool) {
	i := slices.Index(names[:], s)
	return Class(max(i, 0)), i >= 0
}

// Set is a set of classes, a bit each.
type Set uint16

// Of is the set of some classes.
func Of(classes ...Class) Set {
	var s Set
	for _, c := range classes {
		s |= 1 << c
	}
	return s
}

// Has reports whether the class is in the set.
func (s Set) Has(c Class) bool { return s>>c&1 == 1 }

// Names are the classes in the set, in their order; never nil.
func (s Set) Names() []string {
	list := []string{}
	for c := range NumClasses {
		if s.Has(c) {
			list = append(list, c.String())
		}
	}
	return list
}

// Personal are the classes that tell about a person. The others give access.
const Personal = Set(1<<Email | 1<<Phone | 1<<PaymentCard | 1<<IBAN | 1<<NationalID | 1<<DateOfBirth | 1<<PostalAddress | 1<<Location)

// Access are the classes that whoever reads them can use.
const Access = Set(1<<JWT | 1<<Secret | 1<<Password)

// Found is a class of data at a place.
type Found struct {
	Class Class // what it is
	// Pointer is a JSON pointer to it, with "*" for an index, and for a member name
	// that may be data itself.
	Pointer string
}
