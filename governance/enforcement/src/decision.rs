//! What is asked of a decision point, and what it answers.

use std::fmt;

use async_trait::async_trait;
use mesh_core::contract::Contract;
use mesh_core::{Error, ErrorKind, Record, Result};

use crate::access::Access;
use crate::governed::Governed;

/// The data product that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resource {
    /// The owning domain.
    pub domain: String,
    /// The product.
    pub product: String,
    /// The contract's version, `1.0.0`.
    pub version: String,
}

impl Resource {
    /// The product that `contract` describes.
    pub fn of(contract: &Contract) -> Self {
        Self {
            domain: contract.domain.clone(),
            product: contract.product.clone(),
            version: contract.version.to_string(),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain, self.product)
    }
}

/// What is to be done with a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Read its rows.
    Read,
    /// Put rows into it.
    Produce,
    /// Make it anew, and put what was made into service.
    Operate,
}

impl Action {
    /// The action's name in policies and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Produce => "produce",
            Self::Operate => "operate",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Decides who may do what.
#[async_trait]
pub trait DecisionPoint: Send + Sync {
    /// Whether `access` may do `action` with `resource`. A denial is an answer, not an error.
    ///
    /// # Errors
    /// If no decision can be reached; the caller then gives out nothing.
    async fn decide(
        &self,
        access: &Access,
        action: Action,
        resource: &Resource,
    ) -> Result<Decision>;
}

/// The answer of a decision point about one product, for one principal and purpose.
///
/// It cannot be made, cloned or altered outside of this crate, except for a denial.
#[derive(Debug)]
pub struct Decision {
    allowed: bool,
    reason: String,
    rule_ids: Vec<String>,
    access: Access,
    action: Action,
    resource: Resource,
}

impl Decision {
    pub(crate) fn allow(
        access: &Access,
        action: Action,
        resource: &Resource,
        reason: impl Into<String>,
        rule_ids: Vec<String>,
    ) -> Self {
        Self {
            allowed: true,
            reason: reason.into(),
            rule_ids,
            access: access.clone(),
            action,
            resource: resource.clone(),
        }
    }

    /// A denial, with its reason in words a client may read.
    pub fn deny(
        access: &Access,
        action: Action,
        resource: &Resource,
        reason: impl Into<String>,
        rule_ids: Vec<String>,
    ) -> Self {
        Self {
            allowed: false,
            reason: reason.into(),
            rule_ids,
            access: access.clone(),
            action,
            resource: resource.clone(),
        }
    }

    /// Whether it allows.
    pub fn allowed(&self) -> bool {
        self.allowed
    }

    /// Why, in words a client may read.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The rules it rests on.
    pub fn rule_ids(&self) -> &[String] {
        &self.rule_ids
    }

    /// Who asked, and for what.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The product it is about.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Passes an allowance and turns a denial into its error.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] with the product, the purpose and the reason.
    pub fn require(&self) -> Result<()> {
        if self.allowed {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("access is denied: {}", self.reason),
        )
        .with("product", &self.resource)
        .with("action", self.action)
        .with("principal", &self.access.principal)
        .with("purpose", &self.access.purpose)
        .mend("ask the owner of the product for a grant for this purpose"))
    }

    /// One record as this decision lets it out.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] if it denies; [`ErrorKind::Internal`] if it is about
    /// another product than `R`'s.
    pub fn govern_one<R: Record>(&self, record: R) -> Result<Governed<R>> {
        self.covers::<R>()?;
        Ok(Governed::one(record))
    }

    /// Records as this decision lets them out.
    ///
    /// # Errors
    /// As [`Decision::govern_one`].
    pub fn govern<R: Record>(&self, records: Vec<R>) -> Result<Governed<R>> {
        self.covers::<R>()?;
        Ok(Governed::many(records))
    }

    fn covers<R: Record>(&self) -> Result<()> {
        self.require()?;
        let asked = Resource::of(&R::descriptor().contract);
        if self.action == Action::Read && asked == self.resource {
            return Ok(());
        }
        Err(
            Error::internal("a decision about one product was used for another")
                .with("decided", &self.resource)
                .with("used_for", asked),
        )
    }
}
