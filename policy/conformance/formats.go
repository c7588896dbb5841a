package conformance

import (
	"math"
	"net/netip"
	"strconv"
)

// textFormats are the formats of strings that are asserted; a format that is not
// here is an annotation, as JSON Schema 2020-12 section 7.2.1 has it. They take
// bytes and allocate nothing, unless said otherwise.
var textFormats = map[string]func([]byte) bool{
	"date":      isDate,
	"date-time": isDateTime,
	"time":      isTime,
	"duration":  isDuration,
	"uuid":      isUUID,
	"email":     isEmail,
	"uri":       isURI,
	"hostname":  isHostname,
	"ipv4":      isIPv4,
	"ipv6":      isIPv6,
	"byte":      isBase64,
}

// numberFormats are the formats of numbers that are asserted.
var numberFormats = map[string]func(*decimal) bool{
	"int32":  func(d *decimal) bool { return d.within(&minInt32, &maxInt32) },
	"int64":  func(d *decimal) bool { return d.within(&minInt64, &maxInt64) },
	"float":  func(d *decimal) bool { return d.representable(32) },
	"double": func(d *decimal) bool { return d.representable(64) },
}

var (
	minInt32 = parseDecimal([]byte("-2147483648"))
	maxInt32 = parseDecimal([]byte("2147483647"))
	minInt64 = parseDecimal([]byte("-9223372036854775808"))
	maxInt64 = parseDecimal([]byte("9223372036854775807"))
)

func (d *decimal) within(low, high *decimal) bool {
	return d.integer() && d.compare(low) >= 0 && d.compare(high) <= 0
}

// representable tells whether d is within the range of a float of that many
// bits. Everything below 10^38 is; only longer numbers are parsed.
func (d *decimal) representable(size int) bool {
	if !d.big && d.exp < 18 {
		return true
	}
	f, err := strconv.ParseFloat(string(d.text), size)
	return err == nil && !math.IsInf(f, 0)
}

// pair reads two decimal digits, -1 for none.
func pair(b []byte) int {
	if b[0]-'0' > 9 || b[1]-'0' > 9 {
		return -1
	}
	return int(b[0]-'0')*10 + int(b[1]-'0')
}

// isDate is RFC 3339 full-date: a day that the calendar has.
func isDate(b []byte) bool {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return false
	}
	century, rest, month, day := pair(b), pair(b[2:]), pair(b[5:]), pair(b[8:])
	if century < 0 || rest < 0 || month < 1 || month > 12 || day < 1 {
		return false
	}
	last := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	year := century*100 + rest
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		last = 29
	}
	return day <= last
}

// isTime is RFC 3339 full-time. A leap second is one only at 23:59:60 UTC.
func isTime(b []byte) bool {
	if len(b) < 9 || b[2] != ':' || b[5] != ':' {
		return false
	}
	hour, minute, second := pair(b), pair(b[3:]), pair(b[6:])
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return false
	}
	b = b[8:]
	if b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	offset := 0
	switch {
	case len(b) == 1 && b[0]|0x20 == 'z':
	case len(b) == 6 && (b[0] == '+' || b[0] == '-') && b[3] == ':':
		h, m := pair(b[1:]), pair(b[4:])
		if h < 0 || h > 23 || m < 0 || m > 59 {
			return false
		}
		if offset = h*60 + m; b[0] == '-' {
			offset = -offset
		}
	default:
		return false
	}
	const day = 24 * 60
	return second < 60 || (hour*60+minute-offset+2*day)%day == day-1
}

func isDateTime(b []byte) bool {
	return len(b) > 11 && b[10]|0x20 == 't' && isDate(b[:10]) && isTime(b[11:])
}

// isDuration is RFC 3339 appendix A: P1Y2M3DT4H5M6S, or weeks alone.
func isDuration(b []byte) bool {
	if len(b) < 3 || b[0] != 'P' {
		return false
	}
	b = b[1:]
	if b[len(b)-1] == 'W' {
		return len(b) > 1 && digits(b) == len(b)-1
	}
	units, timed := "YMD", false
	for len(b) > 0 {
		if b[0] == 'T' {
			if timed || len(b) == 1 {
				return false
			}
			units, timed, b = "HMS", true, b[1:]
		}
		n := digits(b)
		if n == 0 || n == len(b) {
			return false
		}
		// The grammar lets no unit be left out between two that are there: P1Y2D
		// is none.
		at := 0
		for at < len(units) && units[at] != b[n] {
			at++
		}
		if at == len(units) || len(units) < 3 && at != 0 {
			return false
		}
		units, b = units[at+1:], b[n+1:]
		if len(units) == 0 {
			units = "."
		}
	}
	return true
}

func isUUID(b []byte) bool {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	return allHex(b[:8])&allHex(b[9:13])&allHex(b[14:18])&allHex(b[19:23])&allHex(b[24:36]) == 1
}

// allHex is 1 where all of b are hexadecimal digits, else 0.
func allHex(b []byte) uint8 {
	bad := uint8(0)
	for _, c := range b {
		bad |= notHex[c]
	}
	return bad ^ 1
}

// notHex is 1 for every byte that is no hexadecimal digit.
var notHex = func() (table [256]uint8) {
	for c := range table {
		if _, ok := hexDigit(byte(c)); !ok {
			table[c] = 1
		}
	}
	return table
}()

// isIPv4 is RFC 2673 section 3.2: four decimal numbers without leading zeros.
func isIPv4(b []byte) bool {
	parts := 0
	for {
		n := digits(b)
		if n < 1 || n > 3 || n > 1 && b[0] == '0' {
			return false
		}
		v := 0
		for _, c := range b[:n] {
			v = v*10 + int(c-'0')
		}
		if v > 255 {
			return false
		}
		b = b[n:]
		if parts++; parts == 4 {
			return len(b) == 0
		}
		if len(b) == 0 || b[0] != '.' {
			return false
		}
		b = b[1:]
	}
}

// isIPv6 is RFC 4291 section 2.2, without a zone. It allocates.
func isIPv6(b []byte) bool {
	if len(b) > 45 {
		return false
	}
	a, err := netip.ParseAddr(string(b))
	return err == nil && a.Is6() && a.Zone() == ""
}

// isBase64 is RFC 4648 section 4, with its padding.
func isBase64(b []byte) bool {
	if len(b)%4 != 0 {
		return false
	}
	for n := 0; n < 2 && len(b) > 0 && b[len(b)-1] == '='; n++ {
		b = b[:len(b)-1]
	}
	for _, c := range b {
		if c|0x20-'a' >= 26 && c-'0' > 9 && c != '+' && c != '/' {
			return false
		}
	}
	return len(b)%4 != 1
}
