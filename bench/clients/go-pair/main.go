// The same as openssl_pair.c on Go's crypto/tls.
//
//	go-pair CERTIFICATE KEY COUNT BYTES
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Once the handshake is over, both ends are used in turn on one goroutine.
type end struct {
	net.Conn
	in, out  *bytes.Buffer
	isDirect bool
}

func (e *end) Read(b []byte) (int, error) {
	if e.isDirect {
		return e.in.Read(b)
	}
	return e.Conn.Read(b)
}

func (e *end) Write(b []byte) (int, error) {
	if e.isDirect {
		return e.out.Write(b)
	}
	return e.Conn.Write(b)
}

func cpuTimeNs() int64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	check(err)
	count, err := strconv.Atoi(os.Args[3])
	check(err)
	size, err := strconv.Atoi(os.Args[4])
	check(err)
	up, down := &bytes.Buffer{}, &bytes.Buffer{}
	near, far := net.Pipe()
	serverEnd := &end{Conn: near, in: up, out: down}
	clientEnd := &end{Conn: far, in: down, out: up}
	server := tls.Server(serverEnd, &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		SessionTicketsDisabled: true,
	})
	client := tls.Client(clientEnd, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error)
	go func() { done <- server.Handshake() }()
	check(client.Handshake())
	check(<-done)
	serverEnd.isDirect, clientEnd.isDirect = true, true
	message := make([]byte, size)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		start := cpuTimeNs()
		for i := 0; i < count; i++ {
			_, err := server.Write(message)
			check(err)
			_, err = io.ReadFull(client, message)
			check(err)
		}
		fmt.Println((cpuTimeNs() - start) / int64(count))
	}
}
