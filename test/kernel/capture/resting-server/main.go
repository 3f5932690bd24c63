// An HTTPS server that asks a model server itself when it gets a request for /ask, and begins a download of some
// 60 MB/s from DOWNLOAD-URL, which has no end, when it gets one for /download. Prints its port.
//
//	resting-server CERTIFICATE KEY CA MODEL-URL MODEL-HOST DOWNLOAD-URL
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const question = `{"model":"gpt-5.2-mini","messages":[{"role":"user","content":"Hi"}]}`

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func download(config *tls.Config) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	response, err := client.Get(os.Args[6])
	check(err)
	part := make([]byte, 16384)
	for {
		for i := 0; i < 64; i++ {
			_, err := io.ReadFull(response.Body, part)
			check(err)
		}
		time.Sleep(16 * time.Millisecond)
	}
}

func main() {
	pem, err := os.ReadFile(os.Args[3])
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	http.HandleFunc("/ask", func(writer http.ResponseWriter, request *http.Request) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		client := &http.Client{Transport: transport}
		asked, err := http.NewRequest("POST", os.Args[4], strings.NewReader(question))
		check(err)
		asked.Host = os.Args[5]
		asked.Header.Set("Content-Type", "application/json")
		response, err := client.Do(asked)
		check(err)
		_, err = io.Copy(writer, response.Body)
		check(err)
		response.Body.Close()
		transport.CloseIdleConnections()
	})
	http.HandleFunc("/download", func(writer http.ResponseWriter, request *http.Request) {
		go download(&tls.Config{RootCAs: roots})
	})
	http.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		fmt.Fprintln(writer, "well")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	check(http.ServeTLS(listener, nil, os.Args[1], os.Args[2]))
}
