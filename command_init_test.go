package apiguard

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A relative spec starts at the folder of its Caddyfile, wherever init was run.
func TestInitNamesDocumentsFromTheFolderOfWhatItWrites(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, folder := range []string{"specs", "etc/caddy"} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("specs/orders.json", []byte(smallDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	absolute := filepath.Join(dir, "specs", "orders.json")
	run := func(t *testing.T, args ...string) string {
		t.Helper()
		cmd := initCommand()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs(append(args, "--upstream", "localhost:1", "--host", "api.example"))
		if err := cmd.ExecuteContext(t.Context()); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return out.String()
	}
	for _, c := range []struct{ document, output, want string }{
		{"specs/orders.json", "", "specs/orders.json"},
		{"specs/orders.json", "Caddyfile", "specs/orders.json"},
		{"./specs/orders.json", "./Caddyfile.2", "./specs/orders.json"},
		{"specs/orders.json", "etc/caddy/Caddyfile", "../../specs/orders.json"},
		{"specs/orders.json", "specs/Caddyfile", "orders.json"},
		{"specs/orders.json", filepath.Join(dir, "etc", "Caddyfile"), "../specs/orders.json"},
		{absolute, "etc/caddy/Caddyfile.abs", filepath.ToSlash(absolute)},
	} {
		text := run(t, c.document, "--output", c.output)
		if c.output != "" {
			if text != "" {
				t.Errorf("%+v: it writes %s besides", c, text)
			}
			written, err := os.ReadFile(c.output)
			if err != nil {
				t.Fatal(err)
			}
			text = string(written)
		}
		if !strings.Contains(text, "\t\tspec "+c.want+" # 2 operations\n") {
			t.Errorf("%+v: %s", c, text)
		}
		if _, err := checkDraft(filepath.Join(filepath.Dir(c.output), "Caddyfile"), text); err != nil {
			t.Errorf("%+v: what was written does not work where it is: %v", c, err)
		}
	}

	if text := run(t, "specs/orders.json", "--json", "--output", "etc/caddy.json"); text != "" {
		t.Errorf("JSON for a file is written elsewhere: %s", text)
	}
	if written, err := os.ReadFile("etc/caddy.json"); err != nil || !json.Valid(written) || !bytes.Contains(written, []byte(`orders.json"`)) {
		t.Errorf("%s, %v", written, err)
	}
}
