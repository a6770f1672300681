//! Where a server listens, by its command.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::error::ServerError;

/// The port that `vllm serve` takes unless told otherwise.
const DEFAULT_PORT: u16 = 8000;
/// Longest wait for a connection when looking whether somebody listens.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Host and port of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or address, as the command has it.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Address {
    /// Reads `--host`, `-p` and `--port` of a command, with the defaults of
    /// `vllm serve`: `localhost` and 8000. The last one counts, as for the
    /// server; `--port=N` is understood as well.
    ///
    /// # Errors
    /// The port is no port.
    pub fn of_command(words: &[String]) -> Result<Self, ServerError> {
        let host = option(words, &["--host"]).unwrap_or("localhost").to_owned();
        let port = match option(words, &["-p", "--port"]) {
            None => DEFAULT_PORT,
            Some(word) => match word.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(ServerError::Port { word: word.to_owned() }),
            },
        };
        Ok(Self { host, port })
    }

    /// The base URL.
    pub fn url(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("http://[{address}]:{}", self.port),
            _ => format!("http://{}:{}", self.host, self.port),
        }
    }

    /// Whether somebody listens there: a connection is accepted, or the port
    /// cannot be had.
    pub fn in_use(&self) -> bool {
        self.accepts()
            || self.resolved().any(|address| {
                TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
            })
    }

    /// Whether a connection is accepted.
    pub fn accepts(&self) -> bool {
        self.resolved().any(|address| {
            // On the loopback interface a connection to a port that nobody
            // listens on may come out as one to itself.
            TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)
                .is_ok_and(|stream| stream.local_addr().ok() != stream.peer_addr().ok())
        })
    }

    fn resolved(&self) -> impl Iterator<Item = SocketAddr> {
        (self.host.as_str(), self.port).to_socket_addrs().into_iter().flatten()
    }
}

/// The last value of any of these options.
fn option<'a>(words: &'a [String], names: &[&str]) -> Option<&'a str> {
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        if names.contains(&word.as_str()) {
            found = words.get(at + 1).map(String::as_str).or(found);
        } else if let Some((name, value)) = word.split_once('=')
            && names.contains(&name)
        {
            found = Some(value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Address, ServerError> {
        Address::of_command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_says_where() {
        for (line, url) in [
            ("vllm serve m", "http://localhost:8000"),
            ("vllm serve m --host 127.0.0.1 --port 9", "http://127.0.0.1:9"),
            ("vllm serve m -p 7", "http://localhost:7"),
            ("vllm serve m --port=7 --host ::1", "http://[::1]:7"),
            ("vllm serve m --port 1 --port 2", "http://localhost:2"),
            ("vllm serve m --port", "http://localhost:8000"),
        ] {
            assert_eq!(of(line).unwrap().url(), url, "{line}");
        }
        for line in ["s --port x", "s --port 0", "s --port 70000"] {
            assert!(of(line).unwrap_err().to_string().contains("is no port"), "{line}");
        }
    }

    #[test]
    fn a_listener_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        assert!(address.in_use());
        drop(listener);
        assert!(!address.in_use());
        assert!(!Address { host: "no such host.invalid".into(), port: 1 }.in_use());
    }
}
