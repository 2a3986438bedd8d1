//! The body of a release: it leaves in time or not at all (`ledger.md` section 1, promise 6).
//!
//! Its first byte goes alone, and what follows is given only in time: an HTTP/2 reader that opens no window gets a broken answer and not an old one.
//! Over HTTP/1.1 hyper and the kernel take a small answer at once; one that is not read then waits in their buffers until the connection's own
//! deadline ends it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::clock::Stopwatch;

/// A body that must begin to leave within a time.
#[derive(Debug)]
pub(super) struct Leaving {
    left: Bytes,
    begun: bool,
    committed: Stopwatch,
}

impl Leaving {
    /// Bytes that were committed when the stopwatch was started.
    pub(super) const fn new(bytes: Bytes, committed: Stopwatch) -> Self {
        Self { left: bytes, begun: false, committed }
    }
}

/// Whether what was committed then may begin to leave now.
pub(super) fn in_time(committed: Stopwatch) -> bool {
    committed.elapsed() <= LEAVES_WITHIN
}

/// The release was not taken in time.
#[derive(Debug, thiserror::Error)]
#[error("the release could not leave in time")]
pub(super) struct TooLate;

impl Body for Leaving {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if !in_time(self.committed) {
            self.left.clear();
            return Poll::Ready(Some(Err(TooLate)));
        }
        let count = if self.begun { self.left.len() } else { 1 };
        self.begun = true;
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(count)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}

/// Between the commit of a release and its first byte.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn what_leaves_in_time_is_whole() {
        let body = Leaving::new(Bytes::from_static(b"sealed"), Stopwatch::start());
        assert_eq!(body.size_hint().exact(), Some(6));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "sealed");
    }

    #[tokio::test]
    async fn nothing_follows_a_first_byte_that_left_too_late() {
        let mut body = Leaving::new(Bytes::from_static(b"sealed"), Stopwatch::start());
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "s");
        tokio::time::sleep(LEAVES_WITHIN + Duration::from_millis(50)).await;
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }
}
