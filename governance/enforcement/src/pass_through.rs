//! The decision point for a mesh that has no policies yet.

use async_trait::async_trait;
use mesh_core::Result;

use crate::access::Access;
use crate::decision::{Action, Decision, DecisionPoint, Resource};

/// Allows every named principal that states a purpose, and logs each decision.
#[derive(Debug, Clone, Copy, Default)]
pub struct PassThrough;

#[async_trait]
impl DecisionPoint for PassThrough {
    async fn decide(
        &self,
        access: &Access,
        action: Action,
        resource: &Resource,
    ) -> Result<Decision> {
        tracing::info!(
            principal = %access.principal,
            purpose = %access.purpose,
            %action,
            %resource,
            version = resource.version,
            allowed = true,
            rule = "pass_through",
            "access decided"
        );
        Ok(Decision::allow(
            access,
            action,
            resource,
            "no policy is in force; who names a principal and a purpose may read",
            vec!["pass_through".to_owned()],
        ))
    }
}
