//! Stands before the service of each connection: judges the certificate again at every request, and keeps the pulse.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    service::Service,
};
use tokio::time::Instant;

use super::{
    judge::Fault,
    peer::Peer,
    pulse::{InWork, Pulse},
};

/// An error of a service, as hyper wants it.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The certificate was judged and the connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("client certificate no longer accepted: {0}")]
struct Closed(Fault);

/// A service behind the gate.
pub(super) struct Gate<S> {
    pub(super) inner: S,
    pub(super) peer: Arc<Peer>,
    pub(super) pulse: Arc<Pulse>,
}

impl<S, B> Service<Request<Incoming>> for Gate<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<Watched<B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if let Err(fault) = self.peer.judge_now()
            && fault.closes()
        {
            self.pulse.condemn();
            return Box::pin(async move { Err(Closed(fault).into()) });
        }
        let in_work = self.pulse.begin(Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into)?;
            Ok(answer.map(|body| Watched { body, _in_work: in_work }))
        })
    }
}

/// A response body; the request is in work until the body is dropped.
pub(super) struct Watched<B> {
    body: B,
    _in_work: InWork,
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
