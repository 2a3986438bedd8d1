//! The last moments of a connection: what this side sent last must arrive.
//!
//! A socket that is closed with unread bytes sends a reset, and a client that writes once more meets it before it has read the answer that was on its way
//! (RFC 9112 section 9.6). So the stream is taken back from the HTTP library when that is done with it, and read until the client closes too, for a
//! bounded time. Not here: when a connection ends.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// A stream that comes back when it is dropped.
pub(super) struct Lent<T> {
    /// None only while it is dropped.
    stream: Option<T>,
    home: Arc<Mutex<Option<T>>>,
}

/// Where a stream comes back to.
pub(super) struct Parting<T>(Arc<Mutex<Option<T>>>);

impl<T> Parting<T> {
    /// Lends a stream.
    pub(super) fn of(stream: T) -> (Lent<T>, Self) {
        let home = Arc::new(Mutex::new(None));
        (Lent { stream: Some(stream), home: Arc::clone(&home) }, Self(home))
    }

    /// The stream, when it came back.
    pub(super) fn take(self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Closes this side and reads, for a bounded time, until the other side closes too.
pub(super) async fn linger(mut tcp: TcpStream) {
    let rest = async {
        tcp.shutdown().await?;
        tokio::io::copy(&mut tcp.take(LINGER_BYTES), &mut tokio::io::sink()).await.map(|_| ())
    };
    // Best effort for what was sent last; the connection is over either way.
    let _: Result<io::Result<()>, _> = timeout(LINGER, rest).await;
}

/// How long, and how much, is still read.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: u64 = 64 * 1024;

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}

impl<T: Unpin> Lent<T> {
    fn stream(&mut self) -> io::Result<Pin<&mut T>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Lent<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Lent<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, pieces: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_stream_comes_back_when_it_is_dropped() {
        let (mut near, mut far) = tokio::io::duplex(64);
        far.write_all(b"x").await.unwrap();
        let (lent, parting) = Parting::of(&mut near);
        assert!(Parting(Arc::clone(&parting.0)).take().is_none());
        drop(lent);
        let mut byte = [0];
        parting.take().unwrap().read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"x");
    }

    #[tokio::test]
    async fn what_was_sent_last_arrives_though_the_other_side_goes_on_sending() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"unread").await.unwrap();
        server.write_all(b"answer").await.unwrap();
        let parted = tokio::spawn(linger(server));
        // A reset would fail the second of these writes.
        for _ in 0..2 {
            client.write_all(b"more").await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"answer");
        drop(client);
        parted.await.unwrap();
    }
}
