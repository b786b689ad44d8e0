//! Health, readiness, status.

use crate::call::Gate;
use crate::error::ApiError;
use crate::reply::{Reply, json};
use crate::status::status_json;
use bytes::Bytes;
use hyper::{Response, StatusCode};
use messages::observer::Snapshot;
use messages::ports::control::Answer;
use messages::{Letter, observer};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// How long a status question waits: the snapshot's turn takes microseconds, its restart
/// milliseconds.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(2);

/// The process answers: that is all.
pub(crate) fn health() -> Response<Reply> {
    answer(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Whether requests can be served.
pub(crate) fn ready(gate: &Gate) -> Response<Reply> {
    match gate.front.config().ready.why_not() {
        None => answer(StatusCode::OK, &json!({ "ready": true })),
        Some(reason) => {
            let body = json!({ "ready": false, "reason": reason });
            answer(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

/// The node as it is.
pub(crate) async fn status(gate: &Gate) -> Result<Response<Reply>, ApiError> {
    let snapshot = snapshot(gate).await?;
    let config = gate.front.config();
    let (version, why_not) = (&config.version, config.ready.why_not());
    let body = status_json(
        config.me,
        config.boot,
        version,
        why_not.as_deref(),
        &snapshot,
    );
    Ok(answer(StatusCode::OK, &body))
}

/// What the observer knows.
pub(crate) async fn snapshot(gate: &Gate) -> Result<Snapshot, ApiError> {
    let (query, waiting) = gate.ask()?;
    let asker = observer::Asker::Gateway;
    gate.port
        .tell(Letter::Observer(observer::Input::Query { query, asker }));
    if let Ok(Ok(answer)) = timeout(SNAPSHOT_WAIT, waiting).await
        && let Answer::Snapshot(snapshot) = *answer
    {
        return Ok(snapshot);
    }
    gate.answer(query, None);
    Err(ApiError::overloaded(
        "the node's snapshot is not available at this moment",
    ))
}

fn answer(status: StatusCode, body: &Value) -> Response<Reply> {
    json(status, Bytes::from(body.to_string()))
}
