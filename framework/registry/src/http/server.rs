//! `/v1/metadata`: who answers.

use serde_json::{Value, json};

use super::exchange::Json;

/// The ids of the cluster, as far as a registry without a cluster has some.
pub(super) async fn id() -> Json<Value> {
    Json(json!({
        "scope": {"path": [], "clusters": {"schema-registry-cluster": "schema-registry"}},
        "id": "",
    }))
}

/// The release of this registry.
pub(super) async fn version() -> Json<Value> {
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "commitId": ""}))
}
