package policy

import "net/http"

// Reason is why a request is refused: the last part of a problem's type, and a
// label in logs and in the inventory. The set is fixed.
type Reason string

// The reasons, as clients, logs and placeholders have them.
const (
	ReasonMalformedTarget      Reason = "malformed-target"
	ReasonAmbiguousTarget      Reason = "ambiguous-target"
	ReasonVersionAmbiguous     Reason = "version-ambiguous"
	ReasonTooEarly             Reason = "too-early"
	ReasonUnknownHost          Reason = "unknown-host"
	ReasonUnknownRoute         Reason = "unknown-route"
	ReasonMethodNotAllowed     Reason = "method-not-allowed"
	ReasonAudienceDenied       Reason = "audience-denied"
	ReasonQuotaExceeded        Reason = "quota-exceeded"
	ReasonLimitsUnavailable    Reason = "limits-unavailable"
	ReasonVersionRetired       Reason = "version-retired"
	ReasonVersionBrownout      Reason = "version-brownout"
	ReasonCredentialsMissing   Reason = "credentials-missing"
	ReasonRequestInvalid       Reason = "request-invalid"
	ReasonBodyTooLarge         Reason = "body-too-large"
	ReasonMediaTypeUnsupported Reason = "media-type-unsupported"
	ReasonBodyTimeout          Reason = "body-timeout"
	ReasonTooManyBodies        Reason = "too-many-bodies"
	ReasonResponseInvalid      Reason = "response-invalid"
	ReasonUpgradeRefused       Reason = "upgrade-refused"
	ReasonUpgradeRemoved       Reason = "upgrade-removed"
	ReasonHeaderRemoved        Reason = "header-removed"
	ReasonInternalError        Reason = "internal-error"
)

// reasonText is what a problem says of a reason to the client. Nothing in it
// comes from the request.
var reasonText = map[Reason]struct {
	status        int
	title, detail string
}{
	ReasonMalformedTarget:      {http.StatusBadRequest, "Malformed request target", "The request target or its framing can be read in more than one way. Send it in the canonical form of RFC 3986."},
	ReasonAmbiguousTarget:      {http.StatusBadRequest, "Ambiguous request target", "The path differs from a documented one by letter case or a trailing slash. Send it exactly as documented."},
	ReasonVersionAmbiguous:     {http.StatusBadRequest, "Ambiguous API version", "The request names more than one version of the API. Name one."},
	ReasonTooEarly:             {http.StatusTooEarly, "Too early", "The request came in TLS early data, which anybody may repeat and from any address. Send it again once the handshake is complete."},
	ReasonUnknownHost:          {http.StatusMisdirectedRequest, "Unknown host", "No API is served under this host name."},
	ReasonUnknownRoute:         {http.StatusNotFound, "Unknown route", "No version of this API documents this path."},
	ReasonMethodNotAllowed:     {http.StatusMethodNotAllowed, "Method not allowed", "The path is documented, but not with this method. The Allow header lists those that are."},
	ReasonAudienceDenied:       {http.StatusForbidden, "Not for this network", "This version of the API is not served to the network that the request came from."},
	ReasonQuotaExceeded:        {http.StatusTooManyRequests, "Quota exceeded", "A rate limit of this API is used up. Wait as long as Retry-After says."},
	ReasonLimitsUnavailable:    {http.StatusServiceUnavailable, "Limits unavailable", "A rate limit of this API cannot be checked at the moment. Send the request again after Retry-After."},
	ReasonVersionRetired:       {http.StatusGone, "Version retired", "This version of the API, or this operation of it, is no longer served. The Link header names its successor where there is one."},
	ReasonVersionBrownout:      {http.StatusGone, "Version in a brownout", "This version of the API is about to be retired and is not served for a while, so that its callers notice. The Link header names its successor where there is one."},
	ReasonCredentialsMissing:   {http.StatusUnauthorized, "Credentials missing", "The API's description asks for credentials that the request does not carry in the form of their scheme. The WWW-Authenticate header says which."},
	ReasonRequestInvalid:       {http.StatusBadRequest, "Invalid request", "The request is not what the API's description asks for; errors says where."},
	ReasonBodyTooLarge:         {http.StatusRequestEntityTooLarge, "Body too large", "The request body is larger than this API accepts."},
	ReasonMediaTypeUnsupported: {http.StatusUnsupportedMediaType, "Unsupported media type", "The request body's media type or coding is not one that the operation accepts. The Accept header lists those that are."},
	ReasonBodyTimeout:          {http.StatusRequestTimeout, "Request body too slow", "The request body did not arrive in time."},
	ReasonTooManyBodies:        {http.StatusServiceUnavailable, "Too many request bodies", "The gateway holds as many request bodies as it may at one time. Send the request again."},
	ReasonResponseInvalid:      {http.StatusBadGateway, "Invalid response", "The service answered with something that the API's description does not allow. It was not passed on."},
	ReasonUpgradeRefused:       {http.StatusNotImplemented, "Protocol not served", "This operation is not served over the protocol that the request asks for."},
	ReasonInternalError:        {http.StatusInternalServerError, "Internal error", "The gateway could not judge this request, so it was not passed on."},
}
