// Package generate makes requests from OpenAPI documents for tests: valid ones,
// ones with a single fault, and the spellings of a target that mean the same. It
// reads the documents with kin-openapi and shares no code with what judges them.
package generate
