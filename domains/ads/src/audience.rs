//! Who watches, as far as this domain may know it: the ages behind a pseudonym.

use async_trait::async_trait;
use mesh_core::Result;
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;

use crate::products::inputs::{AudienceMember, AudienceMemberAgeBand as Ages};

/// The documents that hold the age band behind a pseudonym.
pub const AGES: &str = "ages";

/// Keeps the ages of each member; who is taken out of the audience is forgotten here.
pub struct Learn;

#[async_trait]
impl Handler<AudienceMember> for Learn {
    async fn handle(&self, event: &Received<AudienceMember>, _: &Context) -> Result<Effects> {
        let pseudonym = event.key.pseudonym.as_str();
        let ages = event
            .value
            .as_ref()
            .and_then(|member| member.age_band.as_ref());
        Ok(match ages {
            Some(ages) => Effects::new().put(AGES, pseudonym, &band(ages).to_owned()),
            None => Effects::new().delete(AGES, pseudonym),
        })
    }
}

/// The age band as the report writes it.
fn band(ages: &Ages) -> &'static str {
    match ages {
        Ages::Under18 => "00-17",
        Ages::Age1824 => "18-24",
        Ages::Age2529 => "25-29",
        Ages::Age3034 => "30-34",
        Ages::Age3539 => "35-39",
        Ages::Age4044 => "40-44",
        Ages::Age4549 => "45-49",
        Ages::Age50AndOver => "50+",
    }
}

/// The ages of the viewer with this pseudonym; `None` where nobody knows them.
///
/// # Errors
/// If the store cannot be read.
pub async fn ages_of(viewer: &str, ctx: &Context) -> Result<Option<String>> {
    ctx.get(AGES, viewer).await
}
