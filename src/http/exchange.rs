//! One request of a known party: the wrapper in which every use case runs, so that no refusal leaves without its entry.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes},
};
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use uuid::Uuid;

use super::{identify::Public, problem::Problem};
use crate::{
    clock::Stopwatch,
    domain::{digest::Digest, entry::Operation, refusal::RefusalCode},
    gateway::{Call, Caller, Failure, Gateway},
    text::Lang,
};

/// A request whose caller is known, registered and active.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) public: Arc<Public>,
    pub(super) caller: Caller,
    pub(super) request: Uuid,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) actor: Option<String>,
    pub(super) lang: Lang,
    pub(super) headers: Arc<HeaderMap>,
    pub(super) watch: Stopwatch,
}

impl Exchange {
    pub(super) fn gateway(&self) -> &Gateway {
        &self.public.gateway
    }

    /// The call without a body.
    pub(super) fn call(&self, operation: Operation) -> Call {
        self.call_with(operation, None)
    }

    fn call_with(&self, operation: Operation, body: Option<Digest>) -> Call {
        Call::new(self.request, self.method.clone(), self.target.clone(), self.actor.clone(), body, operation)
    }

    /// The call with a body of one media type, which is read here. What is wrong with the body is recorded like every refusal.
    pub(super) async fn call_with_body(&self, operation: Operation, media: &'static str, body: Body) -> Result<(Call, Bytes), Problem> {
        match self.read(body, media).await {
            Ok(bytes) => Ok((self.call_with(operation, Some(Digest::of(&bytes))), bytes)),
            Err(code) => Err(self.refuse(&self.call(operation), operation, code.into()).await),
        }
    }

    /// Runs a use case. A refusal is recorded before it is told; when it cannot be recorded the caller gets 503 instead.
    pub(super) async fn recorded<T>(
        &self,
        call: &Call,
        operation: Operation,
        produces: &'static str,
        run: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Problem> {
        let outcome = match self.acceptable(produces) {
            // A look without the content would be a release by its entry, and nothing was released.
            Ok(()) if self.method == "HEAD" => Err(RefusalCode::MethodNotAllowed.into()),
            Ok(()) => run.await,
            Err(code) => Err(code.into()),
        };
        match outcome {
            Ok(answer) => {
                self.public.metrics.request(operation, Ok(()), self.watch.elapsed());
                Ok(answer)
            }
            Err(failure) => Err(self.refuse(call, operation, failure).await),
        }
    }

    /// Runs something that is open to every registered party and leaves no entry, granted or not.
    pub(super) async fn open<T>(&self, produces: &'static str, run: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Problem> {
        let outcome = match self.acceptable(produces) {
            Ok(()) => run.await,
            Err(code) => Err(code.into()),
        };
        outcome.map_err(|failure| Problem::failed(self.request, self.lang, failure))
    }

    /// Records a refusal and says it.
    pub(super) async fn refuse(&self, call: &Call, operation: Operation, failure: Failure) -> Problem {
        if let Failure::Refused(refusal) = &failure {
            self.public.metrics.request(operation, Err(refusal.code), self.watch.elapsed());
            tracing::info!(request = %self.request, operation = %operation, code = %refusal.code, "refused");
            if let Err(unrecorded) = self.public.gateway.refuse(&self.caller, call, refusal).await {
                return Problem::failed(self.request, self.lang, unrecorded);
            }
        }
        Problem::failed(self.request, self.lang, failure)
    }

    /// Reads a body of one media type, within the size and time limits (protocol section 6).
    async fn read(&self, body: Body, media: &'static str) -> Result<Bytes, RefusalCode> {
        if let Err(code) = self.announced(media) {
            // Over HTTP/1.1 a client that is still writing would lose the answer with the connection.
            pass_over(body).await;
            return Err(code);
        }
        let limited = Limited::new(body, MOST_BYTES).collect();
        match tokio::time::timeout(self.public.limits.body, limited).await {
            Ok(Ok(bytes)) => Ok(bytes.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(RefusalCode::TooLarge),
            Ok(Err(_)) | Err(_) => Err(RefusalCode::BadRequest),
        }
    }

    /// What the head says about the body.
    fn announced(&self, media: &'static str) -> Result<(), RefusalCode> {
        let value = |name| self.headers.get(name).and_then(|v| v.to_str().ok());
        let sent = value(header::CONTENT_TYPE).and_then(|v| v.split(';').next()).map(str::trim);
        if !sent.is_some_and(|sent| sent.eq_ignore_ascii_case(media)) {
            return Err(RefusalCode::BadMediaType);
        }
        let length = value(header::CONTENT_LENGTH).ok_or(RefusalCode::LengthRequired)?;
        let length: usize = length.parse().map_err(|_| RefusalCode::BadRequest)?;
        if length > MOST_BYTES {
            return Err(RefusalCode::TooLarge);
        }
        Ok(())
    }

    /// Whether the caller accepts the media type (RFC 9110 section 12.5.1). No header accepts everything.
    fn acceptable(&self, produces: &'static str) -> Result<(), RefusalCode> {
        let Some(header) = self.headers.get(header::ACCEPT) else { return Ok(()) };
        let Ok(text) = header.to_str() else { return Err(RefusalCode::NotAcceptable) };
        let family = produces.split('/').next().unwrap_or_default();
        let fits = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let refused = parts.any(|p| p.strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty()));
            let named = kind == "*/*" || kind.eq_ignore_ascii_case(produces) || kind.strip_suffix("/*").is_some_and(|f| f == family);
            named && !refused
        };
        if text.split(',').any(fits) { Ok(()) } else { Err(RefusalCode::NotAcceptable) }
    }
}

/// Takes what is left of a body that nobody will read, as far as is decent.
async fn pass_over(body: Body) {
    let mut rest = Limited::new(body, MOST_PASSED_OVER);
    let taken = async { while let Some(Ok(_)) = rest.frame().await {} };
    if tokio::time::timeout(PASSING_OVER, taken).await.is_err() {
        tracing::debug!("a body that was refused did not end in time");
    }
}

/// A path that is no route. Recorded like every refusal.
pub(super) async fn no_route(Extension(exchange): Extension<Exchange>) -> Problem {
    refused(&exchange, RefusalCode::NotFound).await
}

/// A route that does not know the method.
pub(super) async fn no_method(Extension(exchange): Extension<Exchange>) -> Problem {
    refused(&exchange, RefusalCode::MethodNotAllowed).await
}

async fn refused(exchange: &Exchange, code: RefusalCode) -> Problem {
    exchange.refuse(&exchange.call(Operation::Unknown), Operation::Unknown, code.into()).await
}

/// Largest body, bytes (protocol section 6).
pub(super) const MOST_BYTES: usize = 512 * 1024;

/// How much of a refused body is taken, and for how long.
const MOST_PASSED_OVER: usize = 2 * MOST_BYTES;
const PASSING_OVER: Duration = Duration::from_secs(2);
