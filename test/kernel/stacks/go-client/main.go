// A client on crypto/tls.
//
//	go-client http URL CA-FILE COUNT PARALLEL BYTES   COUNT posts from PARALLEL goroutines
//	go-client http2 URL CA-FILE COUNT PARALLEL BYTES  the same over HTTP/2
//	go-client stack ADDRESS CA-FILE                   a goroutine reads into its own stack, which grows
//	                                                  while it does
//	go-client crowd ADDRESS CA-FILE                   a read waits while more reads begin, and are left,
//	                                                  than are kept track of
//	go-client answer ADDRESS CA-FILE                  a write within a read of the same connection
//	go-client last ADDRESS CA-FILE write|read         a call that does not return
//	go-client words COUNT                             calls with arguments on the stack, see stack_*.s
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func trusting(path string) *tls.Config {
	pem, err := os.ReadFile(path)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots}
}

func post(client *http.Client, url string, body []byte) {
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	check(err)
	_, err = io.Copy(io.Discard, response.Body)
	check(err)
	check(response.Body.Close())
	// Somewhere else, if the scheduler likes.
	runtime.Gosched()
}

func viaHTTP(arguments []string, isHTTP2 bool) {
	url, count, parallel := arguments[0], number(arguments[2]), number(arguments[3])
	body := make([]byte, number(arguments[4]))
	for i := range body {
		body[i] = byte('a' + i/3%26)
	}
	transport := &http.Transport{TLSClientConfig: trusting(arguments[1]), MaxIdleConnsPerHost: parallel, ForceAttemptHTTP2: isHTTP2}
	client := &http.Client{Transport: transport}
	jobs := make(chan int)
	var done sync.WaitGroup
	for i := 0; i < parallel; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for range jobs {
				post(client, url, body)
			}
		}()
	}
	for i := 0; i < count; i++ {
		jobs <- i
	}
	close(jobs)
	done.Wait()
	client.CloseIdleConnections()
}

// The buffer stays on the stack, because neither Read nor Write keeps it.
//
//go:noinline
func readOnStack(connection *tls.Conn) int {
	var buffer [700]byte
	total := 0
	for {
		n, err := connection.Read(buffer[:])
		total += n
		if err == io.EOF {
			return total
		}
		check(err)
	}
}

func viaStack(arguments []string) {
	configuration := trusting(arguments[1])
	configuration.ServerName = "localhost"
	result := make(chan int)
	go func() {
		connection, err := tls.Dial("tcp", arguments[0], configuration)
		check(err)
		_, err = connection.Write([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"))
		check(err)
		go func() {
			// A new goroutine has a small stack, and this Read needs more.
			result <- readOnStack(connection)
		}()
	}()
	if <-result == 0 {
		check(fmt.Errorf("nothing was read"))
	}
}

// More than bpf/maps/goroutine_calls.h keeps.
const crowdCalls = 48000

type panicking struct{ net.Conn }

func (panicking) Read([]byte) (int, error) {
	panic("left")
}

// Each deeper on the stack than the one before, so that none is in another's place.
func leaveReads(depth int) {
	if depth == 0 {
		return
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = tls.Server(panicking{}, &tls.Config{}).Read(make([]byte, 1))
	}()
	leaveReads(depth - 1)
}

func viaCrowd(arguments []string) {
	configuration := trusting(arguments[1])
	configuration.ServerName = "localhost"
	connection, err := tls.Dial("tcp", arguments[0], configuration)
	check(err)
	check(connection.Handshake())
	result := make(chan int)
	go func() {
		result <- readOnStack(connection)
	}()
	// The goroutine has to be in its first read.
	time.Sleep(200 * time.Millisecond)
	leaveReads(crowdCalls)
	_, err = connection.Write([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"))
	check(err)
	<-result
}

// Writes to the TLS connection that it carries while that reads, once.
type answering struct {
	net.Conn
	carried *tls.Conn
	answer  []byte
}

func (below *answering) Read(buffer []byte) (int, error) {
	if answer := below.answer; answer != nil {
		below.answer = nil
		_, err := below.carried.Write(answer)
		check(err)
	}
	return below.Conn.Read(buffer)
}

func viaAnswer(arguments []string) {
	configuration := trusting(arguments[1])
	configuration.ServerName = "localhost"
	plain, err := net.Dial("tcp", arguments[0])
	check(err)
	below := &answering{Conn: plain}
	connection := tls.Client(below, configuration)
	check(connection.Handshake())
	_, err = connection.Write([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"))
	check(err)
	below.carried = connection
	below.answer = []byte("abc")
	if readOnStack(connection) == 0 || below.answer != nil {
		check(fmt.Errorf("nothing was read"))
	}
}

func viaLast(arguments []string) {
	configuration := trusting(arguments[1])
	configuration.ServerName = "localhost"
	connection, err := tls.Dial("tcp", arguments[0], configuration)
	check(err)
	_, err = connection.Write(bytes.Repeat([]byte("a"), 100))
	check(err)
	if arguments[2] == "write" {
		_, err = connection.Write(make([]byte, 64<<20))
	} else {
		_, err = connection.Read(make([]byte, 1))
	}
	check(err)
}

// As in Go before 1.17: everything on the stack. Written in assembly; reads and writes nothing.
func stackRead(connection *int, buffer []byte) (int, error)
func stackWrite(connection *int, buffer []byte) (int, error)
func stackClose(connection *int) error

func viaWords(arguments []string) {
	connection := new(int)
	for i := 1; i <= number(arguments[0]); i++ {
		_, _ = stackWrite(connection, bytes.Repeat([]byte{byte('A' + i%26)}, i*10))
		_, _ = stackRead(connection, bytes.Repeat([]byte{byte('a' + i%26)}, i*7))
	}
	_ = stackClose(connection)
}

func main() {
	switch os.Args[1] {
	case "http", "http2":
		viaHTTP(os.Args[2:], os.Args[1] == "http2")
	case "stack":
		viaStack(os.Args[2:])
	case "answer":
		viaAnswer(os.Args[2:])
	case "last":
		viaLast(os.Args[2:])
	case "crowd":
		viaCrowd(os.Args[2:])
	case "words":
		viaWords(os.Args[2:])
	}
}
