package harness

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
)

// HTTP3 is one HTTP/3 connection whose field sections are written as they are given, as
// [HTTP2] is: [Caddy.Do3] writes what a client's library lets pass.
type HTTP3 struct{ conn *quic.Conn }

// The types of frames and of streams (RFC 9114, sections 7.2 and 6.2), and of the setting
// that says that extended CONNECT is understood (RFC 9220, section 3).
const (
	frameData, frameHeaders, frameSettings = 0x0, 0x1, 0x4
	controlStream                          = 0x0
	enableConnect                          = 0x8
)

// Dial3 opens an HTTP/3 connection to the TLS listener and names sni in the handshake.
func (c *Caddy) Dial3(t testing.TB, sni string) *HTTP3 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), exchangeTimeout)
	t.Cleanup(cancel)
	security := &tls.Config{ServerName: sni, InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}} // made up by Caddy just now
	var conn *quic.Conn
	Await(t, "a QUIC handshake for "+sni, func() (string, bool) { // as in Dial2
		var err error
		conn, err = quic.DialAddr(ctx, c.HTTPS, security, &quic.Config{EnableDatagrams: true})
		return fmt.Sprint(err), err == nil
	})
	h := &HTTP3{conn}
	t.Cleanup(h.Close)
	control, err := conn.OpenUniStream()
	if err != nil {
		t.Fatalf("opening the control stream: %v", err)
	}
	settings := quicvarint.Append(quicvarint.Append(nil, enableConnect), 1)
	if _, err := control.Write(append(quicvarint.Append(nil, controlStream), frame3(frameSettings, settings)...)); err != nil {
		t.Fatalf("sending settings: %v", err)
	}
	return h
}

// Close closes the connection.
func (h *HTTP3) Close() { _ = h.conn.CloseWithError(0, "") }

// Exchange opens a stream, sends exactly these fields, the body and, when there are any,
// the trailers, and reads the answer: an error when the stream was reset or the connection
// given up before it was whole.
func (h *HTTP3) Exchange(t testing.TB, fields []Field, body []byte, trailers ...Field) (Answer, error) {
	t.Helper()
	stream, err := h.conn.OpenStreamSync(t.Context())
	if err != nil {
		return Answer{}, err
	}
	_ = stream.SetDeadline(time.Now().Add(exchangeTimeout))
	message := frame3(frameHeaders, section3(t, fields))
	if len(body) > 0 {
		message = append(message, frame3(frameData, body)...)
	}
	if len(trailers) > 0 {
		message = append(message, frame3(frameHeaders, section3(t, trailers))...)
	}
	// What refuses a request may do so before it has it all.
	if _, err := stream.Write(message); err == nil {
		_ = stream.Close()
	}
	return readAnswer3(stream)
}

func frame3(kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload))), payload...)
}

func section3(t testing.TB, fields []Field) []byte {
	t.Helper()
	var section bytes.Buffer
	encoder := qpack.NewEncoder(&section)
	for _, f := range fields {
		if err := encoder.WriteField(qpack.HeaderField{Name: f.Name, Value: f.Value}); err != nil {
			t.Fatalf("encoding %v: %v", f, err)
		}
	}
	return section.Bytes()
}

func readAnswer3(stream io.Reader) (answer Answer, err error) {
	in := quicvarint.NewReader(stream)
	for {
		kind, err := quicvarint.Read(in)
		if errors.Is(err, io.EOF) && answer.Status != 0 {
			return answer, nil
		}
		if err != nil {
			return answer, err
		}
		length, err := quicvarint.Read(in)
		if err != nil {
			return answer, err
		}
		payload, err := io.ReadAll(io.LimitReader(in, int64(length)))
		if err != nil {
			return answer, err
		}
		switch kind {
		case frameData:
			answer.Body = append(answer.Body, payload...)
		case frameHeaders:
			if err := answer.section(payload); err != nil {
				return answer, err
			}
		}
	}
}

// section takes over a field section. One without a status has trailers.
func (a *Answer) section(payload []byte) error {
	fields, status := make(http.Header), 0
	next := qpack.NewDecoder().Decode(payload)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if f.Name == ":status" {
			status, err = strconv.Atoi(f.Value)
			if err != nil {
				return err
			}
			continue
		}
		fields.Add(f.Name, f.Value)
	}
	switch {
	case status == 0:
		a.Trailer = fields
	case status < 200:
		a.Interim = append(a.Interim, status)
	default:
		a.Status, a.Header = status, fields
	}
	return nil
}
