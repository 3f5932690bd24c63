//! A client on rustls: `rustls-client ADDRESS CA-FILE ROUNDS CONNECTIONS BYTES [1.2]`. In each round it opens
//! CONNECTIONS connections, sends a request of BYTES bytes on each of them, and then reads all answers in turn.
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize| arguments[at].parse::<usize>().expect("a number");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&arguments[2]).expect("a file of certificates")
    {
        roots
            .add(certificate.expect("a certificate"))
            .expect("an authority");
    }
    let versions: &[&rustls::SupportedProtocolVersion] = match arguments.get(6).map(String::as_str)
    {
        Some("1.2") => &[&rustls::version::TLS12],
        _ => &[&rustls::version::TLS13],
    };
    let config = Arc::new(
        ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots)
            .with_no_client_auth(),
    );
    for round in 0..number(3) {
        let mut streams: Vec<_> = (0..number(4))
            .map(|_| {
                let name = ServerName::try_from("localhost").expect("a name");
                let connection = ClientConnection::new(config.clone(), name).expect("a connection");
                let socket = TcpStream::connect(&arguments[1]).expect("a server");
                StreamOwned::new(connection, socket)
            })
            .collect();
        let bytes = number(5);
        for (index, stream) in streams.iter_mut().enumerate() {
            let close = "Connection: close\r\n";
            write!(
                stream,
                "POST /{round}/{index} HTTP/1.1\r\nHost: localhost\r\n{close}Content-Length: {bytes}\r\n\r\n"
            )
            .expect("a request");
            let body: Vec<u8> = (0..bytes).map(|at| b'a' + (at / 3 % 26) as u8).collect();
            // In pieces of a size that no buffer has.
            for piece in body.chunks(30_011) {
                stream.write_all(piece).expect("a body");
            }
            stream.flush().expect("a flush");
        }
        for stream in streams.iter_mut() {
            let mut answer = vec![0; 3000];
            loop {
                match stream.read(&mut answer) {
                    Ok(0) => break,
                    Ok(_) => continue,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}
