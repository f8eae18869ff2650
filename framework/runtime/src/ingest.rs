//! Rows that others send to a product over HTTP.

use async_trait::async_trait;
use mesh_core::{Descriptor, Error, ErrorKind, Result};
use mesh_enforcement::Action;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::api::{Answer, AnswerCommit, Endpoint, Request};
use crate::context::Context;
use crate::effects::Effects;
use crate::state::describe;

/// Faults that one answer tells; more are counted.
const FAULTS_SHOWN: usize = 20;

pub(crate) struct Ingest {
    product: &'static Descriptor,
    /// The name in a row that tells whether it is gone.
    deleted: Option<String>,
}

impl Ingest {
    /// Takes rows of the product.
    pub(crate) fn rows(product: &'static Descriptor) -> Self {
        Self {
            product,
            deleted: None,
        }
    }

    /// Takes rows, and keys of rows that are gone.
    pub(crate) fn changes(product: &'static Descriptor, deleted: &str) -> Self {
        Self {
            product,
            deleted: Some(deleted.to_owned()),
        }
    }

    /// Adds what a row says.
    fn add(&self, effects: &mut Effects, row: &mut Map<String, Json>) -> Result<()> {
        let told = self.deleted.as_ref().map(|name| (name, row.remove(name)));
        match told {
            None | Some((_, None | Some(Json::Bool(false) | Json::Null))) => {
                effects.add_row(self.product, None, row)
            }
            Some((_, Some(Json::Bool(true)))) => effects.add_row_delete(self.product, row),
            Some((name, Some(_))) => Err(Error::invalid(
                "whether a row is gone is told by true or false",
            )
            .with("field", name)),
        }
    }
}

/// What is kept of a request that was answered.
#[derive(Serialize, Deserialize)]
struct Kept {
    accepted: usize,
    /// Of the body, so that the key is not used for another one.
    fingerprint: Uuid,
}

impl Kept {
    fn answer(&self) -> Json {
        json!({ "accepted": self.accepted })
    }
}

fn fingerprint(body: &[u8]) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, body)
}

#[async_trait]
impl Endpoint for Ingest {
    fn descriptor(&self) -> &'static Descriptor {
        self.product
    }

    fn action(&self) -> Action {
        Action::Produce
    }

    async fn call(&self, request: Request, _: Context) -> Result<Answer> {
        let mut rows = rows(&request.body)?;
        let mut effects = Effects::new();
        let mut faults = Vec::new();
        for (at, row) in rows.iter_mut().enumerate() {
            if let Err(error) = self.add(&mut effects, row) {
                faults.push((at + 1, error));
            }
        }
        if !faults.is_empty() {
            return Err(refused(&faults, rows.len()));
        }
        let kept = Kept {
            accepted: rows.len(),
            fingerprint: fingerprint(&request.body),
        };
        let body = kept.answer();
        let (key, answer) = match &request.idempotency_key {
            // Keys are the caller's own: two callers may choose the same.
            Some(key) => {
                let kept = serde_json::to_string(&kept)
                    .map_err(|error| Error::internal("the answer cannot be kept").because(error))?;
                (format!("{} {key}", request.access().principal), Some(kept))
            }
            // It cannot be told from another one, so nothing is kept of it.
            None => (Uuid::new_v4().to_string(), None),
        };
        Ok(Answer {
            body,
            commit: Some(AnswerCommit {
                key,
                effects,
                answer,
                passing: true,
            }),
        })
    }

    fn again(&self, request: &Request, answer: &str) -> Result<Json> {
        let kept: Kept = serde_json::from_str(answer).map_err(|error| {
            Error::new(ErrorKind::Corrupt, "a kept answer cannot be read").because(error)
        })?;
        if kept.fingerprint != fingerprint(&request.body) {
            return Err(Error::new(
                ErrorKind::FailedPrecondition,
                "the idempotency key was used for another body",
            )
            .with("header", "Idempotency-Key")
            .mend("send a new key with each new request"));
        }
        Ok(kept.answer())
    }
}

/// The rows of a body, in its order.
fn rows(body: &[u8]) -> Result<Vec<Map<String, Json>>> {
    let wrong = |message: &'static str| {
        Error::invalid(message)
            .mend("send a JSON object, several one after the other, or an array of objects")
    };
    let mut rows = Vec::new();
    for value in serde_json::Deserializer::from_slice(body).into_iter::<Json>() {
        let value = value
            .map_err(|error| wrong("the body is not JSON").with("problem", describe(&error)))?;
        let several = match value {
            Json::Array(items) => items,
            one => vec![one],
        };
        for row in several {
            match row {
                Json::Object(row) => rows.push(row),
                _ => return Err(wrong("a row is no object").with("row", rows.len() + 1)),
            }
        }
    }
    if rows.is_empty() {
        return Err(wrong("the body holds no row"));
    }
    Ok(rows)
}

fn refused(faults: &[(usize, Error)], rows: usize) -> Error {
    let told: Vec<String> = faults
        .iter()
        .take(FAULTS_SHOWN)
        .map(|(row, error)| {
            let field = error.context().iter().find(|(name, _)| *name == "field");
            match field {
                Some((_, field)) => format!("row {row}: {field}: {}", error.message()),
                None => format!("row {row}: {}", error.message()),
            }
        })
        .collect();
    let mut error = Error::invalid("rows are not what the contract allows; none was taken")
        .with("rows", rows)
        .with("wrong", faults.len())
        .with("faults", told.join("; "));
    if let Some(mend) = faults.first().and_then(|(_, error)| error.mend_text()) {
        error = error.mend(mend.to_owned());
    }
    error
}
