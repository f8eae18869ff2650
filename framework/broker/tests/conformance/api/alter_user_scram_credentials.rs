use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::AlterUserScramCredentialsRequest;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};

use super::describe_user_scram_credentials::{described, known};
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) const SHA_256: i8 = 1;
pub(crate) const SHA_512: i8 = 2;

pub(crate) fn upsertion(user: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion {
    let length = if mechanism == SHA_256 { 32 } else { 64 };
    ScramCredentialUpsertion::default()
        .with_name(string(user))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(Bytes::from_static(b"salt of the test"))
        .with_salted_password(vec![7; length].into())
}

fn deletion(user: &str, mechanism: i8) -> ScramCredentialDeletion {
    ScramCredentialDeletion::default()
        .with_name(string(user))
        .with_mechanism(mechanism)
}

/// Changes what is known of one user; the code.
pub(crate) fn alter(
    raw: &mut Raw,
    version: i16,
    upsertions: Vec<ScramCredentialUpsertion>,
    deletions: Vec<ScramCredentialDeletion>,
) -> i16 {
    let request = AlterUserScramCredentialsRequest::default()
        .with_upsertions(upsertions)
        .with_deletions(deletions);
    let results = raw.call(version, &request).results;
    assert_eq!(results.len(), 1, "one result for one user");
    results[0].error_code
}

fn success(target: &Target, version: i16) {
    let user = target.unique("user");
    let mut raw = target.any();
    let all = vec![(SHA_256, 4096), (SHA_512, 5000)];
    for (mechanism, iterations) in &all {
        let one = vec![upsertion(&user, *mechanism, *iterations)];
        ok(alter(&mut raw, version, one, vec![]));
    }
    eventually(|| (known(&mut raw, &user) == all).then_some(()));
    let one = vec![deletion(&user, SHA_256)];
    ok(alter(&mut raw, version, vec![], one));
    eventually(|| (known(&mut raw, &user) == all[1..]).then_some(()));
}

fn error(target: &Target, version: i16) {
    let user = target.unique("user");
    let mut raw = target.any();
    let mut refused = |upsertion, error| {
        fails(alter(&mut raw, version, vec![upsertion], vec![]), error);
    };
    refused(
        upsertion(&user, SHA_256, 4095),
        ResponseError::UnacceptableCredential,
    );
    refused(
        upsertion(&user, 9, 4096),
        ResponseError::UnsupportedSaslMechanism,
    );
    refused(
        upsertion("", SHA_256, 4096),
        ResponseError::UnacceptableCredential,
    );
    let missing = vec![deletion(&user, SHA_256)];
    let code = alter(&mut raw, version, vec![], missing);
    fails(code, ResponseError::ResourceNotFound);
}

/// A user is changed once in a request or not at all, whatever the mechanisms.
fn edge(target: &Target, version: i16) {
    let user = target.unique("user");
    let mut raw = target.any();
    for second in [SHA_256, SHA_512] {
        let twice = vec![
            upsertion(&user, SHA_256, 4096),
            upsertion(&user, second, 5000),
        ];
        let code = alter(&mut raw, version, twice, vec![]);
        fails(code, ResponseError::DuplicateResource);
    }
    // The first error counts, and deletions come first.
    let (one, gone) = (upsertion(&user, SHA_256, 4096), deletion(&user, SHA_256));
    let code = alter(&mut raw, version, vec![one], vec![gone]);
    fails(code, ResponseError::ResourceNotFound);
    let invalid = vec![upsertion(&user, SHA_256, 1), upsertion(&user, SHA_512, 4096)];
    let code = alter(&mut raw, version, invalid, vec![]);
    fails(code, ResponseError::UnacceptableCredential);
    let code = described(&mut raw, 0, &[&user])[0].error_code;
    fails(code, ResponseError::ResourceNotFound);
}
