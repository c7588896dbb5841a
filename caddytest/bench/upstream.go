package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
)

// answer is what the upstream says to everything. Its length is announced, since a
// proxy then needs no chunks.
// What growth discovers gets answers of many lengths: one for everything would be a
// sign of no route at all.
const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}"

// serveUpstream answers on a socket of its own, whose address it prints, with as
// little work as framing needs.
func serveUpstream(out io.Writer) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	fmt.Fprintln(out, l.Addr())
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go answerAll(conn)
	}
}

func answerAll(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	for {
		spaces := -1
		length, err := readHead(in, func(line []byte) { spaces = spacesFor(line) })
		if err != nil {
			return
		}
		if _, err := in.Discard(max(length, 0)); err != nil {
			return
		}
		text := answer
		if spaces >= 0 {
			text = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{%*s}", spaces+2, spaces, "")
		}
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

const discovered = "/v2/word-"

// spacesFor is how many the answer to a discovered path has, -1 for any other path.
func spacesFor(line []byte) int {
	_, path, ok := bytes.Cut(line, []byte(discovered))
	if !ok {
		return -1
	}
	sum := uint32(0)
	for _, c := range path {
		sum = sum*2654435761 + uint32(c)
	}
	return int(sum >> 16 % 61)
}

var lengthField = []byte("content-length:")

// readHead reads a head up to its empty line, gives the first line to start, and
// returns the announced length, -1 without one.
func readHead(in *bufio.Reader, start func([]byte)) (length int, err error) {
	length = -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return length, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		if first {
			start(line)
			continue
		}
		if n := len(lengthField); len(line) > n && bytes.EqualFold(line[:n], lengthField) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[n:]))); err != nil {
				return length, err
			}
		}
	}
}
