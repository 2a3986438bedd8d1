//! Reading path segments and query strings. What does not parse is `bad_request` in a query, and not there in a path.
//!
//! axum's own extractors would answer what they cannot decode by themselves, in plain text and without an entry.

use std::{collections::BTreeMap, str::FromStr};

use axum::extract::{FromRequestParts, RawPathParams, rejection::QueryRejection};
use http::request::Parts;

use crate::{
    domain::refusal::{Refusal, RefusalCode},
    gateway::Failure,
};

/// A query string: each name at most once, none unknown.
pub(super) struct Query(Result<BTreeMap<String, String>, ()>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let pairs: Result<axum::extract::Query<Vec<(String, String)>>, QueryRejection> =
            axum::extract::Query::from_request_parts(parts, state).await;
        let Ok(axum::extract::Query(pairs)) = pairs else { return Ok(Self(Err(()))) };
        let count = pairs.len();
        let map: BTreeMap<_, _> = pairs.into_iter().collect();
        Ok(Self(if map.len() == count { Ok(map) } else { Err(()) }))
    }
}

impl Query {
    /// The values, if every name is one of `known`.
    pub(super) fn values(self, known: &[&'static str]) -> Result<Values, Failure> {
        let map = self.0.map_err(|()| Refusal::claim(RefusalCode::BadRequest, "query", "form"))?;
        if map.keys().all(|name| known.contains(&name.as_str())) {
            Ok(Values(map))
        } else {
            Err(Refusal::claim(RefusalCode::BadRequest, "query", "unknown_name").into())
        }
    }
}

/// Values of a query string.
pub(super) struct Values(BTreeMap<String, String>);

impl Values {
    /// A value, parsed.
    pub(super) fn get<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        self.0.get(name).map(|text| text.parse().map_err(|_| Refusal::claim(RefusalCode::BadRequest, name, "form").into())).transpose()
    }
}

/// The captured segments of a path.
pub(super) struct Segments(Result<BTreeMap<String, String>, ()>);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let captured = RawPathParams::from_request_parts(parts, state).await.map_err(|_| ());
        Ok(Self(captured.map(|all| all.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())))
    }
}

impl Segments {
    /// A segment by its name in the route. What does not parse, or is no UTF-8, names nothing that is there.
    pub(super) fn get<T: FromStr>(&self, name: &str) -> Result<T, Failure> {
        self.text(name)?.parse().map_err(|_| RefusalCode::NotFound.into())
    }

    /// A segment as text.
    pub(super) fn text(&self, name: &str) -> Result<&str, Failure> {
        let all = self.0.as_ref().map_err(|()| RefusalCode::NotFound)?;
        Ok(all.get(name).ok_or(RefusalCode::NotFound)?)
    }
}
