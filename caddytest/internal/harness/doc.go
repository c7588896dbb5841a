// Package harness runs Caddy for tests as operators run it: as a process. The
// test binary is that process too, started again with [Main] in charge, so no
// build step is needed, every test may have a Caddy of its own, and tests may
// run in parallel, crash it and read its exit code.
package harness
