//! Connections that this gateway opens to others: TLS 1.3 towards a server that one configured authority vouches for, without a certificate of
//! our own, and plain TCP on the loopback interface.
//!
//! Promises: the name in the URL is the one the certificate must carry; nothing but the given authorities is trusted.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::aws_lc_rs::default_provider, pki_types::ServerName, version::TLS13};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{
    client::{ClientError, certificates},
    state::ClockOfRustls,
};
use crate::clock::Clock;

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect to, and whom to trust there.
#[derive(Clone)]
pub struct Outbound {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Outbound {
    /// A server with a certificate of one of these authorities (PEM).
    pub fn https(host: &str, port: u16, ca_pem: &[u8], clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(ca_pem, "ca")? {
            roots.add(authority).map_err(|error| ClientError::Tls(error.to_string()))?;
        }
        let mut config = ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(ClockOfRustls(clock)))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| ClientError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let host = bare(host);
        let name = ServerName::try_from(host.clone()).map_err(|_| ClientError::BadGateway)?;
        Ok(Self { host, port, tls: Some((Arc::new(config).into(), name)) })
    }

    /// A server on this machine, without encryption.
    pub fn loopback(host: &str, port: u16) -> Result<Self, ClientError> {
        let host = bare(host);
        let address: Option<IpAddr> = match host.as_str() {
            "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
            other => other.parse().ok(),
        };
        match address {
            Some(address) if address.is_loopback() => Ok(Self { host: address.to_string(), port, tls: None }),
            _ => Err(ClientError::BadGateway),
        }
    }

    /// Connects. The deadline is the caller's.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        let unreachable = |source| ClientError::Unreachable { authority: format!("{}:{}", self.host, self.port), source };
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(tcp)) };
        let stream = connector.connect(name.clone(), tcp).await.map_err(|error: io::Error| ClientError::Tls(error.to_string()))?;
        Ok(Box::new(stream))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("host", &self.host).field("port", &self.port).field("tls", &self.tls.is_some()).finish()
    }
}

/// An IPv6 address in a URL stands in brackets.
fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_encryption_only_this_machine_is_reached() {
        for host in ["127.0.0.1", "127.9.8.7", "[::1]", "localhost"] {
            assert!(Outbound::loopback(host, 80).is_ok(), "{host}");
        }
        for host in ["10.0.0.1", "witness.example", "[fe80::1]", "localhost.example", "0.0.0.0", ""] {
            assert!(matches!(Outbound::loopback(host, 80), Err(ClientError::BadGateway)), "{host}");
        }
    }
}
