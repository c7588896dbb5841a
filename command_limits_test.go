package apiguard

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestTheCommandShowsEachKindOfLimit(t *testing.T) {
	withoutMidnight(t, new(App))
	app := limitedApp(t,
		&Limit{Name: "all", Rate: "5/1m", Key: []string{"everybody"}},
		&Limit{Name: "contract", Quota: "1000/day"},
		&Limit{Name: "slow", Concurrency: 3},
		&Limit{Name: "both", Rate: "9/1m", Quota: "20/month"},
	)
	_ = serve(app, httptest.NewRecorder(), get("/v1/things/7"), func(http.ResponseWriter, *http.Request) error { return nil })
	run := func(args ...string) (string, error) {
		out, err := asked(t, limitsCommand(), args...)
		return regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(strings.Join(strings.Fields(out), " "), "N s"), err
	}
	const head = "LIMIT API MODE USED REMAINING PENDING RESET BLOCKED QUOTA CONCURRENT "
	for _, c := range []struct{ args, want string }{
		{"all", head + "all things enforce 1 4 0 N s"},
		{"contract 192.0.2.1", head + "contract things enforce 0 1 used, 999 left"},
		{"slow 192.0.2.1", head + "slow things enforce 0 0"},
		{"both 192.0.2.1", head + "both things enforce 1 8 0 N s 1 used, 19 left"},
		{"all --forget", "1 bucket forgotten"},
		{"all", head + "all things enforce 0 5 0"},
		{"contract 192.0.2.1 --forget", "1 bucket forgotten"},
		{"contract 192.0.2.1", head + "contract things enforce 0 0 used, 1000 left"},
	} {
		if got, err := run(strings.Fields(c.args)...); err != nil || got != c.want {
			t.Errorf("limits %s: %v, %s, want %s", c.args, err, got, c.want)
		}
	}
	for args, want := range map[string]string{
		"all everybody":                  "counts by nothing of a request: all share one bucket, so give no key",
		"contract":                       "counts by {client_ip}: give key once",
		"contract --forget":              "counts by {client_ip}: give key once",
		"contract a b":                   "counts by {client_ip}: give key once",
		"contract 192.0.2.1 --api thing": "api \"thing\" is not in the catalogue (did you mean things?): look",
		"contract 192.0.2.1 --api things --version v2": "api \"things\" has no version \"v2\" (did you mean v1?): there are v1: look",
		"contract 192.0.2.1 --version v1":              "the limit contract is none of that API or version: look",
		"contrat 192.0.2.1":                            "there is no limit of that name there (did you mean contract?): look",
	} {
		if got, err := run(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limits %s: %v, %s, want %s", args, err, got, want)
		}
	}
}

// asked is what a command writes that asks the running configuration.
func asked(t *testing.T, cmd *cobra.Command, args ...string) (string, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := new(Admin).serve(w, r); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(err.Error()))
		}
	}))
	defer server.Close()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"--address", strings.TrimPrefix(server.URL, "http://")}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}
