//! The shapes of the requests of logins, users and access control.

use kafka_protocol::messages::ApiKey;

use super::Part::{Blob, Each, Text};
use super::{Field, I8, I32, NEWEST, Shape, all, since};

const SASL_HANDSHAKE: Shape = (NEWEST, &[all(Text)]);
const SASL_AUTHENTICATE: Shape = (2, &[all(Blob)]);
/// An access control entry, and a filter of such.
const ACL: &[Field] = &[
    all(I8),
    all(Text),
    since(1, I8),
    all(Text),
    all(Text),
    all(I8),
    all(I8),
];
const DESCRIBE_ACLS: Shape = (2, ACL);
const CREATE_ACLS: Shape = (2, &[all(Each(ACL))]);
const DELETE_ACLS: Shape = (2, &[all(Each(ACL))]);
const DESCRIBE_SCRAM: Shape = (0, &[all(Each(&[all(Text)]))]);
const ALTER_SCRAM: Shape = (
    0,
    &[
        all(Each(&[all(Text), all(I8)])),
        all(Each(&[all(Text), all(I8), all(I32), all(Blob), all(Blob)])),
    ],
);

pub(super) fn shape(key: ApiKey) -> Option<Shape> {
    Some(match key {
        ApiKey::SaslHandshake => SASL_HANDSHAKE,
        ApiKey::SaslAuthenticate => SASL_AUTHENTICATE,
        ApiKey::DescribeAcls => DESCRIBE_ACLS,
        ApiKey::CreateAcls => CREATE_ACLS,
        ApiKey::DeleteAcls => DELETE_ACLS,
        ApiKey::DescribeUserScramCredentials => DESCRIBE_SCRAM,
        ApiKey::AlterUserScramCredentials => ALTER_SCRAM,
        _ => return None,
    })
}
