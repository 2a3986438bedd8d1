//! One HTTP request to a witness, bounded in bytes and time. Redirects are not followed.

use std::str::FromStr;

use bytes::Bytes;
use http::{
    Method, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{Away, Witness, WitnessError, wire::SIZE_TYPE};

/// A submission prefix: `https://host[:port][/path]`, or `http://` on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    encrypted: bool,
    authority: http::uri::Authority,
    path: String,
}

impl Prefix {
    /// Whether it is `https`.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(super) fn host(&self) -> &str {
        self.authority.host()
    }

    pub(super) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.encrypted { 443 } else { 80 })
    }
}

impl FromStr for Prefix {
    type Err = WitnessError;

    fn from_str(text: &str) -> Result<Self, WitnessError> {
        let uri: Uri = text.parse().map_err(|_| WitnessError::Url)?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WitnessError::Url),
        };
        let authority = uri.authority().cloned().ok_or(WitnessError::Url)?;
        if uri.query().is_some() || text.contains(['#', '@']) || authority.host().is_empty() || authority.port_u16() == Some(0) {
            return Err(WitnessError::Url);
        }
        Ok(Self { encrypted, authority, path: uri.path().trim_end_matches('/').to_owned() })
    }
}

/// What a witness answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Whether the body is said to name a size.
    pub(super) names_size: bool,
    pub(super) body: Bytes,
}

impl Witness {
    /// Posts an `add-checkpoint` body and reads the whole answer.
    pub(super) async fn post(&self, body: String) -> Result<Answer, Away> {
        timeout(self.deadline, self.exchange(body)).await.map_err(|_| Away::TooSlow)?
    }

    async fn exchange(&self, body: String) -> Result<Answer, Away> {
        let stream = self.outbound.connect().await.map_err(|error| Away::Unreachable(error.to_string()))?;
        let broken = |error: hyper::Error| Away::Unreachable(error.to_string());
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with this exchange, whatever the witness does.
        let driver = Driver(tokio::spawn(connection));
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/add-checkpoint", self.prefix.path))
            .header(HOST, self.prefix.authority.as_str())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Away::Form)?;
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = match Limited::new(body, MOST_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Away::TooLarge),
            Err(error) => return Err(Away::Unreachable(error.to_string())),
        };
        drop(driver);
        let names_size = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == SIZE_TYPE.as_bytes());
        Ok(Answer { status: head.status, names_size, body })
    }
}

struct Driver(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A cosignature is 150 bytes; a witness may add lines of other kinds, of up to 5 kB.
const MOST_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_strictly() {
        let prefix: Prefix = "https://witness.example/some/where/".parse().unwrap();
        assert_eq!((prefix.host(), prefix.port(), prefix.path.as_str()), ("witness.example", 443, "/some/where"));
        let prefix: Prefix = "http://[::1]:7380".parse().unwrap();
        assert_eq!((prefix.host(), prefix.port(), prefix.path.as_str(), prefix.is_encrypted()), ("[::1]", 7380, "", false));
        for bad in [
            "",
            "witness.example",
            "ftp://witness.example",
            "https://",
            "https:///x",
            "https://a@b",
            "https://a/?x",
            "https://a/#x",
            "https://a:0/",
        ] {
            assert!(matches!(bad.parse::<Prefix>(), Err(WitnessError::Url)), "{bad}");
        }
    }
}
