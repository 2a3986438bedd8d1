//! `/v1/statistics`.

use axum::{Extension, response::Response};
use http::StatusCode;

use super::{exchange::Exchange, problem::Problem, query::Query, reply};
use crate::domain::entry::Operation;

/// `GET /v1/statistics`.
pub(super) async fn read(Extension(exchange): Extension<Exchange>, query: Query) -> Result<Response, Problem> {
    let call = exchange.call(Operation::StatisticsRead);
    let made = exchange
        .recorded(&call, Operation::StatisticsRead, "application/json", async {
            let values = query.values(&["year", "municipality"])?;
            let (year, municipality) = (values.get("year")?, values.get::<String>("municipality")?);
            exchange.gateway().statistics(&exchange.caller, &call, year, municipality.as_deref()).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &made)
}
