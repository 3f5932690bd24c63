// An HTTPS server with nothing of a model in it: answers every request with the same kilobyte. Prints its port.
//
//	go-server CERTIFICATE KEY
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	answer := bytes.Repeat([]byte("0123456789abcdef"), 64)
	handler := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/octet-stream")
		_, err := writer.Write(answer)
		check(err)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	check(http.ServeTLS(listener, handler, os.Args[1], os.Args[2]))
}
