use kafka_protocol::ResponseError;
use kafka_protocol::messages::DescribeUserScramCredentialsRequest;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;

use super::alter_user_scram_credentials::{SHA_256, SHA_512, alter, upsertion};
use crate::check::{Cases, fails, ok};
use crate::support::{Raw, string};
use crate::target::{Target, eventually};

pub(super) const CASES: Cases = Cases {
    success,
    error,
    edge,
};

pub(crate) fn described(
    raw: &mut Raw,
    version: i16,
    users: &[&str],
) -> Vec<DescribeUserScramCredentialsResult> {
    let users = users.iter().map(|user| UserName::default().with_name(string(user)));
    let request =
        DescribeUserScramCredentialsRequest::default().with_users(Some(users.collect()));
    let response = raw.call(version, &request);
    ok(response.error_code);
    response.results
}

/// A user's mechanisms and their iterations, in order.
pub(crate) fn known(raw: &mut Raw, user: &str) -> Vec<(i8, i32)> {
    let result = described(raw, 0, &[user]).remove(0);
    let infos = result.credential_infos.iter();
    let mut known: Vec<(i8, i32)> = infos.map(|info| (info.mechanism, info.iterations)).collect();
    known.sort_unstable();
    known
}

fn create(target: &Target, raw: &mut Raw) -> String {
    let user = target.unique("user");
    for (mechanism, iterations) in [(SHA_256, 4096), (SHA_512, 8192)] {
        let one = vec![upsertion(&user, mechanism, iterations)];
        ok(alter(raw, 0, one, vec![]));
    }
    eventually(|| (known(raw, &user).len() == 2).then_some(()));
    user
}

fn success(target: &Target, version: i16) {
    let mut raw = target.any();
    let user = create(target, &mut raw);
    let results = described(&mut raw, version, &[&user]);
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].user.as_str(), user);
    ok(results[0].error_code);
    assert_eq!(known(&mut raw, &user), [(SHA_256, 4096), (SHA_512, 8192)]);
}

fn error(target: &Target, version: i16) {
    let user = target.unique("user");
    let results = described(&mut target.any(), version, &[&user]);
    fails(results[0].error_code, ResponseError::ResourceNotFound);
}

/// Nobody named is everybody, and to name somebody twice is an error of that user.
fn edge(target: &Target, version: i16) {
    let mut raw = target.any();
    let user = create(target, &mut raw);
    let request = DescribeUserScramCredentialsRequest::default().with_users(None);
    let all = raw.call(version, &request).results;
    let found = all.iter().find(|result| result.user.as_str() == user);
    ok(found.expect("it is among all").error_code);
    let results = described(&mut raw, version, &[&user, &user]);
    assert_eq!(results.len(), 1);
    fails(results[0].error_code, ResponseError::DuplicateResource);
}
