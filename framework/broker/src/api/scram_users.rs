//! DescribeUserScramCredentials and AlterUserScramCredentials: the file of users over the
//! wire.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroU32;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use kafka_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::text;
use crate::security::{Credential, Hash, MAX_ITERATIONS, MIN_ITERATIONS, Operation, Resource};
use crate::shared::{Caller, Shared};
use crate::topics::Refusal;

pub(super) async fn describe_user_scram_credentials(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let cluster = Resource::Cluster;
    if let Err(error) = shared.check(caller, Operation::Describe, cluster) {
        return DescribeUserScramCredentialsResponse::default()
            .with_error_code(error.code())
            .with_error_message(text("the users are not yours to see"));
    }
    let users = shared.users.current();
    let asked: Vec<StrBytes> = match request.users.filter(|users| !users.is_empty()) {
        Some(asked) => asked.into_iter().map(|user| user.name).collect(),
        None => {
            let with_some = users
                .iter()
                .filter(|(_, credentials)| !credentials.is_empty());
            let names = with_some.map(|(name, _)| StrBytes::from_string(name.clone()));
            names.collect()
        }
    };
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &asked {
        *seen.entry(name.as_str()).or_default() += 1;
    }
    let results = seen
        .into_iter()
        .map(|(name, times)| {
            let result = DescribeUserScramCredentialsResult::default()
                .with_user(StrBytes::from_string(name.to_owned()));
            let found = users
                .get(name)
                .filter(|credentials| !credentials.is_empty());
            let refuse = |error: ResponseError, why: String| {
                let result = result.clone().with_error_code(error.code());
                result.with_error_message(text(why))
            };
            match found {
                _ if times > 1 => refuse(
                    ResponseError::DuplicateResource,
                    format!(
                        "Cannot describe SCRAM credentials for the same user twice in a single \
                         request: {name}"
                    ),
                ),
                None => refuse(
                    ResponseError::ResourceNotFound,
                    format!("Attempt to describe a user credential that does not exist: {name}"),
                ),
                Some(credentials) => {
                    let infos = credentials.iter().map(|(hash, credential)| {
                        let iterations = i32::try_from(credential.iterations.get());
                        CredentialInfo::default()
                            .with_mechanism(hash.code())
                            .with_iterations(iterations.unwrap_or(i32::MAX))
                    });
                    result.with_credential_infos(infos.collect())
                }
            }
        })
        .collect();
    DescribeUserScramCredentialsResponse::default().with_results(results)
}

/// What becomes of one credential of one user.
enum Change {
    Delete(Hash),
    Set(Hash, Credential),
}

pub(super) async fn alter_user_scram_credentials(
    shared: &Arc<Shared>,
    caller: &Caller,
    _version: i16,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let known = shared.users.current();
    let deletions = request.deletions.iter().map(|asked| {
        let change = checked(&asked.name, asked.mechanism).and_then(|hash| {
            let credentials = known.get(asked.name.as_str());
            match credentials.is_some_and(|credentials| credentials.contains_key(&hash)) {
                true => Ok(Change::Delete(hash)),
                false => Err(missing()),
            }
        });
        (asked.name.to_string(), change)
    });
    let upsertions = request.upsertions.iter().map(|asked| {
        let change = upsertion(asked).map(|(hash, credential)| Change::Set(hash, credential));
        (asked.name.to_string(), change)
    });
    // As in Kafka since KRaft, a request changes one mechanism of a user, and its first
    // error counts.
    let mut wanted: BTreeMap<String, Result<Change, Refusal>> = BTreeMap::new();
    for (name, change) in deletions.chain(upsertions) {
        match wanted.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(change);
            }
            Entry::Occupied(entry) => {
                let changed = entry.into_mut();
                if changed.is_ok() {
                    *changed = Err((
                        ResponseError::DuplicateResource,
                        "A user credential cannot be altered twice in the same request".to_owned(),
                    ));
                }
            }
        }
    }
    if let Err(error) = shared.check(caller, Operation::Alter, Resource::Cluster) {
        for change in wanted.values_mut() {
            *change = Err((error, "the users are not yours to change".to_owned()));
        }
        return altered(
            wanted
                .into_iter()
                .map(|(name, refused)| (name, refused.map(drop))),
        );
    }
    let names: Vec<String> = wanted.keys().cloned().collect();
    let stored = shared.users.change(|users| {
        let mut outcomes = Vec::with_capacity(wanted.len());
        for (name, change) in wanted {
            let outcome = change.and_then(|change| {
                let mut credentials = users.get(&name).cloned().unwrap_or_default();
                match change {
                    Change::Set(hash, credential) => {
                        credentials.insert(hash, credential);
                    }
                    Change::Delete(hash) => {
                        credentials.remove(&hash).ok_or_else(missing)?;
                    }
                }
                match credentials.is_empty() {
                    true => users.remove(&name),
                    false => users.insert(name.clone(), credentials),
                };
                Ok(())
            });
            outcomes.push((name, outcome));
        }
        outcomes
    });
    match stored {
        Ok(outcomes) => {
            for (user, _) in outcomes.iter().filter(|(_, outcome)| outcome.is_ok()) {
                tracing::info!(by = %caller.principal, user, "credentials of a user changed");
            }
            altered(outcomes.into_iter())
        }
        Err(error) => {
            tracing::error!(%error, "cannot store the users");
            let why = "the users could not be stored";
            let refusal = (ResponseError::KafkaStorageError, why.to_owned());
            altered(names.into_iter().map(|name| (name, Err(refusal.clone()))))
        }
    }
}

fn altered(
    outcomes: impl Iterator<Item = (String, Result<(), Refusal>)>,
) -> AlterUserScramCredentialsResponse {
    let results = outcomes.map(|(name, outcome)| {
        let result =
            AlterUserScramCredentialsResult::default().with_user(StrBytes::from_string(name));
        match outcome {
            Ok(()) => result,
            Err((error, why)) => result
                .with_error_code(error.code())
                .with_error_message(text(why)),
        }
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}

fn unacceptable(why: &str) -> Refusal {
    (ResponseError::UnacceptableCredential, why.to_owned())
}

fn missing() -> Refusal {
    let why = "Attempt to delete a user credential that does not exist";
    (ResponseError::ResourceNotFound, why.to_owned())
}

fn checked(name: &str, mechanism: i8) -> Result<Hash, Refusal> {
    if name.is_empty() {
        return Err(unacceptable("Username must not be empty"));
    }
    Hash::from_code(mechanism).ok_or_else(|| {
        (
            ResponseError::UnsupportedSaslMechanism,
            "Unknown SCRAM mechanism".to_owned(),
        )
    })
}

fn upsertion(asked: &ScramCredentialUpsertion) -> Result<(Hash, Credential), Refusal> {
    let hash = checked(&asked.name, asked.mechanism)?;
    let iterations = u32::try_from(asked.iterations)
        .ok()
        .filter(|iterations| *iterations >= MIN_ITERATIONS)
        .and_then(NonZeroU32::new)
        .ok_or_else(|| unacceptable("Too few iterations"))?;
    if iterations.get() > MAX_ITERATIONS {
        return Err(unacceptable("Too many iterations"));
    }
    if asked.salt.is_empty() || asked.salted_password.len() != hash.len() {
        return Err(unacceptable("The salt or the salted password is not whole"));
    }
    let salt = asked.salt.to_vec();
    let credential = Credential::of_salted(hash, &asked.salted_password, salt, iterations);
    Ok((hash, credential))
}
