package catalogue

import (
	"strings"
	"testing"
)

func TestWhatOnlySomeReadersTakeForAVersionIsAmbiguous(t *testing.T) {
	c := compile(t, &API{Name: "a", Versions: []*Version{
		picked("old", false, Selector{Kind: SelectHeader, Name: "X-Version", Value: "v1"}, Selector{Kind: SelectQuery, Name: "api_version", Value: "v1"}),
		picked("new", true, Selector{Kind: SelectHeader, Name: "X-Version", Value: "v2"}, Selector{Kind: SelectQuery, Name: "api_version", Value: "v2"}),
	}})
	const ambiguous = "ambiguous of a"
	for _, row := range []struct{ query, value, want string }{
		{"", "v1", "found old /x"},
		{"", "v2", "found new /x"},
		{"", "\tv2 ", "found new /x"},
		{"", "v3", "unclaimed of a"},
		{"", "v10", "unclaimed of a"},
		{"", "V1", ambiguous},
		{"", `"v1"`, ambiguous},
		{"", "v2, v1", ambiguous},
		{"", "v3;v1", ambiguous},
		{"", "v3,,v3", "unclaimed of a"},
		{"", strings.Repeat("v3,", 65), ambiguous},

		{"api_version=v1", "", "found old /x"},
		{"api_version=v3", "", "unclaimed of a"},
		{"api_version=V1", "", ambiguous},
		{"api_version=%76%31%00", "", ambiguous},
		{"api_version=v1%20", "", ambiguous},
		{"Api_Version=v1", "", ambiguous},
		{"api.version=v1", "", ambiguous},
		{"api%20version=v1", "", ambiguous},
		{"api%5Bversion=v1", "", ambiguous},
		{"+api_version=v1", "", ambiguous},
		{"api_version[]=v1", "", ambiguous},
		{"api_version[x][y]=V2", "", ambiguous},
		{"api_version[" + strings.Repeat("x", 200) + "]=v1", "", ambiguous},
		{strings.Repeat("+", 200) + "api_version=v1", "", ambiguous},
		{"api_version%00" + strings.Repeat("x", 200) + "=v1", "", ambiguous},
		{"api_version%00%=v1", "", ambiguous},
		{strings.Repeat("+", 200) + "api_versions=v1", "", "found new /x"},
		{"api_version%00x=v1", "", ambiguous},
		{"api_version+=v1", "", ambiguous},
		{"API_VERSION=" + strings.Repeat("v", 200), "", ambiguous}, // too long to be read
		// Beside a version that is named as it should be, it contradicts.
		{"Api_Version=v1", "v2", ambiguous},
		{"api_version=v2&api_version[]=v1", "", ambiguous},

		{"Api_Version=newest", "", "found new /x"},
		{"my_api_version=v1", "", "found new /x"},
		{"api_versions=v1", "", "found new /x"},
		{"api-version=v1", "", "found new /x"},
		{"a=api_version&b=v1", "", "found new /x"},
	} {
		var headers []string
		if row.value != "" {
			headers = []string{"X-Version", row.value}
		}
		have := askQuery(c, row.query, headers...)
		if have != row.want && !(row.want == ambiguous && strings.HasPrefix(have, "ambiguous")) {
			t.Errorf("?%.60s X-Version: %.60s: %s, want %s", row.query, row.value, have, row.want)
		}
	}
}

func TestADayInAnotherFormIsAmbiguous(t *testing.T) {
	day := Selector{Kind: SelectDate, Name: "X-Date"}
	c := compile(t, &API{Name: "a", Versions: []*Version{picked("2024-01-01", false, day), picked("2025-01-01", true, day)}})
	for value, want := range map[string]string{
		"2024-06-30":             "found 2024-01-01 /x",
		"2023-06-30":             "unclaimed of a",
		"soon":                   "unclaimed of a",
		"2024-06-30T00:00:00Z":   "ambiguous",
		`"2024-06-30"`:           "ambiguous",
		"2025-06-30, 2024-06-30": "ambiguous",
	} {
		if have := askQuery(c, "", "X-Date", value); !strings.HasPrefix(have, want) {
			t.Errorf("X-Date: %s: %s, want %s", value, have, want)
		}
	}
}
