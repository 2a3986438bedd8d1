//! `/v1/ledger`: static C2SP paths. Hashes are for every party, leaves for auditors of everything.

use axum::{Extension, response::Response};
use http::StatusCode;

use super::{
    exchange::Exchange,
    problem::Problem,
    query::{Query, Segments},
    reply,
};
use crate::{
    domain::{
        entry::Operation,
        refusal::{Refusal, RefusalCode},
    },
    gateway::Failure,
    tlog::{self, TILE_WIDTH, TileId, TileRow},
};

/// `GET /v1/ledger/checkpoint`.
pub(super) async fn checkpoint(Extension(exchange): Extension<Exchange>) -> Result<Response, Problem> {
    let note = exchange.open("text/plain", exchange.gateway().checkpoint()).await?;
    Ok(reply::bytes_of(StatusCode::OK, "text/plain; charset=utf-8", "no-cache", note.to_string()))
}

/// `GET /v1/ledger/checkpoint/cosigned`.
pub(super) async fn cosigned(Extension(exchange): Extension<Exchange>) -> Result<Response, Problem> {
    let note = exchange.open("text/plain", async { exchange.gateway().cosigned_checkpoint() }).await?;
    Ok(reply::bytes_of(StatusCode::OK, "text/plain; charset=utf-8", "no-cache", note.to_string()))
}

/// `GET /v1/ledger/consistency?from=&to=`.
pub(super) async fn consistency(Extension(exchange): Extension<Exchange>, query: Query) -> Result<Response, Problem> {
    let proof = exchange
        .open("application/json", async {
            let values = query.values(&["from", "to"])?;
            let missing = |name| Failure::from(Refusal::claim(RefusalCode::BadRequest, name, "missing"));
            let from = values.get("from")?.ok_or_else(|| missing("from"))?;
            let to = values.get("to")?.ok_or_else(|| missing("to"))?;
            exchange.gateway().consistency(from, to).await
        })
        .await?;
    reply::json(&exchange, StatusCode::OK, &proof)
}

/// `GET /v1/ledger/tile/<L>/<N>` and `GET /v1/ledger/tile/entries/<N>`.
pub(super) async fn tile(Extension(exchange): Extension<Exchange>, path: Segments) -> Result<Response, Problem> {
    let parsed = path.text("path").ok().and_then(|path| TileId::parse(&format!("tile/{path}")).ok());
    let tile = match parsed {
        Some(tile) if tile.row() == TileRow::Entries => tile,
        _ => {
            let bytes = exchange
                .open("application/octet-stream", async {
                    let tile = parsed.ok_or(RefusalCode::NotFound)?;
                    Ok((exchange.gateway().hash_tile(&tile).await?, tile.is_full()))
                })
                .await;
            let (bytes, full) = bytes?;
            let cache = if full { "public, max-age=31536000, immutable" } else { "no-cache" };
            return Ok(reply::bytes_of(StatusCode::OK, "application/octet-stream", cache, bytes));
        }
    };
    let call = exchange.call(Operation::LedgerEntries);
    let bundle = exchange
        .recorded(&call, Operation::LedgerEntries, "application/octet-stream", async {
            let first = tile.index().checked_mul(u64::from(TILE_WIDTH)).ok_or(RefusalCode::NotFound)?;
            let leaves = exchange.gateway().entry_bundle(&exchange.caller, &call, first, tile.width()).await?;
            tlog::encode_bundle(leaves).map_err(|_| Failure::Corrupt("entries"))
        })
        .await?;
    Ok(reply::bytes_of(StatusCode::OK, "application/octet-stream", "no-store", bundle))
}
