//! Reading path segments and query strings. What does not parse is `bad_request` in a query, and not there in a path.

use std::{collections::BTreeMap, str::FromStr};

use axum::extract::{FromRequestParts, rejection::QueryRejection};
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

/// A path segment. What does not parse names nothing that is there.
pub(super) fn segment<T: FromStr>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| RefusalCode::NotFound.into())
}
