package apiguard

import (
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// places are the options of the blocks, for who writes one where it is none.
var places = []struct {
	block   string
	options string
}{
	{"api_guard", "api api_catalog audience body_memory cluster consumers coverage integration inventory lax_proxies max_document mode passthrough policy refusals table_slots type_base watch"},
	{"policy", "audience credentials format headers lifecycle limit request response target unknown_host unknown_route upgrade"},
	{"api", "audience credentials headers lifecycle limit owner purpose request response target unknown_route upgrade version"},
	{"version", "audience brownout credentials default deprecated docs environment exception headers hosts lifecycle limit multi_segment owner path request response select spec state successor sunset target unknown_route upgrade upgrades"},
	{"limit", "algorithm burst concurrency cost count headers key mode on_store_failure operations penalty protect quota rate"},
	{"exception", "consumer limit reason rule until"},
	{"inventory", "file page_size retention sample"},
	{"cluster", "prefix secret"},
	{"integration", "consumer data owner purpose until"},
	{"passthrough", "hosts methods path reason"},
	{"request", "body_idle_timeout body_timeout max_body status unknown_parameters"},
	{"response", "max_body"},
}

// meantOption says what somebody may have meant by an option that is not one of known:
// that of another block, or one of known that it is nearly.
func meantOption(option string, known []string) string {
	if where := belongs(option); where != "" {
		return where
	}
	return catalogue.Nearly(option, known)
}

// belongs says into which blocks an option belongs, for a message that it does not
// stand in one of them; nothing where it is an option of none.
func belongs(option string) string {
	var blocks []string
	for _, p := range places {
		if strings.Contains(" "+p.options+" ", " "+option+" ") {
			blocks = append(blocks, p.block)
		}
	}
	if len(blocks) == 0 {
		return ""
	}
	list := blocks[len(blocks)-1]
	if rest := blocks[:len(blocks)-1]; len(rest) > 0 {
		list = strings.Join(rest, ", ") + " or " + list
	}
	return ", which belongs into " + list
}
