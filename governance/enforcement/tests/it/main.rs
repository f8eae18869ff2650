//! Who is asked for what, and what a decision lets out.
#![allow(clippy::unwrap_used)]

use http::HeaderMap;
use mesh_core::{ErrorKind, Record};
use mesh_enforcement::{Access, Action, Decision, DecisionPoint, PassThrough, Resource};
use serde_json::json;

mesh_macros::contract!("tests/it/contracts/secret.odcs.yaml");
mesh_macros::contract!("tests/it/contracts/open.odcs.yaml");

#[test]
fn access_names_one_principal_and_one_purpose() {
    let check = |headers: &[(&'static str, &'static str)], expected: Result<(&str, &str), &str>| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        match (Access::from_headers(&map), expected) {
            (Ok(access), Ok((principal, purpose))) => {
                assert_eq!(access.principal.as_str(), principal);
                assert_eq!(access.purpose.as_str(), purpose);
            }
            (Err(error), Err(word)) => {
                assert_eq!(error.kind(), ErrorKind::Unauthenticated);
                assert!(
                    error.to_string().contains(word),
                    "`{word}` is not in {error}"
                );
                assert!(error.mend_text().is_some());
            }
            (found, expected) => panic!("{headers:?}: {found:?} is not {expected:?}"),
        }
    };
    let (who, why) = ("mesh-principal", "mesh-purpose");
    check(
        &[(who, "service:loan"), (why, "credit_assessment")],
        Ok(("service:loan", "credit_assessment")),
    );
    check(&[], Err("mesh-principal"));
    check(&[(who, "anna")], Err("mesh-purpose"));
    check(&[(why, "test")], Err("mesh-principal"));
    check(&[(who, ""), (why, "test")], Err("malformed"));
    check(&[(who, "an na"), (why, "test")], Err("malformed"));
    check(&[(who, "anna"), (who, "bert"), (why, "test")], Err("twice"));
    check(&[(who, "anna"), (why, "a"), (why, "b")], Err("twice"));
}

fn access() -> Access {
    Access::new("anna".parse().unwrap(), "test".parse().unwrap())
}

#[tokio::test]
async fn a_decision_lets_out_its_own_product_only_and_a_denial_nothing() {
    let resource = Resource::of(&SecretNote::descriptor().contract);
    assert_eq!(resource.to_string(), "lab.secret_notes");
    let allowed = PassThrough
        .decide(&access(), Action::Read, &resource)
        .await
        .unwrap();
    assert!(allowed.allowed());
    assert_eq!(allowed.rule_ids(), ["pass_through"]);
    let one = allowed.govern_one(SecretNote { note_id: 1 }).unwrap();
    assert_eq!(one.into_json(), json!({"note_id": 1}));
    let many = vec![SecretNote { note_id: 1 }, SecretNote { note_id: 2 }];
    let many = allowed.govern(many).unwrap();
    assert_eq!(many.len(), 2);
    assert!(
        !format!("{many:?}").contains("note_id"),
        "no value is printed"
    );
    assert_eq!(
        many.into_json(),
        json!({"items": [{"note_id": 1}, {"note_id": 2}]})
    );
    let none = allowed.govern(Vec::<SecretNote>::new()).unwrap();
    assert_eq!(none.into_json(), json!({"items": []}));
    let other = allowed.govern_one(OpenNote { note_id: 1 }).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Internal);

    let rules = vec!["rule-7".to_owned()];
    let denied = Decision::deny(&access(), Action::Read, &resource, "not for this", rules);
    let error = denied.govern_one(SecretNote { note_id: 1 }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("not for this"), "{error}");
    assert!(error.to_string().contains("lab.secret_notes"), "{error}");
}
