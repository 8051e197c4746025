//! Where to listen, written as Prometheus' own programs take it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

/// `host:port`; `:port` means every address of this machine, by IPv6 and IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Every,
    Ip(IpAddr),
    Name(String),
}

/// A text that is no address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// No colon before a port.
    #[error("has no port: write it as :10427, 127.0.0.1:10427 or [::1]:10427")]
    NoPort,
    /// What follows the last colon is no port.
    #[error("the port is not a number up to 65535")]
    Port,
    /// What precedes the port is neither an address nor a name.
    #[error("the host is neither an IP address (IPv6 in brackets) nor a name")]
    Host,
}

impl FromStr for ListenAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidAddress::NoPort)?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidAddress::Port);
        }
        let port = port.parse().map_err(|_| InvalidAddress::Port)?;
        Ok(Self { host: host.parse()?, port })
    }
}

impl FromStr for Host {
    type Err = InvalidAddress;

    fn from_str(host: &str) -> Result<Self, InvalidAddress> {
        if host.is_empty() {
            return Ok(Self::Every);
        }
        if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            let ip = inner.parse::<Ipv6Addr>().map_err(|_| InvalidAddress::Host)?;
            return Ok(Self::Ip(ip.into()));
        }
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_name = host.chars().all(fits) && host.contains(|c: char| c.is_ascii_alphabetic());
        if is_name { Ok(Self::Name(host.to_owned())) } else { Err(InvalidAddress::Host) }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            Host::Every => write!(f, ":{port}"),
            Host::Ip(ip) => SocketAddr::new(*ip, port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{port}"),
        }
    }
}

impl ListenAddress {
    /// Whether only this machine can reach it. Of names, only `localhost` is known to be so.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Every => false,
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: ListenAddress,
    source: io::Error,
}

/// Listens on `address`. With port 0 the system chooses one.
pub async fn bind(address: &ListenAddress) -> Result<TcpListener, BindError> {
    let bound = match &address.host {
        Host::Every => bind_every(address.port).await,
        Host::Ip(ip) => TcpListener::bind((*ip, address.port)).await,
        Host::Name(name) => bind_name(name, address).await,
    };
    bound.map_err(|source| BindError { address: address.clone(), source })
}

/// An IPv6 socket on `[::]` takes IPv4 too; where there is no IPv6, IPv4 alone.
async fn bind_every(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if means_no_ipv6(&error) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

fn means_no_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// The first address of `name`, an IPv4 one before any other. A name that counts as loopback stays
/// there, whatever the resolver says.
async fn bind_name(name: &str, address: &ListenAddress) -> io::Result<TcpListener> {
    let found = tokio::net::lookup_host((name, address.port)).await?;
    let chosen = found
        .filter(|found| !address.is_loopback() || found.ip().is_loopback())
        .min_by_key(SocketAddr::is_ipv6)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no such address"))?;
    TcpListener::bind(chosen).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_prometheus_takes_them() {
        for (text, shown, loopback) in [
            (":10427", ":10427", false),
            (":0", ":0", false),
            ("0.0.0.0:10427", "0.0.0.0:10427", false),
            ("127.0.0.1:10427", "127.0.0.1:10427", true),
            ("127.8.9.10:80", "127.8.9.10:80", true),
            ("192.0.2.1:80", "192.0.2.1:80", false),
            ("[::]:10427", "[::]:10427", false),
            ("[::1]:10427", "[::1]:10427", true),
            ("[2001:db8::1]:80", "[2001:db8::1]:80", false),
            ("localhost:10427", "localhost:10427", true),
            ("LOCALHOST:1", "LOCALHOST:1", true),
            ("exporter-1.example.com:65535", "exporter-1.example.com:65535", false),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        use InvalidAddress::{Host, NoPort, Port};
        for (text, error) in [
            ("", NoPort),
            ("10427", NoPort),
            ("localhost", NoPort),
            (":", Port),
            (":http", Port),
            (":65536", Port),
            (":-1", Port),
            (":+1", Port),
            ("::1:10427", Host),
            ("::1", Host),
            ("[::1]", Port),
            ("[127.0.0.1]:80", Host),
            ("300.1.1.1:80", Host),
            ("http://localhost:80", Host),
            ("a b:80", Host),
            ("*:80", Host),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text:?}");
        }
    }

    #[tokio::test]
    async fn every_address_takes_ipv4_too() {
        let listener = bind(&":0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = bind(&"localhost:0".parse().unwrap()).await.unwrap();
        let again = taken.local_addr().unwrap().to_string();
        let error = bind(&again.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {again}"));
    }
}
