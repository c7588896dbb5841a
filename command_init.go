package apiguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
	"github.com/apiguard/caddy-api-guard/policy"
)

func initCommand() *cobra.Command {
	cmd := command("init <document>… --upstream <address> [--host <name>…]", "Writes a Caddyfile that puts the guard before an API, in monitor mode", `
Reads OpenAPI documents and writes a Caddyfile that puts the guard before the API
that they describe, in monitor mode: nothing is refused, and the inventory says what
would be. Each document is a version; documents of one title are one API. Hosts are
those of the documents' servers, or of --host.

    caddy api-guard init openapi.yaml --upstream localhost:3000 --host api.example.com > Caddyfile
    caddy run

Documents are files, or URLs each with its hash behind it, as in a Caddyfile:
https://docs.example.com/orders.yaml sha256:…. Paths are written as they are given, or
with --output from the folder of that file. The Caddyfile is checked before it is
written: what cannot work is said and nothing is written.`, runInit)
	cmd.Args = atLeast("an OpenAPI document")
	asksNobody(cmd)
	cmd.Flags().Lookup("json").Usage = "Write the configuration as JSON, in place of a Caddyfile"
	cmd.Flags().String("upstream", "", "Where the API runs: localhost:3000")
	cmd.Flags().StringArray("host", nil, "Host that serves the versions, in place of the documents' servers")
	cmd.Flags().String("max-document", "", "Largest document that is read, with the files it refers to, such as 64MiB (default 32MiB)")
	cmd.Flags().StringP("output", "o", "", "File to write to, which must not be there yet (default: standard output)")
	return cmd
}

// checkUpstream says what reverse_proxy has against an address, before anybody looks for
// it in the documents.
func checkUpstream(upstream string) error {
	_, _, err := adaptDraft("Caddyfile", "http:// {\n\treverse_proxy "+upstream+"\n}\n")
	if err == nil {
		return nil
	}
	text := err.Error()
	if _, after, ok := strings.Cut(text, "parsing upstream '"+upstream+"': "); ok {
		text = after
	}
	text, _, _ = strings.Cut(text, ", at Caddyfile:")
	return errors.New(text)
}

// draftAPI is an API as init finds it.
type draftAPI struct {
	name, title string
	versions    []draftVersion
}

type draftVersion struct {
	name      string
	spec      string   // the arguments of the line
	declared  bool     // the hosts are those of --host; else the document gives them
	hosts     []string // where sites are needed
	operation int
}

func runInit(in *invocation, args []string) error {
	upstream := in.text("upstream")
	if upstream == "" {
		return errors.New("--upstream: say where the API runs, such as localhost:3000")
	}
	if strings.ContainsAny(upstream, " \t\n{}\"`") {
		return fmt.Errorf("--upstream: %q is no address: write one such as localhost:3000", upstream)
	}
	if err := checkUpstream(upstream); err != nil {
		return fmt.Errorf("--upstream %q: %w; write an address such as localhost:3000", upstream, err)
	}
	hosts, _ := in.cmd.Flags().GetStringArray("host")
	for i, host := range hosts {
		canonical, err := spec.CanonicalHost(host)
		if err != nil {
			return fmt.Errorf("--host %q: %w", host, err)
		}
		hosts[i] = canonical
	}
	app := &App{logger: zap.NewNop()}
	if size := in.text("max-document"); size != "" {
		var err error
		if app.MaxDocument, err = parseSize(size); err == nil {
			err = app.checkOptions()
		}
		if err != nil {
			return fmt.Errorf("--max-document: %w", err)
		}
	}
	files, err := remote.Join(args, func(string) bool { return false })
	if err != nil {
		return err
	}
	read := newDocuments(app)
	defer read.release()
	output := in.text("output")
	folder := filepath.Dir(output) // of none: the working directory
	var apis []*draftAPI
	for _, file := range files {
		line, err := specLine(file, folder)
		if err != nil {
			return err
		}
		if err := addDraft(&apis, read, file, line, hosts); err != nil {
			return err
		}
	}
	text := caddyfileOf(apis, upstream, in.text("max-document"))
	config, err := checkDraft(filepath.Join(folder, "Caddyfile"), text)
	if err != nil {
		return fmt.Errorf("the documents do not go together as they are: %w", err)
	}
	if output == "" {
		return in.writeDraft(text, config)
	}
	file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	in.out = file
	return errors.Join(in.writeDraft(text, config), file.Close())
}

// writeDraft writes the Caddyfile, or what it adapts to.
func (in *invocation) writeDraft(text string, config json.RawMessage) error {
	if in.flag("json") {
		return in.writeJSON(config)
	}
	_, err := io.WriteString(in.out, text)
	return err
}

// specLine names a document as a Caddyfile in a folder does: a relative path starts
// there.
func specLine(file, folder string) (string, error) {
	if remote.IsURL(file) {
		if _, err := remote.Parse(file); err != nil {
			return "", fmt.Errorf("%q: %w", file, err)
		}
		address, hash, _ := strings.Cut(file, " ")
		return quoted(address) + " " + hash, nil
	}
	if folder != "." && !filepath.IsAbs(file) {
		from, err := filepath.Abs(folder)
		if err != nil {
			return "", err
		}
		if file, err = filepath.Abs(file); err != nil {
			return "", err
		}
		if near, err := filepath.Rel(from, file); err == nil { // not from one drive to another
			file = near
		}
	}
	return quoted(filepath.ToSlash(file)), nil
}

func addDraft(apis *[]*draftAPI, read *documents, file, line string, hosts []string) error {
	document, err := read.load(file)
	if err != nil {
		return err
	}
	v := draftVersion{spec: line, declared: len(hosts) > 0, hosts: hosts, operation: len(document.Operations)}
	if !v.declared {
		servers := slices.Clone(document.Servers)
		for _, op := range document.Operations {
			servers = append(servers, op.Servers...)
		}
		for _, s := range servers {
			if s.Host != "" && !slices.Contains(v.hosts, s.Host) {
				v.hosts = append(v.hosts, s.Host)
			}
		}
	}
	if len(v.hosts) == 0 {
		return fmt.Errorf("%s: its servers name no host: say which with --host", file)
	}
	name := slug(document.Title)
	if name == "" {
		name = slug(strings.TrimSuffix(document.Base(), filepath.Ext(document.Base())))
	}
	i := slices.IndexFunc(*apis, func(a *draftAPI) bool { return a.name == name })
	if i < 0 {
		*apis = append(*apis, &draftAPI{name: name, title: document.Title})
		i = len(*apis) - 1
	}
	api := (*apis)[i]
	v.name = versionName(document.Version)
	for n := 2; slices.ContainsFunc(api.versions, func(o draftVersion) bool { return o.name == v.name }); n++ {
		v.name = versionName(document.Version) + "-" + strconv.Itoa(n)
	}
	api.versions = append(api.versions, v)
	return nil
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// slug is a title as an API's name.
func slug(title string) string {
	name := strings.Trim(notName.ReplaceAllString(strings.ToLower(title), "-"), "-")
	return strings.TrimSuffix(strings.TrimSuffix(name, "-api"), "-rest")
}

var notVersion = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// versionName is v and the first number of a semantic version, or the version as it
// is written.
func versionName(version string) string {
	version = strings.Trim(notVersion.ReplaceAllString(version, "-"), "-")
	major, rest, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 1000 && strings.Count(rest, ".") <= 1 {
		return "v" + major
	}
	if version == "" {
		return "v1"
	}
	return version
}

// caddyfileOf writes the draft.
func caddyfileOf(apis []*draftAPI, upstream, maxDocument string) string {
	var b strings.Builder
	b.WriteString(`# Written by "caddy api-guard init". In monitor mode nothing is refused; what would
# be, and what is in no document, is asked with
#
#	caddy api-guard routes --state shadow
#	caddy api-guard findings
#
# Then replace "mode monitor" by the rules, one by one.
{
	api_guard {
		mode monitor
`)
	if maxDocument != "" {
		fmt.Fprintf(&b, "\t\tmax_document %s\n", quoted(maxDocument))
	}
	var sites []string
	for _, api := range apis {
		fmt.Fprintf(&b, "\n\t\tapi %s {\n", api.name)
		if api.title != "" {
			fmt.Fprintf(&b, "\t\t\tpurpose %s\n", quoted(api.title))
		}
		b.WriteString("\t\t\t# owner team-name\n")
		for _, v := range api.versions {
			fmt.Fprintf(&b, "\t\t\tversion %s {\n", v.name)
			if v.declared {
				fmt.Fprintf(&b, "\t\t\t\thosts %s\n", strings.Join(v.hosts, " "))
			}
			fmt.Fprintf(&b, "\t\t\t\tspec %s # %d operations\n\t\t\t}\n", v.spec, v.operation)
			for _, host := range v.hosts {
				if !slices.Contains(sites, host) {
					sites = append(sites, host)
				}
			}
		}
		b.WriteString("\t\t}\n")
	}
	fmt.Fprintf(&b, "\t}\n}\n\n%s {\n\tapi_guard\n\treverse_proxy %s\n}\n", strings.Join(sites, ", "), upstream)
	b.WriteString("\n# Hosts that nobody declared: refused once unknown_host is enforced, and recorded\n# from now on.\nhttps:// {\n\tapi_guard\n}\n\nhttp:// {\n\tapi_guard\n}\n")
	return b.String()
}

// quoted is a token of a Caddyfile.
func quoted(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if s != "" && !strings.ContainsAny(s, " \"`{}#\\") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func adaptDraft(file, text string) (config json.RawMessage, warnings []caddyconfig.Warning, err error) {
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": file})
	return adapted, warnings, err
}

// checkDraft compiles the draft as Caddy would, of a file of that name, and returns what
// it adapts to.
func checkDraft(file, text string) (json.RawMessage, error) {
	config, _, err := adaptDraft(file, text)
	if err != nil {
		return nil, err
	}
	app, _, err := decodeConfig(config)
	if err != nil {
		return nil, err
	}
	return config, app.offline(func(*policy.Config, *catalogue.Catalogue) {})
}
