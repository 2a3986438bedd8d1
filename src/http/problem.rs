//! The only place where an inside error becomes an outside document: RFC 9457 problem details (protocol section 5).
//!
//! Never a value, a name, a stack or SQL. A failure of the gateway itself says its request id and nothing else.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use uuid::Uuid;

use crate::{
    domain::refusal::{Refusal, RefusalCode, Violation},
    gateway::Failure,
    text::{self, Lang},
};

/// What the caller is told instead of an answer.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    request: Uuid,
    lang: Lang,
    /// None: the gateway's own fault.
    code: Option<RefusalCode>,
    violations: Vec<Violation>,
    retry_after: Option<u32>,
}

impl Problem {
    pub(super) fn refused(request: Uuid, lang: Lang, refusal: Refusal) -> Self {
        let retry_after = match refusal.code.status() {
            429 | 503 => Some(RETRY_AFTER),
            _ => None,
        };
        // What is not yours is not there: a 404 says nothing about why.
        let violations = if refusal.code == RefusalCode::NotFound { Vec::new() } else { refusal.violations };
        Self { request, lang, code: Some(refusal.code), violations, retry_after }
    }

    /// A failure of ours: 503 when it passes by itself, 500 otherwise. Logged with the request id; the document has nothing more.
    pub(super) fn failed(request: Uuid, lang: Lang, failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::refused(request, lang, refusal),
            failure if failure.passes() => {
                tracing::warn!(%request, error = %failure, "not recorded: answered 503");
                Self::refused(request, lang, RefusalCode::LedgerUnavailable.into())
            }
            failure => {
                tracing::error!(%request, error = %failure, "internal failure");
                Self { request, lang, code: None, violations: Vec::new(), retry_after: None }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title, detail) = match self.code {
            Some(code) => {
                let text = text::refusal(code);
                (code.status(), code.as_str(), text.title(self.lang), text.detail(self.lang))
            }
            None => (
                500,
                "internal",
                self.lang.of("Internal failure", "内部の障害です"),
                self.lang.of("Tell the operator the request id in \"instance\".", "instance の番号を運用者に知らせてください。"),
            ),
        };
        let document = json!({
            "type": format!("urn:tsunagi:problem:{code}"),
            "title": title,
            "status": status,
            "detail": detail,
            "instance": format!("urn:uuid:{}", self.request),
            "code": code,
            "violations": self.violations,
        });
        let mut response = Response::new(Body::from(document.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(self.lang.of("en", "ja")));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Seconds after which a passing failure is worth another try.
const RETRY_AFTER: u32 = 2;
