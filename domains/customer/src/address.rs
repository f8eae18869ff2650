//! Moves: a client's new district, and the profile that follows.

use std::path::Path;

use async_trait::async_trait;
use mesh_core::{Error, EventId, Record, Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Reply, Request, Source, SourceBatch};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::api::find_profile;
use crate::clients::{District, open_districts};
use crate::import::PROFILE;
use crate::products::{Change, ChangeKind, Profile};

/// The name of the source of districts.
pub const DISTRICTS: &str = "districts";
/// The documents that hold districts, by number.
const DISTRICT: &str = "district";

/// Reads `district.asc` into documents, so that a client can move to a district without the files.
pub struct Districts;

#[async_trait]
impl Source for Districts {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        let districts = open_districts(dir)?;
        let mut effects = Effects::new();
        for (number, district) in &districts {
            effects.add_put(DISTRICT, number.to_string(), &Kept::of(district));
        }
        let total = u64::try_from(districts.len()).unwrap_or(u64::MAX);
        Ok(SourceBatch::last(effects, total.max(position)))
    }
}

/// A district as a document; amounts and rates as text.
#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    region: String,
    average_salary: String,
    unemployment_1995: Option<String>,
    unemployment_1996: Option<String>,
    note: Option<String>,
}

impl Kept {
    fn of(district: &District) -> Self {
        Self {
            name: district.name.clone(),
            region: district.region.clone(),
            average_salary: district.average_salary.to_string(),
            unemployment_1995: district.unemployment_1995.map(|rate| rate.to_string()),
            unemployment_1996: district.unemployment_1996.map(|rate| rate.to_string()),
            note: district.note.clone(),
        }
    }

    fn read(self) -> Result<District> {
        let rate = |text: Option<String>| text.map(|text| text.parse()).transpose();
        Ok(District {
            name: self.name,
            region: self.region,
            average_salary: self.average_salary.parse()?,
            unemployment_1995: rate(self.unemployment_1995)?,
            unemployment_1996: rate(self.unemployment_1996)?,
            note: self.note,
        })
    }
}

/// What `POST /v1/clients/{client_id}/address` takes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The caller's id of this request; the same again changes nothing.
    pub request_id: Uuid,
    /// The district that the client has moved to.
    pub district_id: i32,
}

/// `POST /v1/clients/{client_id}/address`: the client has moved. A request that is sent again is
/// answered as the first time; one to the district of the profile publishes nothing. The answer
/// leaves the district out: the host keeps answers to POSTs, and a client may want to be erased.
///
/// # Errors
/// Retryable while the bank's files are read; not found for an unknown client; invalid input
/// for an unknown district.
pub async fn change_address(request: Request, ctx: Context) -> Result<Reply<Change>> {
    let client_id: i64 = request.parse("client_id")?;
    let asked: Move = request.json()?;
    let profile = find_profile(&ctx, client_id).await?;
    let number = asked.district_id.to_string();
    let Some(kept) = ctx.get::<Kept>(DISTRICT, &number).await? else {
        if !ctx.source_done(DISTRICTS) {
            return Err(
                Error::unavailable("the bank's districts are still being read")
                    .mend("ask again in a moment"),
            );
        }
        return Err(Error::invalid("there is no such district")
            .with("field", "district_id")
            .mend("send the number of a district that a profile names"));
    };
    let key = format!("{client_id}/{}", asked.request_id);
    let change = change(ChangeKind::AddressChanged, client_id, &key, None);
    let answer = change.clone();
    let mut effects = Effects::new();
    if profile.district_id != asked.district_id {
        let moved = moved(profile, asked.district_id, kept.read()?);
        effects.add_put_record(PROFILE, client_id.to_string(), &moved);
        effects.add_emit(&moved);
        let event = EventId(change.change_id);
        effects.add_emit_as(
            event,
            &Change {
                district_id: Some(asked.district_id),
                ..change
            },
        );
    }
    Reply::commit(&request, key, answer, effects)
}

/// The profile of a client who has moved to `district`.
pub fn moved(profile: Profile, district_id: i32, district: District) -> Profile {
    Profile {
        district_id,
        district_name: district.name,
        region: district.region,
        district_average_salary: district.average_salary,
        district_unemployment_1995: district.unemployment_1995,
        district_unemployment_1996: district.unemployment_1996,
        data_note: district.note,
        ..profile
    }
}

/// A change of `kind`, now; its id follows from the kind and `cause`.
pub(crate) fn change(
    kind: ChangeKind,
    client_id: i64,
    cause: &str,
    reason: Option<&str>,
) -> Change {
    let topic = Change::descriptor().topic.as_str();
    Change {
        change_id: EventId::derived(&[topic, kind.as_str(), cause]).0,
        client_id,
        kind,
        district_id: None,
        reason: reason.map(str::to_owned),
        changed_at: TimestampMillis::now(),
    }
}
